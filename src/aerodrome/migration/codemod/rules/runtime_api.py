"""What running tasks and DAG files ask of a task instance, a DAG run, a DAG, a hook or a variable, and Airflow 3 does not have any more.

The file still parses, so no proof shows it. The tables are the members that the classes of 1.10.15 and 2.11.2 have and those which tasks
of 3.3.2 see do not (airflow.sdk: RuntimeTaskInstance, the generated DagRun, DAG, BaseHook, Variable), as far as code uses them.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.database_functions import is_of_bag
from aerodrome.migration.codemod.rules.tasks import context_value
from aerodrome.migration.codemod.source import Source

_REST = "Ask the REST API: GET /api/v2/dags/{dag_id}/"
_PREVIOUS = (
    "Use ti.get_previous_ti(state=…) or ti.get_previous_dagrun(state=…), or the context's prev_start_date_success."
)
_GONE: dict[str, dict[str, str]] = {
    "ti": {
        "current_state": "Use ti.state, or ti.get_task_states(…) for another task.",
        "duration": "Subtract ti.start_date from ti.end_date; a task that runs has no end yet.",
        "get_previous_execution_date": _PREVIOUS,
        "get_previous_start_date": _PREVIOUS,
        "previous_execution_date_success": _PREVIOUS,
        "previous_start_date_success": _PREVIOUS,
        "previous_ti": _PREVIOUS,
        "previous_ti_success": _PREVIOUS,
        "log_filepath": "Use ti.log_url.",
        "job_id": "Use ti.id.",
        "key": "Use ti.dag_id, ti.task_id, ti.run_id, ti.map_index.",
        "refresh_from_db": "A task's state is what it was told at its start; use ti.get_task_states(…) to ask again.",
        "set_state": "Raise AirflowSkipException or AirflowFailException, or PATCH the task instance through the REST API.",
        "clear_xcom_data": "XComs of a try are cleared when it begins; push None to hide one.",
        "next_retry_datetime": "Compute it from ti.try_number and task.retry_delay.",
    },
    "dag_run": {
        "get_task_instances": "Use ti.get_task_states(dag_id=…, run_ids=[…]).",
        "get_previous_dagrun": "Use ti.get_previous_dagrun(state=…).",
        "get_previous_scheduled_dagrun": "Use ti.get_previous_dagrun(state=…).",
        "get_state": "Use dag_run.state.",
        "set_state": _REST + "dagRuns/{run_id}, by PATCH.",
        "refresh_from_db": "Use ti.get_dagrun_state(dag_id=…, run_id=…).",
        "get_dag": "Use the context's `dag`.",
        "dag": "Use the context's `dag`.",
        "is_backfill": "Compare dag_run.run_type with `backfill`.",
    },
    "dag": {
        "get_last_dagrun": _REST + "dagRuns?order_by=-run_after&limit=1.",
        "get_active_runs": "Use ti.get_dr_count(dag_id=…, states=['running']).",
        "get_num_active_runs": "Use ti.get_dr_count(dag_id=…, states=['running']).",
        "get_dagrun": "Use ti.get_dagrun_state(dag_id=…, run_id=…).",
        "get_task_instances": "Use ti.get_task_states(dag_id=…).",
        "latest_execution_date": _REST + "dagRuns?order_by=-run_after&limit=1.",
        "get_latest_execution_date": _REST + "dagRuns?order_by=-run_after&limit=1.",
        "get_run_dates": "Ask the DAG's timetable.",
        "following_schedule": "Ask the DAG's timetable, or use the context's data_interval_end.",
        "previous_schedule": "Ask the DAG's timetable, or use the context's data_interval_start.",
        "normalize_schedule": "Ask the DAG's timetable.",
        "normalized_schedule_interval": "Ask the DAG's timetable.",
        "schedule_interval": "Use dag.schedule (what the file gave), or the DAG's timetable.",
        "is_paused": _REST[:-1] + ".",
        "get_is_paused": _REST[:-1] + ".",
        "create_dagrun": "Use TriggerDagRunOperator, or POST /api/v2/dags/{dag_id}/dagRuns.",
        "clear": "POST /api/v2/dags/{dag_id}/clearTaskInstances.",
        "run": "Use dag.test(), or `airflow backfill create`.",
        "sub_dag": "Use dag.partial_subset(…).",
        "subdags": "There are no SubDags any more: look at dag.task_group.",
        "parent_dag": "There are no SubDags any more: look at dag.task_group.",
        "is_subdag": "There are no SubDags any more.",
        "sync_to_db": "DAGs are stored by the DAG processor only.",
        "full_filepath": "Use dag.fileloc.",
        "filepath": "Use dag.fileloc.",
        "tree_view": "Use `airflow dags show`.",
    },
}  # fmt: skip
_RENAMED = {"dag": {"concurrency": "max_active_tasks", "full_filepath": "fileloc"}, "ti": {}, "dag_run": {}}
_OF_TASK = {"operator": "task_type", "pool": "pool"}
"""Attributes of a task instance that its task has."""
_OF_CLASSES = {
    "airflow.hooks.base.BaseHook.get_connections": "A connection has one definition: use get_connection(conn_id).",
    "airflow.hooks.base_hook.BaseHook.get_connections": "A connection has one definition: use get_connection(conn_id).",
    "airflow.sdk.BaseHook.get_connections": "A connection has one definition: use get_connection(conn_id).",
    "airflow.models.Variable.setdefault": "Use Variable.get(key, default=…), then Variable.set where it was missing.",
    "airflow.models.variable.Variable.setdefault": "Use Variable.get(key, default=…), then Variable.set where it was missing.",
    "airflow.sdk.Variable.setdefault": "Use Variable.get(key, default=…), then Variable.set where it was missing.",
    "airflow.models.Variable.update": "Use Variable.set.",
    "airflow.models.variable.Variable.update": "Use Variable.set.",
    "airflow.sdk.Variable.update": "Use Variable.set.",
}  # fmt: skip
_NAMES = frozenset().union(
    *_GONE.values(), *_RENAMED.values(), _OF_TASK, (name.rpartition(".")[2] for name in _OF_CLASSES)
)
_TITLES = {"ti": "A task instance", "dag_run": "A DAG run", "dag": "A DAG"}


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.Attribute):
        if node.attr not in _NAMES or not isinstance(node.ctx, ast.Load):
            continue
        if hint := next((_OF_CLASSES[name] for name in source.meanings(node) if name in _OF_CLASSES), ""):
            yield Spot(node.lineno, f"`{source.code(node)}` is gone in Airflow 3.", hint)
            continue
        kind = _kind(source, node.value)
        if kind is None:
            continue
        if new := _RENAMED[kind].get(node.attr):
            yield Change((_name(source, node, new),))
        elif kind == "ti" and node.attr in _OF_TASK:
            yield Change((_name(source, node, f"task.{_OF_TASK[node.attr]}"),))
        elif hint := _GONE[kind].get(node.attr, ""):
            yield Spot(node.lineno, f"{_TITLES[kind]} has no `{node.attr}` in Airflow 3's tasks.", hint)


def _name(source: Source, node: ast.Attribute, new: str) -> Edit:
    end = source.end(node)
    return Edit(end - len(node.attr.encode()), end, new)


def _kind(source: Source, node: ast.expr) -> str | None:
    """Tell what an expression is: by the context that a task was given, by the name of its parameter, or by the DAG that the file makes."""
    key = context_value(source, node) or _of_callback(source, node)
    if key in ("ti", "task_instance"):
        return "ti"
    if key in ("dag_run", "dag"):
        return key
    if is_of_bag(source, node):
        return "dag"
    if isinstance(node, ast.Name):
        made = dags.constant(source, node)
        if isinstance(made, ast.Call) and source.means(made.func, dags.ANY):
            return "dag"
        if any(
            isinstance(item.optional_vars, ast.Name)
            and item.optional_vars.id == node.id
            and isinstance(item.context_expr, ast.Call)
            and source.means(item.context_expr.func, dags.ANY)
            for with_ in source.each(ast.With)
            for item in with_.items
        ):
            return "dag"
    return None


def _of_callback(source: Source, node: ast.expr) -> str:
    """Give the key of `context["ti"]` or `context.get("ti")` in a function that is some on_…_callback of the file."""
    if isinstance(node, ast.Subscript):
        owner, key = node.value, node.slice
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and node.args:
        owner, key = node.func.value, node.args[0]
    else:
        return ""
    if not isinstance(owner, ast.Name) or not isinstance(key, ast.Constant) or not isinstance(key.value, str):
        return ""
    parent: ast.AST = node
    while not isinstance(parent, ast.FunctionDef):
        if parent not in source.parents:
            return ""
        parent = source.parents[parent]
    given = [arg.arg for arg in parent.args.args]
    return key.value if given[:1] == [owner.id] and parent.name in _callbacks(source) else ""


def _callbacks(source: Source) -> set[str]:
    named = [(str(item.arg), item.value) for item in source.each(ast.keyword)]
    for mapping in source.each(ast.Dict):
        named += [
            (str(getattr(key, "value", "")), value) for key, value in zip(mapping.keys, mapping.values, strict=True)
        ]
    found: set[str] = set()
    for name, value in named:
        if name.startswith("on_") and name.endswith("_callback"):
            items = value.elts if isinstance(value, ast.List) else [value]
            found |= {item.id for item in items if isinstance(item, ast.Name)}
    return found


RULE = Rule(
    code="runtime-api",
    title="What tasks ask of a task instance, a DAG run or a DAG has the name of Airflow 3, or is found",
    words=tuple(sorted(name.encode() for name in _NAMES)),
    before="""
from airflow.decorators import task


@task
def tell(ti=None, dag=None):
    print(ti.operator, ti.pool, dag.concurrency)
""",
    after="""
from airflow.decorators import task


@task
def tell(ti=None, dag=None):
    print(ti.task.task_type, ti.task.pool, dag.max_active_tasks)
""",
    find=_find,
)
