"""Operators that code executes itself without a context: execute() takes one today, of every operator.

In 1.10.15 execute() of SlackAPIPostOperator and its kin took `**kwargs`, of SQL's and Qubole's checks `context=None`. In Airflow 3 an operator that is executed within
another task runs, with a warning (ExecutorSafeguard of task SDK 1.3.2), where that task allows nested operators; so far that is the default.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.rules.receivers import classes_of
from aerodrome.migration.codemod.rules.tasks import context_at
from aerodrome.migration.codemod.source import Source

_PARTS = (".operators.", ".sensors.", ".transfers.")
_WITHOUT = ("SlackAPIOperator", "SlackAPIPostOperator", "SlackAPIFileOperator", "SlackWebhookOperator")
"""They ask nothing of their context."""


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    del options
    for call in source.each(ast.Call):
        func = call.func
        if not isinstance(func, ast.Attribute) or func.attr != "execute" or call.args:
            continue
        opened = [item.value for item in call.keywords if item.arg is None]
        if len(opened) != len(call.keywords) or len(opened) > 1:
            continue
        classes = [
            name
            for name in classes_of(source, func.value)
            if name.startswith("airflow.") and any(part in name for part in _PARTS)
        ]
        if not classes or (isinstance(func.value, ast.Name) and func.value.id == "self"):
            continue
        given = source.code(opened[0]) if opened else context_at(source, call)
        if given is None and all(name.rpartition(".")[2] in _WITHOUT for name in classes):
            given = "{}"
        if given is None:
            yield Spot(
                call.lineno,
                "execute() of an operator takes a context today.",
                "Hand it the context of the task: execute(context).",
            )
        elif opened:
            yield Change((replace(source, call.keywords[0], given),))
        else:
            at = source.end(call) - 1
            yield Change((Edit(at, at, given),))


RULE = Rule(
    code="operator-execute",
    title="Operators that code executes itself get a context",
    words=(b".execute(",),
    before="""
from airflow.operators.slack_operator import SlackAPIPostOperator


def alert(context):
    SlackAPIPostOperator(task_id="tell", channel="#night", text="failed").execute()
""",
    after="""
from airflow.operators.slack_operator import SlackAPIPostOperator


def alert(context):
    SlackAPIPostOperator(task_id="tell", channel="#night", text="failed").execute(context)
""",
    find=_find,
)
