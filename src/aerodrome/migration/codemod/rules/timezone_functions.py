"""Functions of airflow.utils.timezone that are gone: `from airflow.utils import timezone` still imports in 3.3.2, and fails when one is called.

Read and asked name by name: airflow.utils.timezone of 1.10.15, 2.3.4, 2.7.3 and 2.11.2; airflow.sdk.timezone of 3.3.2 (task SDK 1.3.2), to which the old
module leads, has coerce_datetime, convert_to_utc, datetime, from_timestamp, make_naive, parse, utc and utcnow.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import has_open_end, keyword, replace
from aerodrome.migration.codemod.source import Source

_NEW = "airflow.sdk.timezone"
_MODULES = ("airflow.utils.timezone", _NEW)
_TESTS = {"is_localized": "is not None", "is_naive": "is None"}
_OF_PENDULUM = {"parse_timezone": "timezone", "local_timezone": "local_timezone"}
_HINTS = {
    "make_aware": "Use airflow.sdk.timezone.coerce_datetime(value, tz).",
    "is_localized": "Compare value.utcoffset() with None.",
    "is_naive": "Compare value.utcoffset() with None.",
    "parse_timezone": "Use pendulum.timezone(name).",
    "local_timezone": "Use pendulum.local_timezone().",
    "utc_epoch": "Use airflow.sdk.timezone.datetime(1970, 1, 1, tzinfo=airflow.sdk.timezone.utc).",
    "td_format": "Write the text of a duration yourself, for example str(timedelta).",
    "TIMEZONE": "Use airflow.settings.TIMEZONE.",
    "DateTime": "Import DateTime from pendulum.",
    "pendulum": "Import pendulum.",
    "dt": "Import datetime.",
}
_SIMPLE = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)


def _find(source: Source, _options: Options) -> Iterator[Change | Spot]:
    for node in source.each(ast.Name, ast.Attribute):
        found = next((name for name in _HINTS for module in _MODULES if source.means(node, {f"{module}.{name}"})), "")
        if not found or not isinstance(getattr(node, "ctx", None), ast.Load):
            continue
        call = source.parents[node]
        change = _written(source, node, call, found) if isinstance(call, ast.Call) and call.func is node else None
        line = node.lineno
        yield change or Spot(line, f"`timezone.{found}` is gone in Airflow 3.", _HINTS[found])


def _written(source: Source, node: ast.AST, call: ast.Call, name: str) -> Change | None:
    if has_open_end(call):
        return None
    if name in _TESTS and len(call.args) == 1:
        value = source.code(call.args[0])
        value = value if isinstance(call.args[0], _SIMPLE) else f"({value})"
        return Change((replace(source, call, f"({value}.utcoffset() {_TESTS[name]})"),))
    if name in _OF_PENDULUM and not call.keywords and source.is_free("pendulum", "pendulum"):
        return Change((replace(source, node, f"pendulum.{_OF_PENDULUM[name]}"),), (("pendulum", ""),))
    if name == "utc_epoch":
        new, imports = _named(source, node, "datetime")
        zone, more = _named(source, node, "utc")
        return (
            Change((replace(source, call, f"{new}(1970, 1, 1, tzinfo={zone})"),), imports + more)
            if new and zone
            else None
        )
    if name != "make_aware" or not call.args:
        return None
    new, imports = _named(source, node, "coerce_datetime")
    if not new:
        return None
    edits = [replace(source, node, new)]
    if (zone_given := keyword(call, "timezone")) is not None:
        at = source.start(zone_given)
        edits.append(Edit(at, at + len("timezone"), "tz"))
    return Change(tuple(edits), imports)


def _named(source: Source, node: ast.AST, name: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """Give how another name of the module is written where one of it is: by the same owner, else imported by itself."""
    if isinstance(node, ast.Attribute):
        return f"{source.code(node.value)}.{name}", ()
    return (name, ((_NEW, name),)) if source.is_free(name, f"{_NEW}.{name}") else ("", ())


RULE = Rule(
    code="timezone-function",
    title="Functions of airflow.utils.timezone that are gone are those that do the same",
    words=(b"timezone",),
    before="""
from airflow.utils import timezone
from airflow.utils.timezone import make_aware

start = make_aware(moment, timezone=timezone.parse_timezone("Europe/Zurich"))
is_open = timezone.is_naive(moment)
text = timezone.td_format(duration)
""",
    after="""
from airflow.utils import timezone
from airflow.utils.timezone import make_aware
from airflow.sdk.timezone import coerce_datetime
import pendulum

start = coerce_datetime(moment, tz=pendulum.timezone("Europe/Zurich"))
is_open = (moment.utcoffset() is None)
text = timezone.td_format(duration)
""",
    find=_find,
    finding="`timezone.td_format` is gone",
)
