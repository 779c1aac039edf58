"""The acts on the source: check both sides, pause, drain."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime, timedelta
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.expectation import show, texts
from aerodrome.migration.cutover.requests import (
    Act,
    Ahead,
    GiveBack,
    HoldBack,
    Look,
    Pause,
    Request,
    Sleep,
    Stopped,
    StopRuns,
    View,
)
from aerodrome.migration.cutover.target import TargetDag
from aerodrome.migration.sources.contract import DagState

GAP_POLL_S = 0.25
STEP_S = 330.0
"""How long the source gets to work out its next interval by its next parse: each 30 s unless set, on hosted Airflows up to 300 s
([scheduler] min_file_process_interval)."""
STOP_S = 120.0
"""How long stopped tasks get to end: their processes look at their state every few seconds."""
MOVING = ("running", "queued", "restarting", "deferred")
"""Task states that go on while their DAG is paused."""


def check(
    context: CutoverContext,
    dag_id: str,
    *,
    was_paused: bool,
    on_deadline: str = "fail",
    may_have_changed: bool = False,
) -> Act:
    """Check that the DAG can move: parsed and paused in the target, known in the source, as the plan knew it.

    Changes nothing. A DAG that an earlier attempt of ours holds already (or has moved already) passes.
    """
    view: View = yield Look(dag_id, with_errors=True, with_version=True)
    state = context.known(dag_id, view)
    is_ours = context.mark in {state.mark, state.let_go}
    if state.is_paused != was_paused and not is_ours:
        now = "paused" if state.is_paused else "unpaused"
        raise Conflict(
            f"{dag_id} was {now} in the source since the plan was made.",
            code="plan-stale",
            hint="Run `aerodrome migrate assess NAME` again and look at the new plan.",
            details={"dag_id": dag_id, "is_paused": state.is_paused},
        )
    if not (may_have_changed or is_ours):
        context.unchanged(dag_id, view)
    dag = target_dag(context, dag_id, view)
    if view.hindrances.problem is not None:
        raise view.hindrances.problem
    if on_deadline == "rerun" and context.stopping is None:
        raise _cannot_rerun(dag_id)
    if not dag.is_paused and not is_ours:
        raise Conflict(
            f"{dag_id} is not paused in the target, while the source still runs it.",
            code="target-not-paused",
            hint="Pause it in the target; two sides must never run the same DAG.",
            details={"dag_id": dag_id},
        )
    return {
        "dag_id": dag_id,
        "source_last_interval": texts(state.last_interval),
        "source_next_interval": texts(state.next_interval),
        "target_next_interval": texts(dag.next_interval),
        "in_flight": dict(state.in_flight),
        "remarks": list(view.hindrances.remarks),
        "summary": " ".join(("Ready on both sides.", *view.hindrances.remarks)),
    }


def target_dag(context: CutoverContext, dag_id: str, view: View) -> TargetDag:
    """Give the target's DAG; NotFound or Invalid when it is not there in a state to run."""
    dag, record = view.target, context.dags.get(dag_id)
    if record is not None:
        for file, text in view.import_errors:
            if file == record.file or file.endswith("/" + record.file):
                raise Invalid(
                    f"{file} does not import in the target: {_last_line(text)}",
                    code="target-import-error",
                    hint="Mend the file, deploy again, then repeat the cutover.",
                    details={"dag_id": dag_id, "file": file},
                )
    if dag is None or dag.is_stale:
        raise NotFound(
            f"The target has no DAG {dag_id}.",
            code="target-dag-missing",
            hint="See the validation rows: `aerodrome migrate show NAME` tells why its file does not give this DAG.",
            details={"dag_id": dag_id},
        )
    if dag.has_import_errors:
        raise Invalid(
            f"{dag.file} does not import in the target.",
            code="target-import-error",
            hint="Mend the file, deploy again, then repeat the cutover.",
            details={"dag_id": dag_id, "file": dag.file},
        )
    return dag


def pause(context: CutoverContext, dag_id: str, *, may_have_changed: bool = False, gap_s: float = 30.0) -> Act:
    """Pause the DAG in the source under our mark and see that it holds. Repeating finds the mark and changes nothing.

    What has ended so far moves before, so that little is left to move while nobody runs the DAG.
    Waits up to `gap_s` for a moment at which nothing of it runs: Airflow does not advance the runs of a paused DAG (its
    scheduler looks at unpaused DAGs only, 2.11.2 DagRun.get_running_dag_runs_to_examine). A run that is caught all the
    same is let go by drain.
    """
    until = context.clock.now() + timedelta(seconds=gap_s)
    view: View = yield Look(dag_id, with_target=False, with_version=True)
    before = context.known(dag_id, view)
    if not (may_have_changed or before.is_paused):
        context.unchanged(dag_id, view)  # the check may be hours old
    if not before.is_paused and context.ahead is not None:
        yield Ahead(dag_id)
        before = context.known(dag_id, (yield Look(dag_id, with_target=False)))
    while not before.is_paused and before.in_flight and context.clock.now() < until:
        yield Sleep(min(context.poll_s, GAP_POLL_S), f"waiting for a gap: {what_runs(before)}")
        before = context.known(dag_id, (yield Look(dag_id, with_target=False)))
    if before.is_paused and before.mark != context.mark:
        raise Conflict(
            f"{dag_id} is paused in the source, but not by this cutover.",
            code="source-paused-by-others",
            hint="Unpause it in the source, or make a new plan that moves it as a paused DAG.",
            details={"dag_id": dag_id},
        )
    if not before.is_paused:
        yield Pause(dag_id)
    state = context.held(dag_id, (yield Look(dag_id, with_target=False)))
    return {
        "dag_id": dag_id,
        "was_held": before.is_paused,
        "paused_at": to_text(context.clock.now()),
        "in_flight": dict(state.in_flight),
        "summary": f"Held in the source; in flight: {what_runs(state)}.",
    }


def drain(context: CutoverContext, dag_id: str, *, deadline_s: float, on_deadline: str) -> Act:
    """Wait until nothing of the DAG is in flight in the source, and stays so.

    A run that cannot go on because its DAG is paused (nothing of it moves any more) is let go: the DAG is unpaused under
    our mark, kept from starting more, and paused again when nothing runs. What it starts all the same is its own and synced.

    Waits as well until the source names a next interval that was not run: Unavailable `source-next-unknown` where its scheduler
    does not step on.

    At the deadline: Conflict `drain-deadline` ("fail") or Unavailable `drain-still-running` ("wait": look again later),
    both naming what is still running; or ("rerun") the runs are stopped, and named for the target to run them again.
    Only runs of a DAG that we hold are stopped: one that was paused before has nobody who would run them again.
    """
    began_at = context.clock.now()
    deadline = began_at + timedelta(seconds=deadline_s)
    empty_since = stuck_since = busy_until = None
    stopped: tuple[str, ...] = ()
    while True:
        state = yield from _held_again(context, dag_id, deadline)
        now = context.clock.now()
        text = ""
        if state.in_flight:
            empty_since, busy_until = None, now
            may_stop = on_deadline == "rerun" and state.mark == context.mark
            if now >= deadline and may_stop and context.stopping is None:
                raise _cannot_rerun(dag_id)  # the plan was changed after the check
            if now >= deadline and may_stop and now < deadline + timedelta(seconds=STOP_S):
                yield StopRuns(dag_id)
            elif now >= deadline:
                raise _too_late(dag_id, state, deadline_s, on_deadline)
            text = f"waiting for {what_runs(state)}"
            stuck_since = None if _moves(state) else stuck_since or now
            if stuck_since and state.mark == context.mark and (now - stuck_since).total_seconds() >= context.settle_s:
                yield GiveBack(dag_id)
                yield HoldBack(dag_id)
                stuck_since = None
        elif empty_since is None:
            # A scheduler that read the DAG just before the pause may still create one run: look twice.
            empty_since = now
            stopped = yield from _stopped(context, dag_id, deadline)
        elif now - empty_since >= timedelta(seconds=context.settle_s):
            if state.is_next_passed:  # only its scheduler can tell what follows: a custom timetable, an end date
                if now - empty_since >= timedelta(seconds=STEP_S):
                    raise _not_stepped(dag_id, state)
                yield Sleep(context.poll_s, "waiting until the source has worked out its next interval")
                continue
            return {
                "dag_id": dag_id,
                "drained_at": to_text(now),
                "busy_until": to_text(busy_until),
                "seconds": round((now - began_at).total_seconds(), 1),
                "last_source_interval": texts(state.last_interval),
                "last_source_state": state.last_run_state,
                "stopped_runs": list(stopped),
                "summary": f"Nothing runs in the source; last interval {show(state.last_interval)}."
                + (f" Stopped, to be run again in the target: {', '.join(stopped[:5])}." if stopped else ""),
            }
        is_settling = empty_since is not None and not state.in_flight
        yield Sleep(context.settle_s if is_settling else context.poll_s, text)


def _stopped(context: CutoverContext, dag_id: str, deadline: datetime) -> Generator[Request, Any, tuple[str, ...]]:
    """Give the runs that were stopped, by this or an earlier attempt, once every process of their tasks has ended."""
    if context.stopping is None:
        return ()
    until = max(deadline, context.clock.now()) + timedelta(seconds=STOP_S)
    while (found := (yield Stopped(dag_id))) is not None and found.alive:
        if context.clock.now() >= until:
            raise Unavailable(
                f"{found.alive} tasks of {dag_id} that were stopped in the source have not ended after {STOP_S:.0f} s.",
                code="stop-not-heard",
                hint="See in the source whether their workers still answer; the cutover looks again.",
                details={"dag_id": dag_id},
                retry_after_s=30.0,
            )
        yield Sleep(context.poll_s, f"waiting until {found.alive} stopped tasks have ended")
    return found.run_ids if found is not None else ()


def _held_again(context: CutoverContext, dag_id: str, deadline: datetime) -> Generator[Request, Any, DagState]:
    """Give the state of a DAG that is held; one that we let go is paused again at the first gap, or at the deadline."""
    view: View = yield Look(dag_id, with_target=False)
    state = context.known(dag_id, view)
    while state.let_go == context.mark:
        if not state.in_flight or context.clock.now() >= deadline:
            yield Pause(dag_id)
            view = yield Look(dag_id, with_target=False)
            break
        yield HoldBack(dag_id)
        yield Sleep(min(context.poll_s, GAP_POLL_S), f"let go until it ends: {what_runs(state)}")
        view = yield Look(dag_id, with_target=False)
        state = context.known(dag_id, view)
    return context.held(dag_id, view)


def _moves(state: DagState) -> bool:
    """Tell whether something of a paused DAG can still go on by itself: a task that a worker or the triggerer has."""
    return any(key in MOVING for key in state.in_flight)


def what_runs(state: DagState) -> str:
    """Write in-flight counts: "1 run running, 2 tasks queued"."""
    parts = []
    for key, count in sorted(state.in_flight.items()):
        noun, _, name = key.rpartition(":")
        noun = "run" if noun == "run" else "task"
        parts.append(f"{count} {noun}{'' if count == 1 else 's'} {name.replace('_', ' ')}")
    return ", ".join(parts) or "nothing"


def _cannot_rerun(dag_id: str) -> Invalid:
    return Invalid(
        f"The plan wants runs of {dag_id} stopped and run again, but this source or target cannot do that.",
        code="rerun-impossible",
        hint="It takes the source's database (kind airflow-db) and a target of Airflow 3.1 or newer; "
        f"set on_deadline of the DAG to wait or fail: `aerodrome migrate policy NAME --dag {dag_id} --on-deadline wait`.",
        details={"dag_id": dag_id},
    )


def _not_stepped(dag_id: str, state: DagState) -> Unavailable:
    return Unavailable(
        f"The source still names {to_text(state.next_logical_date)} as the next run of {dag_id}, which it has run already.",
        code="source-next-unknown",
        hint="Airflow works out the next run when it parses the file again. See whether the source's scheduler and DAG "
        "processor run and the file imports there; the cutover looks again, and the DAG stays paused until then.",
        details={"dag_id": dag_id, "next_logical_date": to_text(state.next_logical_date)},
        retry_after_s=30.0,
    )


def _too_late(dag_id: str, state: DagState, deadline_s: float, on_deadline: str) -> Conflict | Unavailable:
    message = f"After {deadline_s:.0f} s the source still has {what_runs(state)} of {dag_id}."
    details = {"dag_id": dag_id, "in_flight": dict(state.in_flight)}
    if on_deadline == "wait":
        return Unavailable(
            message,
            code="drain-still-running",
            hint="The DAG stays paused in the source; the cutover looks again.",
            details=details,
            retry_after_s=30.0,
        )
    return Conflict(
        message,
        code="drain-deadline",
        hint="Let it end or stop it in the source, then repeat the cutover; or roll this DAG back.",
        details=details,
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (lines[-1] if lines else "no reason given")[:300]
