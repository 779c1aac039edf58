"""Our rules, for what ruff does not fix; in the order in which they run. Each rule's example is its test."""

from __future__ import annotations

from aerodrome.migration.codemod.contract import Rule
from aerodrome.migration.codemod.rules import (
    attribute_references,
    context_keys,
    dag_defaults,
    days_ago,
    dead_arguments,
    providers,
)

RULES: tuple[Rule, ...] = (
    attribute_references.RULE,
    days_ago.RULE,
    dag_defaults.SCHEDULE,
    dag_defaults.CATCHUP,
    dead_arguments.PROVIDE_CONTEXT,
    dead_arguments.DAG_VIEW,
    context_keys.RULE,
    providers.SQL,
    providers.RENAMES,
)
