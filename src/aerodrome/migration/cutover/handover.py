"""The acts between the sides: sync the last history, prove the next interval, start the target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Unavailable
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.expectation import Verdict, compare, describe_missed, show, texts
from aerodrome.migration.cutover.holding import target_dag, what_runs
from aerodrome.migration.cutover.requests import Act, AskToParse, Events, Look, RunAgain, Sleep, Start, Sync, View
from aerodrome.migration.cutover.target import TargetDag
from aerodrome.migration.estate.calendars import Interval, after, calendar_of, is_on
from aerodrome.migration.sources.contract import DagState

SYNC_ROUNDS = 3


def sync(context: CutoverContext, dag_id: str) -> Act:
    """Move every finished run that the target lacks. The source is read again afterwards: nothing may have moved."""
    for _ in range(SYNC_ROUNDS):
        moved = yield Sync(dag_id)
        view: View = yield Look(dag_id, with_target=False)
        state = _quiet(context, dag_id, view)
        if texts(state.last_interval) == moved["last_source_interval"]:
            return {"dag_id": dag_id, "synced_at": to_text(context.clock.now()), **moved}
    raise Conflict(
        f"The source keeps adding runs of {dag_id} although it is paused.",
        code="source-keeps-moving",
        hint="See who triggers it there, then repeat the cutover.",
        details={"dag_id": dag_id},
    )


def _quiet(context: CutoverContext, dag_id: str, view: View) -> DagState:
    state = context.held(dag_id, view)
    if state.in_flight:
        raise Conflict(
            f"The source started work of {dag_id} after it was drained: {what_runs(state)}.",
            code="source-not-drained",
            hint="Somebody triggered it by hand. Repeat the cutover: it waits until that has ended.",
            details={"dag_id": dag_id, "in_flight": dict(state.in_flight)},
        )
    return state


def prove(context: CutoverContext, dag_id: str, *, limit_s: float, is_on_calendar: bool = False) -> Act:
    """Prove that both sides stand at the same run and go on with the same interval.

    What the target has in its row may be what we wrote there, so one more witness is asked for. `is_on_calendar` says
    that the interval which the target had computed by itself before was one of the schedule that the source follows:
    then the arithmetic of that schedule is the witness, and the proof needs no waiting. Otherwise the target must have
    parsed the DAG after the sync, because each parse computes the next interval anew.

    Broken `interval-mismatch` shows both sides.
    """
    began_at = context.clock.now()
    parsed_after: datetime | None = None
    while True:
        view: View = yield Look(dag_id)
        state = _quiet(context, dag_id, view)
        dag = target_dag(context, dag_id, view)
        now = context.clock.now()
        parsed_after = parsed_after or view.now or now
        verdict = judge(context, dag_id, view)
        is_fresh = dag.parsed_at is not None and dag.parsed_at > parsed_after
        by = "parse" if is_fresh else "arithmetic" if _follows(context, dag_id, state, dag, is_on_calendar) else ""
        if by and verdict.is_agreed and dag.newest == state.last_interval:
            return {
                "dag_id": dag_id,
                "last_source_interval": texts(state.last_interval),
                "source_next_interval": texts(state.next_interval),
                "next_interval": texts(dag.next_interval),
                "reason": verdict.reason,
                "proved_by": by,
                **describe_missed(verdict.missed),
                "summary": f"{verdict.reason} {show(dag.next_interval)}.{_gap(verdict)}",
            }
        if now - began_at >= timedelta(seconds=limit_s):
            if not is_fresh:
                raise Unavailable(
                    f"The target has not parsed {dag_id} again within {limit_s:.0f} s.",
                    code="target-not-parsed",
                    hint="Look at the DAG processor: `aerodrome deployment logs NAME dag-processor`.",
                    details={"dag_id": dag_id, "parsed_at": to_text(dag.parsed_at)},
                )
            raise mismatch(dag_id, state, dag, verdict)
        if now == began_at:
            yield AskToParse(dag_id)
        yield Sleep(
            context.poll_s, "waiting until the target has parsed the DAG again" if not is_fresh else verdict.reason
        )


def _follows(context: CutoverContext, dag_id: str, state: DagState, dag: TargetDag, is_on_calendar: bool) -> bool:
    """Tell whether the target's next interval is the one that the schedule's arithmetic gives after the last run."""
    if dag.next_interval is None and state.next_interval is None and not state.in_flight:
        return True  # no run of its own to come on either side: manual, asset-driven, finished
    calendar = calendar_of(context.dags[dag_id])
    if calendar is None or not is_on_calendar or state.last_interval is None or dag.next_interval is None:
        return False
    if dag.next_interval == after(calendar, state.last_interval):
        return True
    return not context.catches_up(dag_id) and is_on(calendar, dag.next_interval)


def unpause(context: CutoverContext, dag_id: str, *, stopped_runs: Sequence[str] = ()) -> Act:
    """Start the DAG in the target. Every check comes before the one irreversible line; repeating recognises it.

    Runs that were stopped in the source run again once the DAG lives here: never before the source has lost it.
    """
    view: View = yield Look(dag_id)
    state = _quiet(context, dag_id, view)
    dag = target_dag(context, dag_id, view)
    verdict = judge(context, dag_id, view)
    is_new = dag.is_paused
    if is_new and context.bridges(dag_id):
        yield Events(dag_id, "before_start")
    if is_new:
        dag = yield Start(dag_id, lambda now: _not_startable(context, dag_id, now))  # irreversible: it may run now
    elif dag.started_by != context.mark:
        raise Conflict(
            f"{dag_id} was unpaused in the target, but not by this cutover.",
            code="target-unpaused-by-others",
            hint="Pause it in the target and look at what it ran there; then repeat the cutover.",
            details={"dag_id": dag_id, "started_by": dag.started_by},
        )
    if context.bridges(dag_id):
        yield Events(dag_id, "after_start")
    if stopped_runs:
        yield RunAgain(dag_id, tuple(stopped_runs))
    again = (
        f" {len(stopped_runs)} stopped run{'' if len(stopped_runs) == 1 else 's'} run again." if stopped_runs else ""
    )
    return {
        "dag_id": dag_id,
        "was_live": not is_new,
        "unpaused_at": to_text(context.clock.now()),
        "last_source_interval": texts(state.last_interval),
        "expected_interval": texts(dag.next_interval),
        **(describe_missed(verdict.missed) if is_new else {}),
        "run_again": list(stopped_runs),
        "summary": f"Live in the target; next interval {show(dag.next_interval)}."
        f"{again}{_gap(verdict) if is_new else ''}",
    }


def _not_startable(context: CutoverContext, dag_id: str, view: View) -> AerodromeError | None:
    """Judge by a view of this very moment whether the target may run the DAG; None: it may."""
    try:
        state = _quiet(context, dag_id, view)
        dag = target_dag(context, dag_id, view)
        verdict = judge(context, dag_id, view)
        if not verdict.is_agreed or dag.newest != state.last_interval:
            raise mismatch(dag_id, state, dag, verdict)
    except AerodromeError as error:
        return error
    return None


def judge(context: CutoverContext, dag_id: str, view: View) -> Verdict:
    """Compare the two sides' next intervals at this moment, by the target's clock: the target is who goes on."""
    assert view.source is not None  # noqa: S101 - both were read and checked before
    assert view.target is not None  # noqa: S101
    return compare_with(context, dag_id, view.source, view.target.next_interval, view.now)


def compare_with(
    context: CutoverContext, dag_id: str, state: DagState, target_next: Interval | None, now: datetime | None = None
) -> Verdict:
    """Compare an interval of the target with what the source stands at."""
    record = context.dags[dag_id]
    source_next = state.next_interval
    if record.schedule_kind == "continuous":  # its interval ends when the run starts: only the beginning can agree
        source_next = (source_next[0], source_next[0]) if source_next else None
        target_next = (target_next[0], target_next[0]) if target_next else None
    return compare(
        catchup=context.catches_up(dag_id),
        calendar=calendar_of(record),
        last=state.last_interval,
        source_next=source_next,
        target_next=target_next,
        now=now or context.clock.now(),
    )


def mismatch(dag_id: str, state: DagState, dag: TargetDag, verdict: Verdict) -> Broken:
    """Make the error that shows both sides."""
    details: Mapping[str, Any] = {
        "dag_id": dag_id,
        "source_last_interval": texts(state.last_interval),
        "target_last_interval": texts(dag.newest),
        "source_next_interval": texts(state.next_interval),
        "target_next_interval": texts(dag.next_interval),
    }
    reason = verdict.reason if not verdict.is_agreed else "The newest scheduled run is not the same."
    return Broken(
        f"{dag_id}: {reason} Source: last {show(state.last_interval)}, next {show(state.next_interval)}. "
        f"Target: last {show(dag.newest)}, next {show(dag.next_interval)}.",
        code="interval-mismatch",
        hint="Nothing was started. Repeat the cutover to sync again, or roll this DAG back.",
        details=dict(details),
    )


def _gap(verdict: Verdict) -> str:
    """Say honestly what nobody runs: the DAG was held over its fire time and its schedule does not catch up."""
    if not verdict.missed:
        return ""
    first, last = verdict.missed[0], verdict.missed[-1]
    count = len(verdict.missed)
    return (
        f" {count} interval{'' if count == 1 else 's'} passed while it was held and will not run by schedule"
        f" (from {to_text(first[0])} to {to_text(last[1])}); backfill them in the target if they are needed."
    )
