"""The last act: watch the first run in the target."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aerodrome.airflowkit.rest import RestRun
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Broken, Unavailable
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.expectation import describe_missed, show, texts
from aerodrome.migration.cutover.handover import compare_with
from aerodrome.migration.cutover.holding import target_dag
from aerodrome.migration.cutover.target import first_scheduled_after
from aerodrome.migration.sources.contract import DagState


def watch(context: CutoverContext, dag_id: str, *, limit_s: float) -> dict[str, Any]:
    """Await the first scheduled run of the target: the interval that must come next, and success.

    A DAG without a schedule of its own has nothing to wait for (`first_target_state` "none"); one whose next run is
    due later than `limit_s` from now is not waited for ("not-due"). Broken `first-run-failed` when it fails, Broken
    `first-run-unexpected` for another interval, Unavailable `first-run-late` when it is not there in time.
    """
    began_at = context.clock.now()
    while True:
        state = context.held(dag_id)
        dag = target_dag(context, dag_id)
        now = context.clock.now()
        run = first_scheduled_after(context.target, dag_id, state.last_interval)
        if run is not None and run.is_finished:
            return _judged(context, dag_id, state, run, began_at)
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
            context.progress(f"waiting for the run that is due at {to_text(due_at)}")
        else:
            context.progress(f"the run {run.run_id} is {run.state}")
        if now - max(began_at, _due(run, began_at)) >= timedelta(seconds=limit_s):
            what = f"is {run.state}" if run else "has not started"
            raise Unavailable(
                f"The first run of {dag_id} in the target {what} after {limit_s:.0f} s.",
                code="first-run-late",
                hint="Look at the target's scheduler and at the DAG's log; then repeat the cutover: it watches on.",
                details={"dag_id": dag_id, "run_id": run.run_id if run else None},
            )
        context.sleep(context.poll_s)


def _due(run: RestRun | None, otherwise: datetime) -> datetime:
    return run.run_after if run and run.run_after else otherwise


def _judged(context: CutoverContext, dag_id: str, state: DagState, run: RestRun, began_at: datetime) -> dict[str, Any]:
    verdict = compare_with(context, dag_id, state, run.interval)
    seconds = (context.clock.now() - began_at).total_seconds()
    result = {
        "dag_id": dag_id,
        "last_source_interval": texts(state.last_interval),
        "first_target_interval": texts(run.interval),
        "first_target_state": run.state,
        "first_target_run_id": run.run_id,
        "seconds": round(seconds, 1),
        **describe_missed(verdict.missed),
        "summary": f"First run {run.state}: {show(run.interval)}.",
    }
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
