"""LatestOnlyOperator of 1.10 skipped all that came after it; today's skips what comes directly, and trigger rules decide about the rest.

Read: operators/latest_only_operator.py of 1.10.15 (`get_flat_relatives`), standard provider of 3.3.2 (BaseBranchOperator).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.origin import is_of_1
from aerodrome.migration.codemod.rules import operators
from aerodrome.migration.codemod.source import Source

_CLASS = "LatestOnlyOperator"
_RUNNING = ("all_done", "none_failed", "none_skipped", "dummy", "always", "all_skipped")
"""Rules by which a task runs although what comes before it was skipped."""


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    is_old = options.source_version.startswith("1.") if options.source_version else is_of_1(source.text)
    if not is_old or not any(_CLASS in made.classes for made in operators.made(source)):
        return
    for call in source.each(ast.Call):
        item = keyword(call, "trigger_rule")
        rule = source.code(item.value).strip("'\"").rpartition(".")[2].lower() if item else ""
        if rule in _RUNNING:
            yield Spot(
                call.lineno,
                f"Airflow 1.10 skipped this task, too, when it came after a {_CLASS} of a run that is not the latest; by `{rule}` it runs today.",
                "Where it must be skipped, use a ShortCircuitOperator that asks for the latest run: it skips all that comes after it, whatever the trigger rules are.",
            )


RULE = Rule(
    code="latest-only",
    title="Tasks that run today after a LatestOnlyOperator, and that Airflow 1.10 skipped, are found",
    words=(b"LatestOnly",),
    before="""
from airflow.operators.bash_operator import BashOperator
from airflow.operators.latest_only_operator import LatestOnlyOperator

latest = LatestOnlyOperator(task_id="latest")
load = BashOperator(task_id="load", bash_command="load")
clean = BashOperator(task_id="clean", bash_command="clean", trigger_rule="all_done")
latest >> load >> clean
""",
    after="""
from airflow.operators.bash_operator import BashOperator
from airflow.operators.latest_only_operator import LatestOnlyOperator

latest = LatestOnlyOperator(task_id="latest")
load = BashOperator(task_id="load", bash_command="load")
clean = BashOperator(task_id="clean", bash_command="clean", trigger_rule="all_done")
latest >> load >> clean
""",
    find=_find,
    finding="Airflow 1.10 skipped this task, too",
)
