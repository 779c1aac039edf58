"""DAGs that other ones order: a run that is made for a paused DAG waits until somebody unpauses it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Account, Dag


def awake(dags: Sequence[Dag]) -> list[Dag]:
    """Let DAGs without a schedule that others order start unpaused: they make no runs of their own. Those with one say that they sleep."""
    callers: dict[str, dict[str, None]] = defaultdict(dict)
    for dag in dags:
        for task in dag.tasks:
            if task.operator is symbols.TRIGGER_DAG:
                callers[str(dict(task.arguments)["trigger_dag_id"])][dag.dag_id] = None
    return [_woken(dag, callers[dag.dag_id]) if dag.dag_id in callers else dag for dag in dags]


def _woken(dag: Dag, callers: dict[str, None]) -> Dag:
    if dag.schedule.expression is None:
        return replace(dag, is_paused=False)
    text = f"It has a schedule of its own, so it is created paused where the site has it so: what {', '.join(callers)} order then waits for somebody to unpause it."
    return replace(dag, accounts=(*dag.accounts, Account("FOLDER", "caveat", dag.origin, "force-paused", text)))
