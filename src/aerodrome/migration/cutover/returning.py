"""The way back: the source runs the DAG again, as long as the target has not run anything of its own."""

from __future__ import annotations

from itertools import islice
from typing import Any

from aerodrome.airflowkit.rest import RestRun
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.errors import Conflict
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.cutover.expectation import texts
from aerodrome.migration.estate.history import RUN_COLUMNS, HistoryWindow

RUNS_LOOKED_AT = 1000


def check_return(context: CutoverContext, dag_id: str) -> dict[str, Any]:
    """Refuse with Conflict `target-has-runs` when the target has run the DAG by itself. Changes nothing."""
    _refuse_when_it_ran(context, dag_id)
    state = context.state(dag_id)
    return {
        "dag_id": dag_id,
        "is_paused_in_source": state.is_paused,
        "is_ours": state.is_paused and state.mark == context.mark,
        "summary": "The target has run nothing of its own.",
    }


def roll_back(context: CutoverContext, dag_id: str) -> dict[str, Any]:
    """Pause the DAG in the target, then undo our pause in the source. Repeating changes nothing.

    Conflict `target-has-runs` lists the runs that only the target has; then nothing is changed, because the source
    would run those intervals a second time.
    """
    _refuse_when_it_ran(context, dag_id)
    dag = context.target.dag(dag_id)
    if dag is not None and not dag.is_paused:
        context.target.set_paused(dag_id, is_paused=True)
        try:
            _refuse_when_it_ran(context, dag_id)
        except Conflict:
            context.target.set_paused(dag_id, is_paused=False)  # it ran just now: it stays with the target
            raise
    state = context.state(dag_id)
    if state.is_paused and state.mark == context.mark:
        context.source.unpause_dag(dag_id, context.mark)
        state = context.state(dag_id)
    return {
        "dag_id": dag_id,
        "rolled_back_at": to_text(context.clock.now()),
        "is_paused_in_source": state.is_paused,
        "source_next_interval": texts(state.next_interval),
        "summary": "The source runs it again." if not state.is_paused else "It is paused on both sides, as before.",
    }


def own_runs(context: CutoverContext, dag_id: str) -> list[RestRun]:
    """Give the target's runs that did not come from the source, newest first."""
    if context.target.dag(dag_id) is None:
        return []
    runs = list(islice(context.target.dag_runs(dag_id), RUNS_LOOKED_AT))
    if not runs:
        return []
    position = RUN_COLUMNS.index("run_id")
    known = {row[position] for batch in context.source.history("run", HistoryWindow((dag_id,))) for row in batch.rows}
    return [run for run in runs if run.run_id not in known]


def _refuse_when_it_ran(context: CutoverContext, dag_id: str) -> None:
    runs = own_runs(context, dag_id)
    if not runs:
        return
    shown = ", ".join(run.run_id for run in runs[:5]) + (", …" if len(runs) > 5 else "")
    raise Conflict(
        f"The target has run {dag_id} already: {shown}.",
        code="target-has-runs",
        hint="The source would run the same intervals again. Go on in the target, or delete those runs there first.",
        details={"dag_id": dag_id, "runs": [run.run_id for run in runs]},
    )
