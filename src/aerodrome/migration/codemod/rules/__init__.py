"""Our rules; in the order in which they are asked. Each rule's example is its test and its page in the reference."""

from __future__ import annotations

from aerodrome.migration.codemod.contract import Rule
from aerodrome.migration.codemod.rules import (
    argument_types,
    bigquery,
    changed_arguments,
    computed_schedules,
    context_keys,
    dag_arguments,
    dag_defaults,
    dataproc,
    days_ago,
    delegation,
    kubernetes,
    moved_names,
    pendulum_names,
    providers,
    renamed_arguments,
    slack_tokens,
    unknown_arguments,
)

RULES: tuple[Rule, ...] = (
    providers.SQL,
    providers.ARGUMENTS,
    renamed_arguments.RULE,
    slack_tokens.RULE,
    delegation.RULE,
    bigquery.QUERY,
    bigquery.TABLE,
    dataproc.RULE,
    kubernetes.RULE,
    changed_arguments.RULE,
    providers.APPLY_DEFAULTS,
    days_ago.RULE,
    pendulum_names.RULE,
    dag_arguments.DAG_ARGUMENTS,
    dag_arguments.TASK_ARGUMENTS,
    dag_arguments.PROVIDE_CONTEXT,
    dag_arguments.TRIGGER_RULES,
    unknown_arguments.RULE,
    argument_types.RULE,
    dag_defaults.SCHEDULE,
    dag_defaults.CATCHUP,
    dag_defaults.INTERVALS,
    computed_schedules.RULE,
    context_keys.RULE,
    moved_names.BY_MODULE,
    moved_names.MOVED,
)
