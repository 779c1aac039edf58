"""Params that JSON cannot hold: Airflow 1.10 and 2 took any object (2 with a warning), Airflow 3 refuses the DAG.

They are never rewritten: who uses one would get text where a date was. Tried on 3.3.2 (task SDK, definitions/param.py).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_DATE = (
    "a date or a time",
    'Write it as text, "2024-01-31T00:00:00+00:00", and read it where it is used: pendulum.parse(params["…"]).',
)
_SET = ("a set", "Write a list, and set(…) where it is used.")
_OTHER = ("no JSON", "Write what JSON can hold, or keep it in a constant of the file instead of the params.")
_DATES = frozenset(
    {
        *(f"datetime.{name}" for name in ("datetime", "date", "time", "timedelta")),
        *(f"datetime.{name}" for name in ("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "datetime.strptime", "datetime.combine")),
        *(f"pendulum.{name}" for name in ("datetime", "date", "now", "today", "yesterday", "tomorrow", "parse", "duration", "local", "instance")),
        *(f"airflow.utils.timezone.{name}" for name in ("datetime", "utcnow", "parse")),
        *(f"airflow.sdk.timezone.{name}" for name in ("datetime", "utcnow", "parse")),
        "airflow.utils.dates.days_ago",
    }
)  # fmt: skip
_BUILT_IN = {"set": _SET, "frozenset": _SET, "bytes": _OTHER, "complex": _OTHER}
_PARAM = frozenset({"airflow.models.param.Param", "airflow.models.Param", "airflow.sdk.Param", "airflow.sdk.definitions.param.Param"})  # fmt: skip
_DEPTH = 4


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        item = keyword(call, "params")
        is_ours = keyword(call, "task_id") or source.means(call.func, dags.ANY) or dags.is_dict_call(call)
        if item and is_ours:
            yield from _of_params(source, item.value)
        if source.means(call.func, _PARAM):
            given = keyword(call, "default")
            value = given.value if given else call.args[0] if call.args else None
            if value is not None and (why := _why(source, value)):
                yield _spot(source, value, "A Param", *why)
    for mapping, _ in dags.dictionaries(source, dags.ANY):
        if found := dags.entry(mapping, "params"):
            yield from _of_params(source, found[1])


def _of_params(source: Source, value: ast.expr) -> Iterator[Spot]:
    mapping = dags.constant(source, value)
    if not isinstance(mapping, ast.Dict):
        return
    for key, item in zip(mapping.keys, mapping.values, strict=True):
        if key is not None and (why := _why(source, item)):
            yield _spot(source, item, f"The param {source.code(key)}", *why)


def _spot(source: Source, value: ast.expr, whose: str, what: str, hint: str) -> Spot:
    shown = "" if isinstance(value, ast.Constant) else f", {source.code(value)[:40]}"  # bytes may be a secret
    return Spot(value.lineno, f"{whose} is {what}{shown}: Airflow 3 refuses the DAG.", hint)


def _why(source: Source, value: ast.expr, depth: int = _DEPTH) -> tuple[str, str] | None:
    """Say what a value surely is that JSON cannot hold; None when it can, or may."""
    if depth == 0:
        return None
    if isinstance(value, ast.Set | ast.SetComp):
        return _SET
    if isinstance(value, ast.Lambda) or (isinstance(value, ast.Constant) and isinstance(value.value, bytes | complex)):
        return _OTHER
    if isinstance(value, ast.Call):
        if source.means(value.func, _DATES):
            return _DATE
        name = value.func.id if isinstance(value.func, ast.Name) else ""
        return _BUILT_IN.get(name) if name not in source.top.bound else None
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
        sides = (_why(source, value.left, depth - 1), _why(source, value.right, depth - 1))
        return next((side for side in sides if side in (_DATE, _SET)), None)
    if isinstance(value, ast.Name):
        made = dags.constant(source, value)
        return _why(source, made, depth - 1) if made is not value and isinstance(made, ast.expr) else None
    inner = (
        value.elts if isinstance(value, ast.List | ast.Tuple) else value.values if isinstance(value, ast.Dict) else ()
    )
    return next((found for item in inner if (found := _why(source, item, depth - 1))), None)


RULE = Rule(
    code="param-not-json",
    title="Params that JSON cannot hold are found: dates, sets, bytes",
    words=(b"params", b"Param"),
    before="""
from datetime import datetime

from airflow.sdk import DAG

dag = DAG("sales", schedule=None, params={"since": datetime(2024, 1, 31), "shops": ["north"]})
""",
    after="""
from datetime import datetime

from airflow.sdk import DAG

dag = DAG("sales", schedule=None, params={"since": datetime(2024, 1, 31), "shops": ["north"]})
""",
    find=_find,
    finding='The param "since" is a date or a time',
)
