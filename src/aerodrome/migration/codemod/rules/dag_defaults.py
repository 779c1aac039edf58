"""Defaults of a DAG that changed silently, written out: catchup, the daily schedule, the data interval of a schedule."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, keyword, replace
from aerodrome.migration.codemod.rules import computed_schedules, dags
from aerodrome.migration.codemod.source import Source

_PRESETS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *", "@yearly": "0 0 1 1 *", "@midnight": "0 0 * * *", "@annually": "0 0 1 1 *",
}  # fmt: skip
_INTERVAL, _CRON, _DELTA = computed_schedules.INTERVAL, computed_schedules.CRON, computed_schedules.DELTA
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
_NAIVE = frozenset({"datetime.datetime.today", "datetime.datetime.utcnow", "datetime.datetime.combine"})
_SAME_ZONE = ("replace", "add", "subtract", "start_of", "end_of")
_DELTAS = frozenset({"datetime.timedelta", "pendulum.duration", "dateutil.relativedelta.relativedelta"})


def _catchup(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not options.catchup_by_default:
        return
    for call in dags.calls(source, dags.OLD):
        if keyword(call, "catchup") or "catchup" in dags.spread(source, call)[0]:
            continue
        if not dags.is_open(source, call):
            if _is_unscheduled(source, call):
                continue
            if dags.start_date(source, call) == "none":
                yield Spot(
                    call.lineno,
                    "This DAG has no start_date of its own, and Airflow 3 insists on one for catchup, which was on.",
                    "Write start_date=… and catchup=True.",
                )
                continue
            yield Change((add_keyword(source, call, "catchup", "True"),))
        elif any(item.arg is None for item in call.keywords) and not keyword(call, "catchup"):
            yield Spot(
                call.lineno,
                "It cannot be seen whether this DAG sets catchup: it was True, and is False in Airflow 3.",
                "Write catchup=True or catchup=False.",
            )


def _is_unscheduled(source: Source, call: ast.Call) -> bool:
    """Tell whether catchup has no meaning: triggered by hand or by datasets."""
    for name in dags.SCHEDULES:
        if (item := keyword(call, name)) is None:
            continue
        value = item.value
        if isinstance(value, ast.List | ast.Tuple) or (isinstance(value, ast.Constant) and value.value is None):
            return True
        if isinstance(value, ast.Call) and any(
            "Dataset" in name or "Asset" in name for name in source.meanings(value.func)
        ):
            return True
    return False


def _schedule(source: Source, _options: Options) -> Iterator[Change | Spot]:
    if not source.is_free("timedelta", "datetime.timedelta"):
        return
    for call in dags.calls(source, dags.OLD):
        if not any(keyword(call, name) for name in dags.SCHEDULES) and not dags.is_open(source, call, *dags.SCHEDULES):
            yield Change((add_keyword(source, call, "schedule", "timedelta(days=1)"),), (("datetime", "timedelta"),))
    for node in source.each(ast.FunctionDef):
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Name) and source.means(decorator, dags.DECORATORS):
                edit = replace(source, decorator, f"{decorator.id}(schedule=timedelta(days=1))")
                yield Change((edit,), (("datetime", "timedelta"),))


def _intervals(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not options.is_pinning_intervals:
        return
    for call in dags.calls(source, dags.ANY):
        item = keyword(call, "schedule")
        given = item.value if item else dags.spread(source, call)[0].get("schedule")
        if given is None:
            continue
        value = dags.constant(source, given)
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            cron = _PRESETS.get(value.value, value.value)
            if cron.startswith("@") or len(cron.split()) not in (5, 6, 7):
                continue
            if (zone := _zone(source, call)) is None:
                yield Spot(
                    given.lineno,
                    "Airflow 3 gives runs of this cron schedule no data interval, and the time zone of start_date cannot be seen.",
                    f"Write schedule={_CRON}({source.code(given)}, timezone=…).",
                )
            elif source.is_free(_CRON, f"{_INTERVAL}.{_CRON}"):
                text = f"{_CRON}({source.code(given) if value.value == cron else repr(cron)}, timezone={zone})".replace(
                    "'", '"'
                )
                yield Change((replace(source, given, text),), ((_INTERVAL, _CRON),))
        elif (
            isinstance(value, ast.Call)
            and source.means(value.func, _DELTAS)
            and source.is_free(_DELTA, f"{_INTERVAL}.{_DELTA}")
        ):
            text = f"{_DELTA}({source.code(given)})"
            yield Change((replace(source, given, text),), ((_INTERVAL, _DELTA),))
        elif (
            computed_schedules.is_computed(value) and not isinstance(given, ast.Call)
        ) or computed_schedules.is_computed(given):
            zone = _zone(source, call)
            if zone is not None and (change := computed_schedules.pinned(source, given, zone)) is not None:
                yield change
                continue
            yield Spot(
                given.lineno,
                "The schedule is computed; if it is a cron text or a timedelta, Airflow 3 gives its runs no data interval.",
                f"Make it a {_CRON} or {_DELTA}, or set create_cron_data_intervals and create_delta_data_intervals.",
            )


def _zone(source: Source, call: ast.Call) -> str | None:
    """Give the time zone in which Airflow 2 read the DAG's cron: that of its start_date, else of default_args."""
    value = dags.start_date(source, call)
    if value == "none":
        return '"UTC"'
    if isinstance(value, str):
        defaults = keyword(call, "default_args")
        is_named = defaults is not None and _is_name(defaults.value)
        return _zone_at_run_time(f'{source.code(defaults.value)}.get("start_date")') if is_named else None  # type: ignore[union-attr]
    return _zone_of(source, dags.constant(source, value)) or (
        _zone_at_run_time(source.code(value)) if _is_name(value) else None
    )


def _is_name(node: ast.expr) -> bool:
    """Tell whether an expression only names something: reading it twice does nothing twice."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        if isinstance(node, ast.Subscript) and not isinstance(node.slice, ast.Constant | ast.Name):
            return False
        node = node.value
    return isinstance(node, ast.Name)


def _zone_at_run_time(start: str) -> str:
    """Write what Airflow 2 did with a start_date that only the running file knows."""
    return f'str(getattr({start}, "tzinfo", None) or "UTC")'


def _zone_of(source: Source, value: ast.expr) -> str | None:
    if source.means(value, {"datetime.datetime.min"}):
        return '"UTC"'
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
        return _zone_of(source, dags.constant(source, value.left))  # a date and a span
    if not isinstance(value, ast.Call):
        return None
    if isinstance(value.func, ast.Attribute) and value.func.attr in _SAME_ZONE and not _is_zoned(value):
        inner = _zone_of(source, dags.constant(source, value.func.value))
        if inner is not None:
            return inner
    if source.means(value.func, _NAIVE):
        return '"UTC"'
    if source.means(value.func, {"datetime.datetime.now"}) and not value.args and not value.keywords:
        return '"UTC"'
    if source.code(value).startswith(('pendulum.today("UTC")', "pendulum.today('UTC')")):
        return '"UTC"'
    if not source.means(value.func, _DATES) or any(item.arg is None for item in value.keywords):
        return None
    given = keyword(value, "tz") or keyword(value, "tzinfo")
    if given is None:
        return '"UTC"' if len(value.args) < 8 else None
    zone = dags.constant(source, given.value)
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


CATCHUP = Rule(
    code="catchup-default",
    title="catchup is written out where the source's default was True; Airflow 3 has False",
    words=(b"DAG", b"dag"),
    before="""
from airflow import DAG

dag = DAG("sales", start_date=FIRST, schedule="@daily")  # nightly
""",
    after="""
from airflow import DAG

dag = DAG("sales", start_date=FIRST, schedule="@daily", catchup=True)  # nightly
""",
    find=_catchup,
)
SCHEDULE = Rule(
    code="implicit-schedule",
    title="The daily schedule of 2.x is written out; without a schedule Airflow 3 never runs a DAG by itself",
    words=(b"DAG", b"dag"),
    before="""
from airflow import DAG

dag = DAG(
    "sales",
    catchup=False,
)
""",
    after="""
from airflow import DAG
from datetime import timedelta

dag = DAG(
    "sales",
    catchup=False,
    schedule=timedelta(days=1),
)
""",
    find=_schedule,
)
INTERVALS = Rule(
    code="data-interval",
    title="Cron and timedelta schedules keep the data intervals of 2.x (when the target's create_cron_data_intervals is off)",
    words=(b"schedule",),
    before="""
from airflow import DAG
import pendulum

dag = DAG("sales", schedule="0 2 * * *", start_date=pendulum.datetime(2024, 1, 1, tz="Europe/Amsterdam"), catchup=True)
""",
    after="""
from airflow import DAG
import pendulum
from airflow.timetables.interval import CronDataIntervalTimetable

dag = DAG("sales", schedule=CronDataIntervalTimetable("0 2 * * *", timezone="Europe/Amsterdam"), start_date=pendulum.datetime(2024, 1, 1, tz="Europe/Amsterdam"), catchup=True)
""",
    find=_intervals,
)
