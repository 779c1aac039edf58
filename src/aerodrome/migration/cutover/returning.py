"""The way back: the source runs the DAG again. What the target ran meanwhile is marked done there first."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Conflict
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.expectation import texts
from aerodrome.migration.cutover.requests import (
    Act,
    Carry,
    Events,
    GiveBack,
    Look,
    OwnRuns,
    Pause,
    Resume,
    Sleep,
    Start,
    Stop,
    Stopped,
    View,
)
from aerodrome.migration.cutover.target import TargetRun

DEADLINE_S = 900.0


def check_return(context: CutoverContext, dag_id: str) -> Act:
    """Tell what a way back would do: which runs of the target would be marked done in the source. Changes nothing."""
    view: View = yield Look(dag_id, with_target=False)
    state = context.known(dag_id, view)
    runs: list[TargetRun] = (yield OwnRuns(dag_id)) or []
    _refuse_uncarried(context, dag_id, runs)
    return {
        "dag_id": dag_id,
        "is_paused_in_source": state.is_paused,
        "is_ours": state.is_paused and state.mark == context.mark,
        "target_runs": len(runs),
        "summary": f"The target has made {_count(runs)} of its own; the source will count them as done."
        if runs
        else "The target has run nothing of its own.",
    }


def roll_back(context: CutoverContext, dag_id: str, *, deadline_s: float = DEADLINE_S) -> Act:
    """Pause the DAG in the target, mark what it ran as done in the source, then undo our pause there. Repeatable.

    The target is paused at a moment at which none of its runs is under way; Conflict `target-still-running` when there
    is none until the deadline, and then the target goes on with it. Conflict `target-has-runs` when the source is one
    in which nothing can be marked done (REST): it would run those intervals a second time.
    """
    deadline = context.clock.now() + timedelta(seconds=deadline_s)
    view: View = yield Look(dag_id)
    while True:
        runs: list[TargetRun] = (yield OwnRuns(dag_id)) or []
        _refuse_uncarried(context, dag_id, runs)
        busy = [run for run in runs if not run.is_finished]
        if not busy:
            if view.target is None or view.target.is_paused:
                break
            yield Stop(dag_id)
            view = yield Look(dag_id)
            continue  # a run may have begun just before the pause: look again
        if view.target is not None and view.target.is_paused:
            yield Start(dag_id, lambda _now: None)  # Airflow does not advance the runs of a paused DAG
            view = yield Look(dag_id)
        if context.clock.now() >= deadline:
            raise Conflict(
                f"The target still runs {dag_id} after {deadline_s:.0f} s: {busy[0].run_id} is {busy[0].state}.",
                code="target-still-running",
                hint="It goes on in the target. Let the run end or stop it there, then roll back again.",
                details={"dag_id": dag_id, "runs": [run.run_id for run in busy]},
            )
        yield Sleep(min(context.poll_s, 0.25), f"waiting until the target has ended {busy[0].run_id}")
    return (yield from _give_back(context, dag_id, runs))


def _give_back(context: CutoverContext, dag_id: str, runs: list[TargetRun]) -> Act:
    state = context.known(dag_id, (yield Look(dag_id, with_target=False)))
    if runs and not state.is_paused and state.let_go != context.mark:
        yield Pause(dag_id)  # somebody unpaused it: nothing may start while we write what is done
    carried: int = (yield Carry(dag_id)) if runs else 0
    if context.stopping is not None and (stopped := (yield Stopped(dag_id))) is not None and stopped.run_ids:
        yield Resume(dag_id, {run.run_id: run.state for run in runs if run.run_id in stopped.run_ids})
    state = context.known(dag_id, (yield Look(dag_id, with_target=False)))
    if state.is_paused and state.mark == context.mark:
        if context.bridges(dag_id):
            yield Events(dag_id, "take_back")
        yield GiveBack(dag_id)
        state = context.known(dag_id, (yield Look(dag_id, with_target=False)))
    text = state.told or ("It is paused on both sides, as before." if state.is_paused else "The source runs it again.")
    result: dict[str, Any] = {
        "dag_id": dag_id,
        "rolled_back_at": to_text(context.clock.now()),
        "is_paused_in_source": state.is_paused,
        "source_next_interval": texts(state.next_interval),
        "carried_runs": [run.run_id for run in runs[:100]],
        "carried_count": len(runs),
        "written_count": carried,
        "summary": f"{text} {_count(runs)} of the target count{'s' if len(runs) == 1 else ''} as done there."
        if runs and not state.told
        else text,
    }
    return result


def _refuse_uncarried(context: CutoverContext, dag_id: str, runs: list[TargetRun]) -> None:
    if not runs or context.carried is not None:
        return
    shown = ", ".join(run.run_id for run in runs[:5]) + (", …" if len(runs) > 5 else "")
    raise Conflict(
        f"The target has run {dag_id} already: {shown}.",
        code="target-has-runs",
        hint="This source cannot be told so: it would run the same intervals again. Go on in the target.",
        details={"dag_id": dag_id, "runs": [run.run_id for run in runs]},
    )


def _count(runs: list[TargetRun]) -> str:
    return f"{len(runs)} run{'' if len(runs) == 1 else 's'}"
