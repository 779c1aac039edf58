"""The time zone in which Airflow 2 read a DAG's cron: that of its start_date, else of default_args. Shared by the rules about schedules."""

from __future__ import annotations

import ast

from aerodrome.migration.codemod.editing import keyword
from aerodrome.migration.codemod.rules import dags
from aerodrome.migration.codemod.source import Source

_DATES = frozenset(
    {
        "datetime.datetime",
        "datetime.datetime.strptime",
        "pendulum.datetime",
        "airflow.utils.dates.days_ago",
        "pendulum.parse",
        "airflow.utils.timezone.datetime",
        "airflow.sdk.timezone.datetime",
        "pendulum.DateTime",
    }
)
_ZONES = frozenset(
    {"pendulum.timezone", "pendulum.tz.timezone", "zoneinfo.ZoneInfo", "pytz.timezone", "pendulum.Timezone"}
)
_ALWAYS_UTC = frozenset({"pendulum.datetime", "pendulum.parse", "airflow.utils.dates.days_ago"})
"""They give dates with a zone, UTC when none is said; the others give dates without one, which Airflow 2 read in its default zone."""
_NAIVE = frozenset({"datetime.datetime.today", "datetime.datetime.utcnow", "datetime.datetime.combine"})
_NOW = frozenset({"datetime.datetime.now", *(f"pendulum.{name}" for name in ("now", "today", "yesterday", "tomorrow"))})
"""They take the zone as their only argument."""
_SAME_ZONE = ("replace", "add", "subtract", "start_of", "end_of")


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
    known = _zone_of(source, dags.constant(source, value), naive)
    if known or not naive:
        return known
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
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
        return _zone_of(source, dags.constant(source, value.left), naive)  # a date and a span
    if not isinstance(value, ast.Call):
        return None
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
    given = keyword(value, "tz") or keyword(value, "tzinfo")
    if given is None:
        plain = '"UTC"' if source.means(value.func, _ALWAYS_UTC) else naive
        return plain if len(value.args) < 8 else None
    return _named(source, given.value)


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
