"""The time zone in which Airflow 2 read a DAG's cron: that of its start_date, else of default_args. Shared by the rules about schedules."""

from __future__ import annotations

import ast
import re

from aerodrome.migration.codemod.contract import Change, Edit
from aerodrome.migration.codemod.editing import keyword, replace
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_DATES = frozenset(
    {
        "datetime.datetime",
        "datetime.datetime.strptime",
        "pendulum.datetime",
        "airflow.utils.dates.days_ago",
        "pendulum.parse",
        "pendulum.from_format",
        "datetime.datetime.fromisoformat",
        "airflow.utils.timezone.datetime",
        "airflow.sdk.timezone.datetime",
        "pendulum.DateTime",
    }
)
_ZONES = frozenset(
    {"pendulum.timezone", "pendulum.tz.timezone", "zoneinfo.ZoneInfo", "pytz.timezone", "pendulum.Timezone"}
)
_ALWAYS_UTC = frozenset({"pendulum.datetime", "pendulum.parse", "pendulum.from_format", "airflow.utils.dates.days_ago"})
"""They give dates with a zone, UTC when none is said; the others give dates without one, which Airflow 2 read in its default zone."""
_NAIVE = frozenset({"datetime.datetime.today", "datetime.datetime.utcnow", "datetime.datetime.combine"})
_NOW = frozenset({"datetime.datetime.now", *(f"pendulum.{name}" for name in ("now", "today", "yesterday", "tomorrow"))})
"""They take the zone as their only argument."""
_SAME_ZONE = ("replace", "add", "subtract", "start_of", "end_of", "set", "on", "at")
_INTO_ZONE = ("in_timezone", "in_tz", "astimezone")
_PARSED = frozenset(
    {"pendulum.parse", "pendulum.from_format", "datetime.datetime.strptime", "datetime.datetime.fromisoformat"}
)
"""They take the zone from the text, where it says one."""
_WITH_OFFSET = re.compile(r"\d[T ].*\d\s*(?:[+-]\d\d(?::?\d\d)?|Z)$", re.IGNORECASE)
_ZONE_TOKENS = re.compile(r"%z|%Z|(?<!%)[zZ]")


def zone(source: Source, call: ast.Call, default: str | None = "UTC") -> str | None:
    """Give an expression for a call of DAG: a text, or what finds it at run time; None when neither can be written.

    `default` is the source's `[core] default_timezone`; None when nobody but the source's machine knows it.
    """
    value = dags.start_date(source, call)
    naive = None if default is None else f'"{default}"'
    if value == "none":
        return naive
    if isinstance(value, str):
        defaults = keyword(call, "default_args")
        is_named = defaults is not None and _is_name(defaults.value)
        start = f'{source.code(defaults.value)}.get("start_date")' if is_named else ""  # type: ignore[union-attr]
        return _zone_at_run_time(start, naive) if is_named and naive else None
    followed = dags.constant(source, value)
    known = _zone_of(source, followed, naive)
    if known or not naive or isinstance(followed, ast.Constant):
        return known  # a text is asked for no tzinfo
    if _is_name(value):
        return _zone_at_run_time(source.code(value), naive)
    there = _start_of_defaults(source, call, value)
    return _zone_at_run_time(there, naive) if there else None


def _start_of_defaults(source: Source, call: ast.Call, value: ast.expr) -> str | None:
    """Write where the running file finds a date that stands in default_args which have a name."""
    defaults = keyword(call, "default_args")
    if defaults is None or not _is_name(defaults.value) or keyword(call, "start_date"):
        return None
    mapping = dags.constant(source, defaults.value)
    is_there = isinstance(mapping, ast.Dict) and any(value is item for item in mapping.values)
    return f'{source.code(defaults.value)}.get("start_date")' if is_there else None


def naming(source: Source, call: ast.Call, default: str | None = "UTC") -> Change | None:
    """Give a start_date, or default_args, that is an expression a name before the statement: so the running file can be asked for its zone.

    None where its zone is known, or the machine's, or where the statement cannot have another one before it.
    """
    if default is None or zone(source, call, default) is not None:
        return None
    value = dags.start_date(source, call)
    item = keyword(call, "default_args")
    node, name = (
        (value, "_start_date") if isinstance(value, ast.expr) else (item.value if item else None, "_default_args")
    )
    if node is None or isinstance(node, ast.Constant | ast.Name) or not any(node is inner for inner in ast.walk(call)):
        return None
    statement: ast.AST = call
    while not isinstance(statement, ast.stmt):
        if isinstance(statement, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            return None
        statement = source.parents[statement]
    if isinstance(statement, ast.If | ast.While | ast.ClassDef):
        return None  # an `elif`, or what is evaluated again
    first = min([statement.lineno, *(item.lineno for item in getattr(statement, "decorator_list", ()))])
    start = source.line_start(first)
    indent = source.text[
        start : source.line_start(statement.lineno) + statement.col_offset
        if first == statement.lineno
        else start + statement.col_offset
    ].decode()
    if indent.strip():
        return None
    free = next(f"{name}{number}" for number in ("", *range(2, 1000)) if source.is_free(f"{name}{number}", "-"))
    code = source.code(node)
    line = f"{indent}{free} = {f'({code})' if chr(10) in code else code}{source.newline.decode()}"
    return Change((Edit(start, start, line), replace(source, node, free)))


def _is_name(node: ast.expr) -> bool:
    """Tell whether an expression only names something: reading it twice does nothing twice."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant | ast.Name):
            return False
        node = node.value
    return isinstance(node, ast.Name)


def _zone_at_run_time(start: str, naive: str) -> str:
    """Write what Airflow 2 did with a start_date that only the running file knows."""
    return f'str(getattr({start}, "tzinfo", None) or {naive})'


def _zone_of(source: Source, value: ast.expr, naive: str | None) -> str | None:
    if source.means(value, {"datetime.datetime.min"}):
        return naive
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return None if _WITH_OFFSET.search(value.value.strip()) else naive  # default_args take texts
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
        return _zone_of(source, dags.constant(source, value.left), naive)  # a date and a span
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr in _INTO_ZONE and len(value.args) == 1:
        return _named(source, value.args[0])
    if isinstance(value.func, ast.Attribute) and value.func.attr == "localize":
        return _named(source, value.func.value)
    if isinstance(value.func, ast.Attribute) and value.func.attr == "replace" and (item := keyword(value, "tzinfo")):
        return _named(source, item.value)
    if isinstance(value.func, ast.Attribute) and value.func.attr in _SAME_ZONE and not _is_zoned(value):
        inner = _zone_of(source, dags.constant(source, value.func.value), naive)
        if inner is not None:
            return inner
    if source.means(value.func, _NAIVE):
        return naive
    if source.means(value.func, {"datetime.datetime.now"}) and not value.args and not value.keywords:
        return naive
    said = [*value.args, *(item.value for item in value.keywords)]
    if source.means(value.func, _NOW) and len(said) == 1:
        return _named(source, said[0])
    if source.code(value).startswith(('pendulum.today("UTC")', "pendulum.today('UTC')")):
        return '"UTC"'
    if not source.means(value.func, _DATES) or any(item.arg is None for item in value.keywords):
        return None
    if source.means(value.func, _PARSED) and not _is_without_zone(source, value):
        return None
    given = keyword(value, "tz") or keyword(value, "tzinfo")
    if given is None and source.means(value.func, {"pendulum.from_format"}) and len(value.args) > 2:
        return _named(source, value.args[2])
    if given is None:
        plain = '"UTC"' if source.means(value.func, _ALWAYS_UTC) else naive
        return plain if len(value.args) < 8 else None
    return _named(source, given.value)


def _is_without_zone(source: Source, call: ast.Call) -> bool:
    """Tell whether a text, or the form that it is read by, is there to be seen and says no zone."""
    texts = [dags.constant(source, arg) for arg in call.args[:2]]
    if not texts or not all(isinstance(text, ast.Constant) and isinstance(text.value, str) for text in texts[-1:]):
        return False
    last = str(texts[-1].value)  # type: ignore[attr-defined]
    return not (_ZONE_TOKENS if len(texts) > 1 else _WITH_OFFSET).search(last)


def _named(source: Source, node: ast.expr) -> str | None:
    """Give the zone that tz=… or tzinfo=… names."""
    zone = dags.constant(source, node)
    if isinstance(zone, ast.Constant) and isinstance(zone.value, str):
        return f'"{zone.value}"'
    if isinstance(zone, ast.Call) and source.means(zone.func, _ZONES) and len(zone.args) == 1 and not zone.keywords:
        name = zone.args[0]
        return f'"{name.value}"' if isinstance(name, ast.Constant) and isinstance(name.value, str) else None
    if source.means(zone, {"datetime.timezone.utc", "pendulum.UTC", "pytz.UTC", "pytz.utc", "datetime.UTC"}):
        return '"UTC"'
    return None


def _is_zoned(call: ast.Call) -> bool:
    return any(item.arg in (None, "tzinfo", "tz") for item in call.keywords)
