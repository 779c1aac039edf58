"""What becomes of an Airflow 2 configuration option in Airflow 3, and which options the platform sets itself.

From the table behind `airflow config lint` and the deprecated options of Airflow 3.3.2
(airflow/cli/commands/config_command.py, airflow/_shared/configuration/parser.py). Keys are "section.option".
"""

from __future__ import annotations

RENAMED = {
    "admin.hide_sensitive_variable_fields": "core.hide_sensitive_var_conn_fields",
    "admin.sensitive_variable_fields": "core.sensitive_var_conn_names",
    "api.page_size": "api.fallback_page_limit",
    "celery.default_queue": "operators.default_queue",
    "celery.stalled_task_timeout": "scheduler.task_queued_timeout",
    "celery.task_adoption_timeout": "scheduler.task_queued_timeout",
    "core.dag_concurrency": "core.max_active_tasks_per_dag",
    "core.dag_file_processor_timeout": "dag_processor.dag_file_processor_timeout",
    "core.dataset_manager_class": "core.asset_manager_class",
    "core.dataset_manager_kwargs": "core.asset_manager_kwargs",
    "core.max_num_rendered_ti_fields_per_task": "core.num_dag_runs_to_retain_rendered_fields",
    "core.non_pooled_task_slot_count": "core.default_pool_task_slot_count",
    "kubernetes_executor.worker_pods_pending_timeout": "scheduler.task_queued_timeout",
    "metrics.statsd_allow_list": "metrics.metrics_allow_list",
    "metrics.statsd_block_list": "metrics.metrics_block_list",
    "scheduler.dag_dir_list_interval": "dag_processor.refresh_interval",
    "scheduler.deactivate_stale_dags_interval": "scheduler.parsing_cleanup_interval",
    "scheduler.file_parsing_sort_mode": "dag_processor.file_parsing_sort_mode",
    "scheduler.local_task_job_heartbeat_sec": "scheduler.task_instance_heartbeat_sec",
    "scheduler.max_callbacks_per_loop": "dag_processor.max_callbacks_per_loop",
    "scheduler.max_threads": "dag_processor.parsing_processes",
    "scheduler.min_file_process_interval": "dag_processor.min_file_process_interval",
    "scheduler.parsing_pre_import_modules": "dag_processor.parsing_pre_import_modules",
    "scheduler.parsing_processes": "dag_processor.parsing_processes",
    "scheduler.print_stats_interval": "dag_processor.print_stats_interval",
    "scheduler.processor_poll_interval": "scheduler.scheduler_idle_sleep_time",
    "scheduler.running_metrics_interval": "scheduler.ti_metrics_interval",
    "scheduler.scheduler_zombie_task_threshold": "scheduler.task_instance_heartbeat_timeout",
    "scheduler.stale_dag_threshold": "dag_processor.stale_dag_threshold",
    "scheduler.stat_name_handler": "metrics.stat_name_handler",
    "scheduler.statsd_allow_list": "metrics.metrics_allow_list",
    "scheduler.statsd_custom_client_path": "metrics.statsd_custom_client_path",
    "scheduler.statsd_datadog_enabled": "metrics.statsd_datadog_enabled",
    "scheduler.statsd_datadog_metrics_tags": "metrics.statsd_datadog_metrics_tags",
    "scheduler.statsd_datadog_tags": "metrics.statsd_datadog_tags",
    "scheduler.statsd_host": "metrics.statsd_host",
    "scheduler.statsd_on": "metrics.statsd_on",
    "scheduler.statsd_port": "metrics.statsd_port",
    "scheduler.statsd_prefix": "metrics.statsd_prefix",
    "scheduler.zombie_detection_interval": "scheduler.task_instance_heartbeat_timeout_detection_interval",
    "triggerer.default_capacity": "triggerer.capacity",
    "webserver.auto_refresh_interval": "api.auto_refresh_interval",
    "webserver.default_wrap": "api.default_wrap",
    "webserver.grid_view_sorting_order": "api.grid_view_sorting_order",
    "webserver.hide_paused_dags_by_default": "api.hide_paused_dags_by_default",
    "webserver.instance_name": "api.instance_name",
    "webserver.log_fetch_timeout_sec": "api.log_fetch_timeout_sec",
    "webserver.page_size": "api.page_size",
    "webserver.require_confirmation_dag_change": "api.require_confirmation_dag_change",
    "workers.missing_dag_retires": "workers.missing_dag_retries",
}

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

KEPT = frozenset(value for value in RENAMED.values() if value.startswith("api."))
"""Options of owned sections that are a matter of taste and move all the same."""


def place_of(option: str) -> tuple[str | None, str]:
    """Give the option's name in Airflow 3 and "", or None and the reason why it stays behind."""
    if option in OWNED:
        return None, OWNED[option]
    if option in REMOVED:
        return None, REMOVED[option]
    moved = RENAMED.get(option, option)
    section = moved.split(".", 1)[0]
    if moved in OWNED or (section in OWNED_SECTIONS and moved not in KEPT):
        return None, OWNED.get(moved) or OWNED_SECTIONS[section]
    return moved, ""
