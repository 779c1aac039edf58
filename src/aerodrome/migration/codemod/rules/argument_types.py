"""Arguments of tasks that earlier Airflows took in any type and Airflow 3 checks: a list of addresses for yes, a text for a number.

Source: BASEOPERATOR_ARGS_EXPECTED_TYPES of airflow.sdk.bases.operator (task SDK 1.3.2). Before, a truth value was whatever Python calls true.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword, replace
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.source import Source

_TRUTHS = frozenset({"email_on_failure", "email_on_retry", "depends_on_past", "wait_for_downstream", "do_xcom_push"})
_NUMBERS = frozenset({"retries", "priority_weight", "pool_slots"})


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    given: list[tuple[str, ast.expr]] = []
    for mapping, way in dags.dictionaries(source, dags.ANY):
        if way == "default_args":
            pairs = zip(mapping.keys, mapping.values, strict=True)
            given += [(str(key.value), value) for key, value in pairs if isinstance(key, ast.Constant)]
    for made in operators.made(source):
        if keyword(made.call, "task_id"):
            given += [(item.arg, item.value) for item in made.call.keywords if item.arg]
    for name, value in given:
        if (text := _fitting(name, value)) is not None:
            yield Change((replace(source, value, text),))


def _fitting(name: str, value: ast.expr) -> str | None:
    """Give the same value in the type that Airflow asks for; None when it has it, or cannot be known."""
    if name in _TRUTHS:
        if isinstance(value, ast.List | ast.Tuple) and not any(isinstance(item, ast.Starred) for item in value.elts):
            return str(bool(value.elts))
        if isinstance(value, ast.Constant) and isinstance(value.value, str | int) and not isinstance(value.value, bool):
            return str(bool(value.value))
    if (
        name in _NUMBERS
        and isinstance(value, ast.Constant)
        and isinstance(value.value, str)
        and value.value.isdecimal()
    ):
        return str(int(value.value))
    return None


RULE = Rule(
    code="argument-type",
    title="Arguments of tasks get the types that Airflow 3 insists on, with the same meaning",
    words=tuple(sorted(name.encode() for name in _TRUTHS | _NUMBERS)),
    before="""
from airflow import DAG

default_args = {"email_on_failure": ["team@shop.example"], "depends_on_past": 0, "retries": "3"}
dag = DAG("sales", schedule=None, default_args=default_args)
""",
    after="""
from airflow import DAG

default_args = {"email_on_failure": True, "depends_on_past": False, "retries": 3}
dag = DAG("sales", schedule=None, default_args=default_args)
""",
    find=_find,
)
