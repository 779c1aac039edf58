"""The acts between the sides: sync the last history, prove the next interval, start the target."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from aerodrome.airflowkit.rest import RestDag
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Broken, Conflict, Unavailable
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.expectation import Verdict, compare, describe_missed, show, texts
from aerodrome.migration.cutover.holding import target_dag, what_runs
from aerodrome.migration.cutover.target import newest_scheduled
from aerodrome.migration.estate.calendars import Interval, calendar_of
from aerodrome.migration.sources.contract import DagState

SYNC_ROUNDS = 3


def sync(context: CutoverContext, dag_id: str) -> dict[str, Any]:
    """Move every finished run that the target lacks. The source is read again afterwards: nothing may have moved."""
    before = _quiet(context, dag_id)
    for _ in range(SYNC_ROUNDS):
        moved = context.sync(dag_id)
        state = _quiet(context, dag_id)
        if (state.last_interval, state.last_run_state) == (before.last_interval, before.last_run_state):
            return {
                "dag_id": dag_id,
                "synced_at": to_text(context.clock.now()),
                "last_source_interval": texts(state.last_interval),
                **moved,
            }
        before = state
    raise Conflict(
        f"The source keeps adding runs of {dag_id} although it is paused.",
        code="source-keeps-moving",
        hint="See who triggers it there, then repeat the cutover.",
        details={"dag_id": dag_id},
    )


def _quiet(context: CutoverContext, dag_id: str) -> DagState:
    state = context.held(dag_id)
    if state.in_flight:
        raise Conflict(
            f"The source started work of {dag_id} after it was drained: {what_runs(state)}.",
            code="source-not-drained",
            hint="Somebody triggered it by hand. Repeat the cutover: it waits until that has ended.",
            details={"dag_id": dag_id, "in_flight": dict(state.in_flight)},
        )
    return state


def prove(
    context: CutoverContext, dag_id: str, *, limit_s: float, parsed_after: datetime | None = None
) -> dict[str, Any]:
    """Prove that both sides stand at the same run and go on with the same interval.

    Waits until the target has parsed the DAG after `parsed_after` (the end of sync; now when not given), because each
    parse computes the next interval anew. Broken `interval-mismatch` shows both sides.
    """
    began_at = context.clock.now()
    parsed_after = parsed_after or began_at
    context.target.ask_to_parse(dag_id)
    while True:
        state = _quiet(context, dag_id)
        dag = target_dag(context, dag_id)
        now = context.clock.now()
        newest = newest_scheduled(context.target, dag_id)
        verdict = judge(context, dag_id, state, dag)
        is_fresh = dag.parsed_at is not None and dag.parsed_at > parsed_after
        if is_fresh and verdict.is_agreed and newest == state.last_interval:
            return {
                "dag_id": dag_id,
                "last_source_interval": texts(state.last_interval),
                "source_next_interval": texts(state.next_interval),
                "next_interval": texts(dag.next_interval),
                "reason": verdict.reason,
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
            raise mismatch(dag_id, state, dag, newest, verdict)
        context.progress("waiting until the target has parsed the DAG again" if not is_fresh else verdict.reason)
        context.sleep(context.poll_s)


def unpause(context: CutoverContext, dag_id: str) -> dict[str, Any]:
    """Start the DAG in the target. Every check comes before the one irreversible line; repeating recognises it."""
    state = _quiet(context, dag_id)
    dag = target_dag(context, dag_id)
    verdict = judge(context, dag_id, state, dag)
    is_new = dag.is_paused
    if is_new:
        newest = newest_scheduled(context.target, dag_id)
        if not verdict.is_agreed or newest != state.last_interval:
            raise mismatch(dag_id, state, dag, newest, verdict)
        context.target.set_paused(dag_id, is_paused=False)  # irreversible: from here on the target may run it
    dag = target_dag(context, dag_id)
    if dag.is_paused:
        raise Unavailable(
            f"The target still shows {dag_id} as paused.",
            code="target-still-paused",
            hint="The cutover tries again; look at the target's API server if it stays so.",
            details={"dag_id": dag_id},
        )
    return {
        "dag_id": dag_id,
        "was_live": not is_new,
        "unpaused_at": to_text(context.clock.now()),
        "last_source_interval": texts(state.last_interval),
        "expected_interval": texts(dag.next_interval),
        **(describe_missed(verdict.missed) if is_new else {}),
        "summary": f"Live in the target; next interval {show(dag.next_interval)}.{_gap(verdict) if is_new else ''}",
    }


def judge(context: CutoverContext, dag_id: str, state: DagState, dag: RestDag) -> Verdict:
    """Compare the two sides' next intervals at this moment."""
    return compare_with(context, dag_id, state, dag.next_interval)


def compare_with(context: CutoverContext, dag_id: str, state: DagState, target_next: Interval | None) -> Verdict:
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
        now=context.clock.now(),
    )


def mismatch(dag_id: str, state: DagState, dag: RestDag, newest: Interval | None, verdict: Verdict) -> Broken:
    """Make the error that shows both sides."""
    details: Mapping[str, Any] = {
        "dag_id": dag_id,
        "source_last_interval": texts(state.last_interval),
        "target_last_interval": texts(newest),
        "source_next_interval": texts(state.next_interval),
        "target_next_interval": texts(dag.next_interval),
    }
    reason = verdict.reason if not verdict.is_agreed else "The newest scheduled run is not the same."
    return Broken(
        f"{dag_id}: {reason} Source: last {show(state.last_interval)}, next {show(state.next_interval)}. "
        f"Target: last {show(newest)}, next {show(dag.next_interval)}.",
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
