"""The last act: watch the first run in the target, and see that nothing between the sides was left out."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Broken, Conflict, Unavailable
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.expectation import MAX_MISSED, describe_missed, show, texts
from aerodrome.migration.cutover.handover import compare_with
from aerodrome.migration.cutover.holding import target_dag
from aerodrome.migration.cutover.requests import Act, Backfill, Look, Request, Runs, RunStates, Sleep, View
from aerodrome.migration.cutover.target import TargetRun
from aerodrome.migration.estate.calendars import Interval, between, calendar_of
from aerodrome.migration.sources.contract import DagState

WATCH_POLL_S = 15.0
SLOW = 2.0
"""A first run that took this many times the source's 95th percentile is called slow."""
LATE_S = 60.0
"""A first run that the target made this long after it was due is called late."""


def watch(context: CutoverContext, dag_id: str, *, limit_s: float, missed: str = "report") -> Act:
    """Await the first scheduled run of the target: the interval that must come next, and success.

    A DAG without a schedule of its own has nothing to wait for (`first_target_state` "none"); one whose next run is
    due later than `limit_s` from now is not waited for ("not-due"). Intervals that passed while a DAG without catchup
    was held are reported, or with `missed` "backfill" run in the target and awaited as well.

    Broken `first-run-failed` when it fails, Broken `first-run-unexpected` for another interval, Unavailable
    `first-run-late` or `backfill-late` when something is not there in time.
    """
    began_at = context.clock.now()
    while True:
        view: View = yield Look(dag_id)
        state = context.held(dag_id, view)
        dag = target_dag(context, dag_id, view)
        now = context.clock.now()
        runs: list[TargetRun] = yield Runs(dag_id, state.last_interval)
        run = runs[0] if runs else None
        if run is not None and run.is_finished:
            result = _judged(context, dag_id, state, run, began_at)
            lost = gaps(context, dag_id, state.last_interval, runs)
            result |= describe_missed(lost)
            if lost and missed == "backfill":
                yield from _fill(context, dag_id, lost, limit_s)
                result["summary"] += f" {len(lost)} missed interval{'' if len(lost) == 1 else 's'} backfilled."
            return result | {"backfilled_count": len(lost) if missed == "backfill" else 0}
        if run is None:
            if dag.next_interval is None and dag.next_run_after is None:
                return _nothing(dag_id, state, "none", "It has no schedule of its own; there is nothing to wait for.")
            due_at = dag.next_run_after or now
            if due_at - now > timedelta(seconds=limit_s):
                text = f"Its first run is due at {to_text(due_at)}; look again after that."
                return _nothing(dag_id, state, "not-due", text) | {
                    "first_target_interval": texts(dag.next_interval),
                    "due_at": to_text(due_at),
                }
            text = f"waiting for the run that is due at {to_text(due_at)}"
        else:
            due_at = run.run_after or began_at
            text = f"the run {run.run_id} is {run.state}"
        if now - max(began_at, due_at) >= timedelta(seconds=limit_s):
            what = f"is {run.state}" if run else "has not started"
            raise Unavailable(
                f"The first run of {dag_id} in the target {what} after {limit_s:.0f} s.",
                code="first-run-late",
                hint="Look at the target's scheduler and at the DAG's log; then repeat the cutover: it watches on.",
                details={"dag_id": dag_id, "run_id": run.run_id if run else None},
            )
        # What is due in an hour need not be asked for every second.
        yield Sleep(min(max(context.poll_s, (due_at - now).total_seconds() / 4), WATCH_POLL_S), text)


def gaps(
    context: CutoverContext, dag_id: str, last: Interval | None, runs: Sequence[TargetRun]
) -> tuple[Interval, ...]:
    """Give the intervals of the schedule that lie between the source's last and the target's newest run, run by nobody."""
    calendar = calendar_of(context.dags[dag_id])
    if calendar is None or last is None:
        return ()
    chain = [last, *(run.interval for run in runs if run.interval)]
    return tuple(
        islice((lost for before, later in pairwise(chain) for lost in between(calendar, before, later)), MAX_MISSED)
    )


def _fill(
    context: CutoverContext, dag_id: str, lost: Sequence[Interval], limit_s: float
) -> Generator[Request, Any, None]:
    """Have the lost intervals run in the target. A run that stands there already, from an earlier try, is not repeated."""
    deadline = context.clock.now() + timedelta(seconds=limit_s)
    wanted = frozenset(interval[0] for interval in lost)
    is_asked = False
    while True:
        states: dict[datetime, str] = yield RunStates(dag_id, wanted)
        if failed := sorted(moment for moment, state in states.items() if state == "failed"):
            raise Broken(
                f"{len(failed)} backfilled runs of {dag_id} failed in the target.",
                code="backfill-failed",
                hint="Read their logs in the target's Airflow. Clear them once mended; the cutover then watches on.",
                details={"dag_id": dag_id, "failed": [to_text(moment) for moment in failed]},
            )
        if len(states) == len(wanted) and set(states.values()) == {"success"}:
            return
        absent = wanted - set(states)
        text = f"backfilling {len(wanted)} missed intervals"
        if absent and not is_asked:
            try:
                yield Backfill(dag_id, min(absent), max(absent))
            except Conflict:
                text = "another backfill goes on"
            else:
                is_asked = True
        if context.clock.now() >= deadline:
            raise Unavailable(
                f"The backfill of {len(wanted)} intervals of {dag_id} is not done after {limit_s:.0f} s.",
                code="backfill-late",
                hint="Repeat the cutover: it watches on.",
                details={"dag_id": dag_id},
            )
        yield Sleep(context.poll_s, text)


def _judged(
    context: CutoverContext, dag_id: str, state: DagState, run: TargetRun, began_at: datetime
) -> dict[str, Any]:
    verdict = compare_with(context, dag_id, state, run.interval)
    seconds = (context.clock.now() - began_at).total_seconds()
    result: dict[str, Any] = {
        "dag_id": dag_id,
        "last_source_interval": texts(state.last_interval),
        "first_target_interval": texts(run.interval),
        "first_target_state": run.state,
        "first_target_run_id": run.run_id,
        "seconds": round(seconds, 1),
        "summary": f"First run {run.state}: {show(run.interval)}.",
        **_timing(context, dag_id, run),
    }
    result["summary"] += "".join(f" {remark}" for remark in result["remarks"])
    if not verdict.is_agreed:
        raise Broken(
            f"The first run of {dag_id} in the target has another interval than expected. {verdict.reason}",
            code="first-run-unexpected",
            hint="Pause the DAG in the target and compare the intervals shown before anything else runs.",
            details={**result, "source_next_interval": texts(state.next_interval)},
        )
    if run.state == "failed":
        raise Broken(
            f"The first run of {dag_id} in the target failed.",
            code="first-run-failed",
            hint="Read its log in the target's Airflow. Clear it once mended; the cutover then watches on.",
            details=result,
        )
    return result


def _timing(context: CutoverContext, dag_id: str, run: TargetRun) -> dict[str, Any]:
    """Compare when the run was made and how long it took with what the source is used to; remarks are sentences."""
    usual_s = context.dags[dag_id].duration_p95_s
    made_at = run.queued_at or run.started_at
    late_s = (made_at - run.run_after).total_seconds() if made_at and run.run_after else None
    run_s = (run.ended_at - run.started_at).total_seconds() if run.ended_at and run.started_at else None
    remarks = []
    if late_s is not None and late_s > LATE_S:
        remarks.append(f"It was made {late_s:.0f} s after it was due.")
    if run_s is not None and usual_s and run_s > SLOW * usual_s and run_s > LATE_S:
        remarks.append(f"It took {run_s:.0f} s; in the source 95 % of the runs took at most {usual_s:.0f} s.")
    return {
        "late_s": late_s and round(late_s, 1),
        "run_s": run_s and round(run_s, 1),
        "usual_p95_s": usual_s,
        "remarks": remarks,
    }


def _nothing(dag_id: str, state: DagState, word: str, text: str) -> dict[str, Any]:
    return {
        "dag_id": dag_id,
        "last_source_interval": texts(state.last_interval),
        "first_target_interval": None,
        "first_target_state": word,
        "message": text,
        "summary": text,
        "seconds": 0.0,
    }
