"""What of Airflow itself opens the metadata database when a task calls it: functions, its local client, and methods of its models. They are found."""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.contract import Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules.database_models import WAYS, model_of
from aerodrome.migration.codemod.rules.receivers import values_of_name
from aerodrome.migration.codemod.source import Source

_TRIGGER = "Use TriggerDagRunOperator, or POST /api/v2/dags/{dag_id}/dagRuns."
_CLIENT = f"{_TRIGGER} For pools and DAGs, too, the REST API is the way."
_MARK = "PATCH /api/v2/dags/{dag_id}/dagRuns/{run_id}, or …/taskInstances/{task_id}."
_FUNCTIONS = {
    "airflow.api.common.trigger_dag.trigger_dag": _TRIGGER,
    "airflow.api.common.experimental.trigger_dag.trigger_dag": _TRIGGER,
    "airflow.api.common.delete_dag.delete_dag": "DELETE /api/v2/dags/{dag_id}.",
    "airflow.api.common.experimental.delete_dag.delete_dag": "DELETE /api/v2/dags/{dag_id}.",
    "airflow.api.client.get_current_api_client": _CLIENT,
    "airflow.api.client.local_client.Client": _CLIENT,
    "airflow.api.common.experimental.get_task_instance.get_task_instance": WAYS["TaskInstance"],
    "airflow.api.common.experimental.get_dag_runs.get_dag_runs": WAYS["DagRun"],
    "airflow.api.common.experimental.get_dag_run_state.get_dag_run_state": WAYS["DagRun"],
    **{f"airflow.api.common.experimental.pool.{name}": WAYS["Pool"] for name in ("get_pool", "get_pools", "create_pool", "delete_pool")},
    **{
        f"airflow.api.common.{module}.{name}": _MARK
        for module in ("mark_tasks", "experimental.mark_tasks")
        for name in ("set_state", "set_dag_run_state_to_success", "set_dag_run_state_to_failed", "set_dag_run_state_to_running", "set_dag_run_state_to_queued")
    },
}  # fmt: skip
"""Functions of Airflow's own that open the database, of 1.10.15, 2.11.2 and 3.3.2, with what takes their place."""
_OF_POOLS = ("create_or_update_pool", "delete_pool", "slots_stats", "get_default_pool", "open_slots", "occupied_slots")
_BAGS = frozenset(f"airflow.{name}.DagBag" for name in ("models", "models.dagbag", "dag_processing.dagbag"))
_DATED = 2  # a task and a date


def opening(source: Source, call: ast.Call) -> Spot | None:
    """Look at a call of one of them."""
    func = call.func
    if way := next((_FUNCTIONS[name] for name in source.meanings(func) if name in _FUNCTIONS), ""):
        return _opening(call, source.code(func), way)
    if model_of(source, func) == "TaskInstance" and (keyword(call, "execution_date") or len(call.args) == _DATED):
        return _opening(call, "TaskInstance(…)", WAYS["TaskInstance"])
    if not isinstance(func, ast.Attribute):
        return None
    model = model_of(source, func.value)
    if model == "Pool" and func.attr in _OF_POOLS:
        return _opening(call, f"Pool.{func.attr}", WAYS["Pool"])
    is_of_rows = keyword(call, "key") is None and not any(item.arg is None for item in call.keywords)
    if model == "XCom" and func.attr == "delete" and is_of_rows:
        return Spot(
            call.lineno,
            "`XCom.delete` of Airflow 3's tasks takes other arguments: key, task_id, dag_id and run_id.",
            WAYS["XCom"],
        )
    return None


def _opening(call: ast.Call, name: str, way: str) -> Spot:
    return Spot(call.lineno, f"`{name}` opens the metadata database, which tasks of Airflow 3 may not reach.", way)


def is_of_bag(source: Source, node: ast.expr) -> bool:
    """Tell whether an expression is `DagBag(…).get_dag(…)`, or a name for it."""
    node = _value(source, node)
    func = node.func if isinstance(node, ast.Call) else None
    if not isinstance(func, ast.Attribute) or func.attr != "get_dag":
        return False
    bag = _value(source, func.value)
    return isinstance(bag, ast.Call) and source.means(bag.func, _BAGS)


def _value(source: Source, node: ast.expr) -> ast.expr:
    values = values_of_name(source, node) if isinstance(node, ast.Name) else []
    return values[0] if len(values) == 1 and values[0] is not None else node
