"""What a rollback leaves in the journal: the cutover steps of a DAG that went back are pending again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from aerodrome.migration.service.tracks import CUTOVER, ROLLBACK
from aerodrome.store import journal


def settle(session: Session, migration_id: str, wave: str) -> tuple[str, ...]:
    """Make the wave's journal true after a rollback, whole or cut short; give the DAGs that went back. Repeatable.

    A wave in which nothing is paused by us any more counts as never begun: it can be cut over, and the plan be edited.
    """
    back = tuple(
        str(step.params["dag_id"])
        for step in journal.steps(session, migration_id, f"{ROLLBACK}{wave}")
        if step.kind == "cutover.roll_back" and step.status == "done"
    )
    track = f"{CUTOVER}{wave}"
    journal.reset(
        session,
        migration_id,
        track,
        [step.key for step in journal.steps(session, migration_id, track) if step.params["dag_id"] in back],
    )
    session.expire_all()
    left = [step for step in journal.steps(session, migration_id, track) if step.kind == "cutover.pause"]
    if back and all(step.status == "pending" for step in left):
        journal.forget(session, migration_id, track)
    return back
