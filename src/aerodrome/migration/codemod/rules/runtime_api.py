"""What running tasks, callbacks and DAG files ask of a task instance, a DAG run, a DAG, a task, a hook or a variable, and Airflow 3 does not have any more.

The file still parses, so no proof shows it. What is gone says the table of `runtime`; here stands what takes its place. The run of a task
instance is that of its context, which RuntimeTaskInstance.get_template_context() gives where the function was not handed it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.rules.database_functions import is_of_bag
from aerodrome.migration.codemod.rules.tasks import context_value, run_of
from aerodrome.migration.codemod.runtime import gone_attributes
from aerodrome.migration.codemod.source import Source

_REST = "Ask the REST API: GET /api/v2/dags/{dag_id}/"
_PREVIOUS = (
    "Use ti.get_previous_ti(state=…) or ti.get_previous_dagrun(state=…), or the context's prev_start_date_success."
)
_LOG = 'Use logging.getLogger("airflow.task").'
_XCOM = "Use ti.xcom_pull and ti.xcom_push of the context's `ti`."
_HINTS: dict[str, dict[str, str]] = {
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
        "dag_run": 'Use ti.get_template_context()["dag_run"], or ti.get_dagrun_state(dag_id=…, run_id=…) for its state now.',
        "get_dagrun": 'Use ti.get_template_context()["dag_run"], or ti.get_dagrun_state(dag_id=…, run_id=…) for its state now.',
        "error": "Raise AirflowFailException.",
        "get_num_running_task_instances": "Use ti.get_ti_count(dag_id=…, task_ids=[…], states=['running']).",
        "get_rendered_template_fields": "Templates of ti.task are rendered when it runs: read its fields.",
        "get_truncated_error_traceback": "Use the traceback of context['exception'].",
        "is_eligible_to_retry": "Compare ti.try_number with ti.max_tries.",
        "logger": _LOG,
        "next_try_number": "Use ti.try_number + 1.",
        "prev_attempted_tries": "Use ti.try_number.",
        "pid": "Use os.getpid() in the task.",
        "unixname": "Use getpass.getuser().",
        "test_mode": "Nothing says it: compare dag_run.run_type, or ask a variable of your own.",
        "priority_weight": "Use ti.task.priority_weight, which is its own weight without those of other tasks.",
        "run": "Use dag.test().",
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
        "get_task_instance": "Use ti.get_task_states(dag_id=…, task_ids=[…], run_ids=[…]).",
        "fetch_task_instance": "Use ti.get_task_states(dag_id=…, task_ids=[…], run_ids=[…]).",
        "fetch_task_instances": "Use ti.get_task_states(dag_id=…, run_ids=[…]).",
        "task_instances": "Use ti.get_task_states(dag_id=…, run_ids=[…]).",
        "id": "Use dag_run.run_id, with dag_run.dag_id.",
        "queued_at": _REST + "dagRuns/{run_id} has it.",
        "update_state": _REST + "dagRuns/{run_id}, by PATCH.",
        "external_trigger": "Compare dag_run.run_type with `manual` and `operator_triggered`.",
        "find": "Use ti.get_dr_count(dag_id=…, states=[…]), or " + _REST[0].lower() + _REST[1:] + "dagRuns.",
        "consumed_dataset_events": "Use the context's triggering_asset_events.",
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
        "fetch_dagrun": "Use ti.get_dagrun_state(dag_id=…, run_id=…).",
        "get_dagruns_between": _REST + "dagRuns?logical_date_gte=….",
        "get_is_active": _REST[:-1] + ".",
        "get_num_task_instances": "Use ti.get_ti_count(dag_id=…).",
        "set_dag_runs_state": _REST + "dagRuns/{run_id}, by PATCH.",
        "set_task_instance_state": _REST + "dagRuns/{run_id}/taskInstances/{task_id}, by PATCH.",
        "get_doc_md": "Use dag.doc_md.",
        "default_view": "The page of a DAG has one view.",
        "orientation": "The page of a DAG has one view.",
        "next_dagrun_info": "Ask the DAG's timetable.",
        "get_next_data_interval": "Ask the DAG's timetable.",
        "get_run_data_interval": "Use dag_run.data_interval_start and data_interval_end.",
        "infer_automated_data_interval": "Ask the DAG's timetable.",
        "log": _LOG,
        "logger": _LOG,
        "task_count": "Use len(dag.tasks).",
    },
    "task": {
        "xcom_pull": _XCOM,
        "xcom_push": _XCOM,
        "clear": "POST /api/v2/dags/{dag_id}/clearTaskInstances.",
        "run": "Use dag.test().",
        "get_task_instances": "Use ti.get_task_states(dag_id=…, task_ids=[…]).",
        "priority_weight_total": "Use task.priority_weight, which is its own weight without those of other tasks.",
        "logger": "Use task.log.",
        "sla": "SLAs are gone.",
        "schedule_interval": "Use task.dag.schedule (what the file gave), or the DAG's timetable.",
    },
}  # fmt: skip
_WRITTEN = "Airflow kept it in its database: ask the REST API, or take it out."
_RENAMED = {
    "dag": {"concurrency": "max_active_tasks", "full_filepath": "fileloc"},
    "ti": {},
    "dag_run": {"execution_date": "logical_date"},
    "task": {},
}
_OF_TASK = {
    **{name: name for name in ("pool", "pool_slots", "executor_config", "run_as_user", "task_display_name", "log")},
    "operator": "task_type",
    "operator_name": "operator_name",
}
"""Attributes of a task instance that its task has, and that Airflow took from there (2.11.2: TaskInstance.refresh_from_task)."""
_OF_RUN = {"logical_date": "logical_date", "execution_date": "logical_date"}
"""Attributes of a task instance that it took from its run."""
_NAMED = {("ti", "dag_run"): "dag_run", ("dag_run", "dag"): "dag"}
"""What a template has under a name of its own."""
_CHANGING = ("state", "end_date", "refresh_from_db", "update_state", "get_state")
"""What a run that was read anew told otherwise than that of the context, which is of the task's start."""
_OF_CLASSES = {
    "airflow.hooks.base.BaseHook.get_connections": "A connection has one definition: use get_connection(conn_id).",
    "airflow.hooks.base_hook.BaseHook.get_connections": "A connection has one definition: use get_connection(conn_id).",
    "airflow.sdk.BaseHook.get_connections": "A connection has one definition: use get_connection(conn_id).",
    "airflow.models.Variable.setdefault": "Use Variable.get(key, default=…), then Variable.set where it was missing.",
    "airflow.models.variable.Variable.setdefault": "Use Variable.get(key, default=…), then Variable.set where it was missing.",
    "airflow.sdk.Variable.setdefault": "Use Variable.get(key, default=…), then Variable.set where it was missing.",
    **{
        f"{name}.check_for_write_conflict": "It warned where a secrets backend has the variable, too: take it out."
        for name in ("airflow.models.Variable", "airflow.models.variable.Variable", "airflow.sdk.Variable")
    },
    "airflow.models.Variable.update": "Use Variable.set.",
    "airflow.models.variable.Variable.update": "Use Variable.set.",
    "airflow.sdk.Variable.update": "Use Variable.set.",
}  # fmt: skip
_NAMES = frozenset().union(
    *gone_attributes().values(), *_RENAMED.values(), (name.rpartition(".")[2] for name in _OF_CLASSES)
)
_TITLES = {"ti": "A task instance", "dag_run": "A DAG run", "dag": "A DAG", "task": "A task"}


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
        elif kind == "ti" and (change := _of_run(source, node)):
            yield change
        elif node.attr in gone_attributes()[kind] and not _is_told(node):
            hint = _HINTS[kind].get(node.attr, _WRITTEN)
            yield Spot(node.lineno, f"{_TITLES[kind]} has no `{node.attr}` in Airflow 3's tasks.", hint)


def _is_told(node: ast.Attribute) -> bool:
    """Tell whether the run that is asked stays `ti.dag_run`, which is found itself."""
    owner = node.value.func if isinstance(node.value, ast.Call) else node.value
    return node.attr in _CHANGING and getattr(owner, "attr", "") in ("dag_run", "get_dagrun")


def _of_run(source: Source, node: ast.Attribute) -> Change | None:
    """Take the run of the context for the task instance's, where what is asked of it cannot change while the task runs."""
    if node.attr in _OF_RUN:
        is_of_key = node.attr == "execution_date" and isinstance(node.value, ast.Subscript)  # of the rule context-key
        return (
            None
            if is_of_key
            else Change((replace(source, node, f"{run_of(source, node.value)}.{_OF_RUN[node.attr]}"),))
        )
    whole: ast.AST = node
    if node.attr == "get_dagrun":
        whole = source.parents[node]
        if (
            not isinstance(whole, ast.Call)
            or whole.func is not node
            or whole.args
            or {item.arg for item in whole.keywords} - {"session"}
        ):
            return None
    elif node.attr != "dag_run":
        return None
    if getattr(source.parents[whole], "attr", "") in _CHANGING:
        return None
    return Change((replace(source, whole, run_of(source, node.value)),))


def in_template(kind: str, name: str) -> tuple[str, str]:
    """Say what a template takes for an attribute of `ti`, `dag_run`, `dag` or `task`: its new code, or why there is none, and a hint."""
    if new := _RENAMED[kind].get(name):
        return f"{kind}.{new}", ""
    if kind == "ti" and name in _OF_TASK:
        return f"task.{_OF_TASK[name]}", ""
    if kind == "ti" and name in _OF_RUN:
        return f"dag_run.{_OF_RUN[name]}", ""
    if (kind, name) in _NAMED:
        return _NAMED[kind, name], ""
    return "", _HINTS[kind].get(name, _WRITTEN) if name in gone_attributes()[kind] else ""


def _name(source: Source, node: ast.Attribute, new: str) -> Edit:
    end = source.end(node)
    return Edit(end - len(node.attr.encode()), end, new)


def _kind(source: Source, node: ast.expr) -> str | None:
    """Tell what an expression is: by the context that a task or a callback was given, by the name of its parameter, or by the DAG that the file makes."""
    key = context_value(source, node)
    if key in ("ti", "task_instance"):
        return "ti"
    if key in ("dag_run", "dag", "task"):
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


RULE = Rule(
    code="runtime-api",
    title="What tasks ask of a task instance, a DAG run or a DAG has the name of Airflow 3, or is found",
    words=tuple(sorted(name.encode() for name in _NAMES)),
    before="""
from airflow.decorators import task


@task
def tell(ti=None, dag=None, **context):
    print(ti.operator, ti.pool, dag.concurrency, ti.get_dagrun().conf)


def alert(context):
    ti = context.get("task_instance")
    print(ti.dag_run.run_type, ti.queued_dttm)
""",
    after="""
from airflow.decorators import task


@task
def tell(ti=None, dag=None, **context):
    print(ti.task.task_type, ti.task.pool, dag.max_active_tasks, context["dag_run"].conf)


def alert(context):
    ti = context.get("task_instance")
    print(context["dag_run"].run_type, ti.queued_dttm)
""",
    find=_find,
    finding="A task instance has no `queued_dttm`",
)
