"""Arguments of tasks that earlier Airflows took in any type and Airflow 3 checks: a list of addresses for yes, a text for a number.

Source: BASEOPERATOR_ARGS_EXPECTED_TYPES of airflow.sdk.bases.operator (task SDK 1.3.2). Before, a truth value was whatever Python calls true.
Dates of default_args could be texts, of the default time zone (DAG.__init__ of 2.11.2: timezone.parse); Airflow 3 takes dates only.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import datetime

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword, replace
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.source import Source

_TRUTHS = frozenset({"email_on_failure", "email_on_retry", "depends_on_past", "wait_for_downstream", "do_xcom_push"})
_DATES = frozenset({"start_date", "end_date"})
_DAY = 3  # year, month, day: without a time
_NO_ZONE = "Airflow 3 takes no text for a date, and this one was read in the time zone of the machine (default_timezone = system)."
_NUMBERS = frozenset({"retries", "priority_weight", "pool_slots"})


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    given: list[tuple[str, ast.expr]] = []
    for mapping, way in dags.dictionaries(source, dags.ANY):
        if way == "default_args":
            pairs = zip(mapping.keys, mapping.values, strict=True)
            entries = [(str(key.value), value) for key, value in pairs if isinstance(key, ast.Constant)]
            given += entries
            for name, value in entries:
                if name not in _DATES or not (text := _date(value, options.zone or "UTC")):
                    continue
                if options.zone is None:
                    yield Spot(value.lineno, _NO_ZONE, 'Write pendulum.datetime(…, tz="…").')
                elif source.is_free("pendulum", "pendulum"):
                    yield Change((replace(source, value, text),), (("pendulum", ""),))
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


def _date(value: ast.expr, zone: str) -> str | None:
    """Write a date that a text says, without a zone of its own, as pendulum's."""
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        return None
    try:
        date = datetime.fromisoformat(value.value)
    except ValueError:
        return None
    if date.tzinfo is not None or date.microsecond:
        return None
    parts = [date.year, date.month, date.day, date.hour, date.minute, date.second]
    while len(parts) > _DAY and not parts[-1]:
        parts.pop()
    return f'pendulum.datetime({", ".join(map(str, parts))}, tz="{zone}")'


RULE = Rule(
    code="argument-type",
    title="Arguments of tasks get the types that Airflow 3 insists on, with the same meaning",
    words=tuple(sorted(name.encode() for name in _TRUTHS | _NUMBERS | _DATES)),
    before="""
from airflow import DAG

default_args = {"email_on_failure": ["team@shop.example"], "depends_on_past": 0, "retries": "3", "start_date": "2024-01-01"}
dag = DAG("sales", schedule=None, default_args=default_args)
""",
    after="""
from airflow import DAG
import pendulum

default_args = {"email_on_failure": True, "depends_on_past": False, "retries": 3, "start_date": pendulum.datetime(2024, 1, 1, tz="UTC")}
dag = DAG("sales", schedule=None, default_args=default_args)
""",
    find=_find,
)
