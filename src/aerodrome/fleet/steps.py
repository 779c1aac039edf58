"""The journal of a deploy: which small step began, what it said, how it ended. Every write is its own transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.clock import to_text
from aerodrome.store.tables.deploy import DeployStepRow

_MAX_LOG = 60_000


def create_all(session: Session, deploy_id: str, names: Sequence[str], after: int = 0) -> None:
    """Write the steps of a deploy that begins; `after`: further steps, behind those that it has."""
    for seq, name in enumerate(names, start=after + 1):
        session.add(DeployStepRow(deploy_id=deploy_id, seq=seq, name=name, status="pending", attempts=0, log=""))


def begin(context: FleetContext, deploy_id: str, name: str) -> DeployStepRow:
    """Write that the step runs; the first beginning counts for its time. Gives the step as it is now."""
    with context.store.writing() as session:
        step = _get(session, deploy_id, name)
        if step.status != "done":
            step.status = "running"
            step.attempts += 1
            step.started_at = step.started_at or context.clock.now()
        return step


def logger(context: FleetContext, deploy_id: str, name: str) -> Callable[[str], None]:
    """Give a function that appends a line to the step's log."""

    def write(line: str) -> None:
        with context.store.writing() as session:
            add_line(_get(session, deploy_id, name), line, context.clock.now())

    return write


def add_line(step: DeployStepRow, line: str, now: datetime) -> None:
    """Append a line with its time; nothing when it says the same as the last one, or the log is full."""
    step.log = with_line(step.log, line, now)


def with_line(log: str, line: str, now: datetime) -> str:
    """Give the log with one more line, or as it is when that line stands last in it or it is full."""
    last = log.rstrip("\n").rpartition("\n")[2].partition(" ")[2]
    if line == last or len(log) + len(line) >= _MAX_LOG:
        return log
    return f"{log}{to_text(now)} {line}\n"


def end(session: Session, deploy_id: str, name: str, status: str, now: datetime) -> DeployStepRow:
    """Write how the step ended; ending twice changes nothing."""
    step = _get(session, deploy_id, name)
    if step.status != status:
        step.status = status
        step.finished_at = now
    return step


def running(session: Session, deploy_id: str) -> DeployStepRow | None:
    """Give the step that is under way."""
    query = select(DeployStepRow).where(DeployStepRow.deploy_id == deploy_id, DeployStepRow.status == "running")
    return session.scalars(query.order_by(DeployStepRow.seq).limit(1)).one_or_none()


def next_of(session: Session, deploy_id: str) -> DeployStepRow | None:
    """Give the first step that is neither done nor failed; None when all are."""
    query = select(DeployStepRow).where(
        DeployStepRow.deploy_id == deploy_id, DeployStepRow.status.in_(("pending", "running"))
    )
    return session.scalars(query.order_by(DeployStepRow.seq).limit(1)).one_or_none()


def has_begun(session: Session, deploy_id: str, name: str) -> bool:
    """Tell whether the step was ever begun."""
    return _get(session, deploy_id, name).started_at is not None


def skip_pending(session: Session, deploy_id: str) -> int:
    """Mark the steps that will not come any more; give the number of the last one."""
    rows = all_of(session, deploy_id)
    for row in rows:
        if row.status == "pending":
            row.status = "skipped"
    return rows[-1].seq if rows else 0


def all_of(session: Session, deploy_id: str) -> list[DeployStepRow]:
    """Give the steps of a deploy in order."""
    query = select(DeployStepRow).where(DeployStepRow.deploy_id == deploy_id).order_by(DeployStepRow.seq)
    return list(session.scalars(query))


def _get(session: Session, deploy_id: str, name: str) -> DeployStepRow:
    query = select(DeployStepRow).where(DeployStepRow.deploy_id == deploy_id, DeployStepRow.name == name)
    return session.scalars(query).one()
