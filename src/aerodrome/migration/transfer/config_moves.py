"""What becomes of an Airflow 2 configuration option in Airflow 3, and which options the platform sets itself.

From the table behind `airflow config lint` and the deprecated options of Airflow 3.3.2
(airflow/cli/commands/config_command.py, airflow/_shared/configuration/parser.py). Keys are "section.option".
"""

from __future__ import annotations

from aerodrome.airflowkit.config_changes import RENAMED as CHANGED

_MORE = {
    "core.max_num_rendered_ti_fields_per_task": "core.num_dag_runs_to_retain_rendered_fields",
    "scheduler.parsing_pre_import_modules": "dag_processor.parsing_pre_import_modules",
    "scheduler.running_metrics_interval": "scheduler.ti_metrics_interval",
    "workers.missing_dag_retires": "workers.missing_dag_retries",
}
"""Deprecated options that `airflow config lint` does not know."""


def _last(option: str) -> str:
    """Follow an option that was renamed more than once; api.page_size is another option today than it was in 2.x."""
    known = {**CHANGED, **_MORE}
    seen = {option}
    while option != "api.page_size" and (after := known.get(option)) is not None and after not in seen:
        seen.add(after)
        option = after
    return option


RENAMED = {option: _last({**CHANGED, **_MORE}[option]) for option in (*CHANGED, *_MORE)}
"""Where an option is in Airflow 3.3.2; one table for the upgrade of code and for migrations."""

REMOVED = {
    "core.check_slas": "SLAs were removed in Airflow 3.",
    "core.dag_default_view": "The page of the old UI does not exist any more.",
    "core.dag_orientation": "The page of the old UI does not exist any more.",
    "core.enable_xcom_pickling": "XComs are JSON only in Airflow 3.",
    "core.strict_dataset_uri_validation": "Asset URIs are always checked strictly in Airflow 3.",
    "core.task_runner": "Airflow 3 has one way to run tasks.",
    "logging.enable_task_context_logger": "Replaced by the audit log in Airflow 3.",
    "metrics.metrics_use_pattern_match": "Metric lists are always patterns in Airflow 3.",
    "metrics.timer_unit_consistency": "Timers are always milliseconds in Airflow 3.",
    "operators.allow_illegal_arguments": "Unknown operator arguments are always errors in Airflow 3.",
    "scheduler.allow_trigger_in_future": "Removed in Airflow 3.",
    "scheduler.dag_stale_not_seen_duration": "Removed in Airflow 3.",
    "scheduler.dependency_detector": "Removed in Airflow 3.",
    "smtp.smtp_password": "Airflow 3 takes it from the connection smtp_default.",
    "smtp.smtp_user": "Airflow 3 takes it from the connection smtp_default.",
    "traces.otel_task_log_event": "Removed in Airflow 3.",
}

OWNED = {
    "core.auth_manager": "The platform signs people in.",
    "core.dags_folder": "The platform deploys the code itself.",
    "core.execution_api_server_url": "The platform places the components.",
    "core.executor": "The platform's runtime decides how tasks run.",
    "core.fernet_key": "The deployment has its own key; values are encrypted anew.",
    "core.hostname_callable": "Hosts of the source mean nothing in the target.",
    "core.internal_api_secret_key": "The platform makes every key of the deployment itself.",
    "core.load_examples": "The platform never loads examples.",
    "core.parallelism": "It is a setting of the deployment.",
    "core.plugins_folder": "The platform deploys the code itself.",
    "core.security": "The platform signs people in.",
    "core.sql_alchemy_conn": "The deployment has its own metadata database.",
    "logging.base_log_folder": "The platform keeps logs in the deployment's own folder.",
    "logging.trigger_log_server_port": "The platform assigns ports.",
    "logging.worker_log_server_port": "The platform assigns ports.",
    "scheduler.child_process_log_directory": "The platform keeps logs in the deployment's own folder.",
    "scheduler.enable_health_check": "The platform watches the components itself.",
    "scheduler.scheduler_health_check_server_host": "The platform assigns ports.",
    "scheduler.scheduler_health_check_server_port": "The platform assigns ports.",
    "scheduler.standalone_dag_processor": "The platform places the components.",
}

OWNED_SECTIONS = {
    "api": "The platform serves the UI and the API itself.",
    "api_auth": "The platform makes every key of the deployment itself.",
    "celery": "The source's executor does not come along.",
    "celery_broker_transport_options": "The source's executor does not come along.",
    "celery_kubernetes_executor": "The source's executor does not come along.",
    "cli": "The platform drives the deployment itself.",
    "dask": "The source's executor does not come along.",
    "database": "The deployment has its own metadata database.",
    "debug": "It is not meant for production.",
    "edge": "The source's executor does not come along.",
    "execution_api": "The platform places the components.",
    "fab": "The platform signs people in.",
    "kerberos": "Kerberos tickets belong to the source's hosts.",
    "kubernetes": "The source's executor does not come along.",
    "kubernetes_environment_variables": "The source's executor does not come along.",
    "kubernetes_executor": "The source's executor does not come along.",
    "local_kubernetes_executor": "The source's executor does not come along.",
    "policy": "Policies live in code; deploy them as a plugin.",
    "webserver": "The platform serves the UI and the API itself.",
}

KEPT = frozenset(
    {
        "api.auto_refresh_interval", "api.default_wrap", "api.fallback_page_limit", "api.grid_view_sorting_order",
        "api.hide_paused_dags_by_default", "api.instance_name", "api.log_fetch_timeout_sec", "api.page_size",
        "api.require_confirmation_dag_change",
    }
)  # fmt: skip
"""Options of owned sections that are a matter of taste and move all the same."""


def place_of(option: str, *, is_airflow2: bool = False) -> tuple[str | None, str]:
    """Give the option's name in Airflow 3 and "", or None and the reason why it stays behind.

    Airflow 2.11 still reads the names of 1.10 and 2.x, so there an option keeps its name.
    """
    if option in OWNED:
        return None, OWNED[option]
    if is_airflow2:
        section = option.split(".", 1)[0]
        return (None, OWNED_SECTIONS[section]) if section in OWNED_SECTIONS else (option, "")
    if option in REMOVED:
        return None, REMOVED[option]
    moved = RENAMED.get(option, option)
    section = moved.split(".", 1)[0]
    if moved in OWNED or (section in OWNED_SECTIONS and moved not in KEPT):
        return None, OWNED.get(moved) or OWNED_SECTIONS[section]
    return moved, ""
