"""`days_ago(n)` is gone: midnight UTC n days ago, spelled with pendulum. So are the accidental names of its module."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import replace
from aerodrome.migration.codemod.source import Source

_MEANING = "airflow.utils.dates.days_ago"
_FIELDS = ("n", "hour", "minute", "second", "microsecond")


def _days_ago(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for call in source.each(ast.Call):
        if not source.means(call.func, (_MEANING,)):
            continue
        given = dict(zip(_FIELDS, call.args, strict=False)) | {str(item.arg): item.value for item in call.keywords}
        is_plain = not any(isinstance(arg, ast.Starred) for arg in call.args) and set(given) <= set(_FIELDS)
        if not is_plain or "n" not in given or not source.is_free("pendulum", "pendulum"):
            yield Spot(call.lineno, "days_ago is gone in Airflow 3.", 'Write pendulum.today("UTC").add(days=-n).')
            continue
        yield Change((replace(source, call, _spelled(source, given)),), (("pendulum", ""),))


def _spelled(source: Source, given: dict[str, ast.expr]) -> str:
    text = 'pendulum.today("UTC")'
    days = given.pop("n")
    code = source.code(days)
    if not (isinstance(days, ast.Constant) and days.value == 0):
        is_simple = isinstance(days, ast.Name | ast.Constant)
        text += f".add(days=-{code})" if is_simple else f".add(days=-({code}))"
    if given:
        text += f".replace({', '.join(f'{name}={source.code(value)}' for name, value in given.items())})"
    return text


RULE = Rule(
    code="days-ago",
    title="days_ago(n) becomes the same moment spelled with pendulum",
    words=(b"days_ago",),
    before="""
from airflow.utils.dates import days_ago

start = days_ago(2, hour=6)
""",
    after="""
from airflow.utils.dates import days_ago
import pendulum

start = pendulum.today("UTC").add(days=-2).replace(hour=6)
""",
    find=_days_ago,
)
