"""The steps of the way back: every DAG of a wave that was paused goes back to the source, the last one first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.migration.plan.contract import Step

TITLES = {
    "check_return": "Check that the target has not run {} by itself",
    "roll_back": "Pause {} in the target and start it in the source again",
}


def held(steps: Sequence[Step], begun: Collection[str]) -> list[str]:
    """Give the DAGs whose pause in the source has begun, in that order; `begun` holds the keys of begun steps."""
    return [str(step.params["dag_id"]) for step in steps if step.kind == "cutover.pause" and step.key in begun]


def return_steps(
    wave: str, steps: Sequence[Step], begun: Collection[str], dag_ids: Sequence[str] | None = None
) -> tuple[Step, ...]:
    """Give the steps back for the held DAGs of a wave, or for some of them; all checks come first.

    NotFound names a DAG that the wave has not; Conflict when nothing of it was paused.
    """
    members = {str(step.params["dag_id"]) for step in steps}
    for dag_id in dag_ids or ():
        if dag_id not in members:
            raise NotFound(
                f"{wave} has no DAG {dag_id}.", code="dag-not-in-wave", hint="The plan names the DAGs of each wave."
            )
    ours = held(steps, begun)
    chosen = [dag_id for dag_id in reversed(ours) if dag_ids is None or dag_id in dag_ids]
    missing = sorted(set(dag_ids or ()) - set(chosen))
    if missing or not chosen:
        what = ", ".join(missing) if missing else wave
        raise Conflict(
            f"Nothing to roll back: this migration has not paused {what} in the source.",
            code="nothing-to-roll-back",
            hint=f"Paused by {wave}: {', '.join(ours)}." if ours else f"No DAG of {wave} is paused by this migration.",
        )
    return tuple(_each(wave, chosen))


def _each(wave: str, dag_ids: Sequence[str]) -> Iterator[Step]:
    for act, title in TITLES.items():
        for dag_id in dag_ids:
            yield Step(
                f"cutover.{act}:{dag_id}",
                "rollback",
                f"cutover.{act}",
                title.format(dag_id),
                {"dag_id": dag_id, "wave": wave},
            )
