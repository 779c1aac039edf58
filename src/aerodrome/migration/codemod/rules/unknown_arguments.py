"""Arguments that an operator never knew: Airflow 1.10 warned and ignored them, later ones refuse the DAG.

Two tables: of the operators most DAGs use, however they are imported, as Airflow 3.3.2 and 1.10.15 know them (a test compares it with the real 3.3.2); and
of every operator of 1.10.15 (`scripts/accepted` makes it), for files that import it by a name of 1.10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aerodrome.migration.codemod.arguments import accepted_arguments, changed_arguments
from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import drop_item, keyword
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

_TASK = frozenset(
    [
        "allow_nested_operators",
        "dag",
        "default_args",
        "depends_on_past",
        "do_xcom_push",
        "doc",
        "doc_json",
        "doc_md",
        "doc_rst",
        "doc_yaml",
        "email",
        "email_on_failure",
        "email_on_retry",
        "end_date",
        "execution_timeout",
        "executor",
        "executor_config",
        "ignore_first_depends_on_past",
        "inlets",
        "logger_name",
        "map_index_template",
        "max_active_tis_per_dag",
        "max_active_tis_per_dagrun",
        "max_retry_delay",
        "multiple_outputs",
        "on_execute_callback",
        "on_failure_callback",
        "on_retry_callback",
        "on_skipped_callback",
        "on_success_callback",
        "outlets",
        "owner",
        "params",
        "pool",
        "pool_slots",
        "post_execute",
        "pre_execute",
        "priority_weight",
        "queue",
        "render_template_as_native_obj",
        "resources",
        "retries",
        "retry_delay",
        "retry_exponential_backoff",
        "retry_policy",
        "run_as_user",
        "sla",
        "start_date",
        "task_display_name",
        "task_group",
        "task_id",
        "trigger_rule",
        "wait_for_downstream",
        "wait_for_past_depends_before_skipping",
        "weight_rule",
        "task_concurrency",
        "provide_context",
        "xcom_push",
    ]  # of before; other rules know them
)
_SENSOR = _TASK | frozenset(
    ["exponential_backoff", "max_wait", "mode", "never_fail", "poke_interval", "silent_fail", "soft_fail", "timeout"]
)
_PYTHON = _TASK | frozenset(
    ["op_args", "op_kwargs", "python_callable", "show_return_value_in_logs", "templates_dict", "templates_exts"]
)
_STANDARD = "airflow.providers.standard."
_OF_1 = re.compile(r"airflow\.(contrib\.|operators\.\w+_operator\.|sensors\.\w+_sensor\.|operators\.\w+$)")
"""Paths of 1.10; Airflow 2 has others."""
KNOWN: dict[str, frozenset[str]] = {
    f"{_STANDARD}operators.bash.BashOperator": _TASK
    | frozenset(
        [
            "append_env",
            "bash_command",
            "cwd",
            "env",
            "output_encoding",
            "output_processor",
            "skip_on_exit_code",
            "skip_exit_code",
        ]
    ),
    f"{_STANDARD}operators.empty.EmptyOperator": _TASK,
    f"{_STANDARD}operators.latest_only.LatestOnlyOperator": _TASK | {"context"},
    f"{_STANDARD}operators.python.BranchPythonOperator": _PYTHON | {"context"},
    f"{_STANDARD}operators.python.PythonOperator": _PYTHON,
    f"{_STANDARD}operators.python.ShortCircuitOperator": _PYTHON | {"context", "ignore_downstream_trigger_rules"},
    f"{_STANDARD}sensors.external_task.ExternalTaskSensor": _SENSOR
    | frozenset(
        [
            "allowed_states",
            "check_existence",
            "deferrable",
            "execution_date_fn",
            "execution_delta",
            "external_dag_id",
            "external_task_group_id",
            "external_task_id",
            "external_task_ids",
            "failed_states",
            "poll_interval",
            "skipped_states",
        ]
    ),
    f"{_STANDARD}sensors.filesystem.FileSensor": _SENSOR
    | frozenset(["deferrable", "filepath", "fs_conn_id", "recursive", "start_from_trigger", "trigger_kwargs"]),
    "airflow.providers.common.sql.operators.sql.SQLExecuteQueryOperator": _TASK
    | frozenset(
        [
            "autocommit",
            "conn_id",
            "database",
            "handler",
            "hook_params",
            "output_processor",
            "parameters",
            "requires_result_fetch",
            "retry_on_failure",
            "return_last",
            "show_return_value_in_logs",
            "split_statements",
            "sql",
        ]
    ),
    "airflow.providers.smtp.operators.smtp.EmailOperator": _TASK
    | frozenset(
        [
            "bcc",
            "cc",
            "conn_id",
            "custom_headers",
            "files",
            "from_email",
            "html_content",
            "mime_charset",
            "mime_subtype",
            "subject",
            "to",
        ]
    ),
}


def _known(made: operators.Made) -> frozenset[str] | None:
    """Give every argument that the operator takes or took."""
    for name in made.names:
        if name in KNOWN:
            return KNOWN[name]
    is_of_1 = all(_OF_1.match(name) for name in made.old)
    if not is_of_1 or len(made.names) != 1:
        return None
    (name,) = made.names
    taken = accepted_arguments().get(name)
    if taken is None:
        return None
    changed = changed_arguments().get(name)
    others = frozenset() if changed is None else frozenset({*changed.renamed, *changed.removed})
    return (accepted_arguments()[""] - {"schedule_interval"}) | _SENSOR | taken | others


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for made in operators.made(source):
        known = _known(made)
        if known is None or made.is_expanding or not keyword(made.call, "task_id"):
            continue
        for item in made.call.keywords:
            if item.arg is not None and item.arg not in known:
                yield Change((drop_item(source, item),))


RULE = Rule(
    code="unknown-argument",
    title="Arguments that no Airflow knew are dropped: 1.10 ignored them, with a warning",
    words=(b"task_id",),
    before="""
from airflow.operators.python_operator import PythonOperator

load = PythonOperator(
    task_id="load",
    name="load",
    python_callable=print,
)
""",
    after="""
from airflow.operators.python_operator import PythonOperator

load = PythonOperator(
    task_id="load",
    python_callable=print,
)
""",
    find=_find,
    is_for_2=True,
)
