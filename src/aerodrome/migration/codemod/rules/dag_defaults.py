"""Defaults of a DAG that changed silently, written out: catchup, the daily schedule, the data interval of a schedule."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Options, Rule, Spot
from aerodrome.migration.codemod.editing import add_keyword, keyword, replace
from aerodrome.migration.codemod.rules import dags, zones
from aerodrome.migration.codemod.rules.computed_schedules import CRON as _CRON
from aerodrome.migration.codemod.rules.computed_schedules import DELTA as _DELTA
from aerodrome.migration.codemod.rules.computed_schedules import INTERVAL as _INTERVAL
from aerodrome.migration.codemod.source import Source

_PRESETS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *", "@yearly": "0 0 1 1 *", "@midnight": "0 0 * * *", "@annually": "0 0 1 1 *",
}  # fmt: skip


def _catchup(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not options.catchup_by_default:
        return
    for call in dags.calls(source, dags.OLD):
        if keyword(call, "catchup") or "catchup" in dags.spread(source, call)[0]:
            continue
        if not dags.is_open(source, call):
            if dags.is_unscheduled(source, call):
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
            is_free = source.is_free(_CRON, f"{_INTERVAL}.{_CRON}")
            if is_free and (naming := zones.naming(source, call, options.zone)):
                yield naming
            elif (zone := zones.zone(source, call, options.zone)) is None:
                yield Spot(
                    given.lineno,
                    "Airflow 3 gives runs of this cron schedule no data interval, and the time zone of start_date cannot be seen.",
                    f"Write schedule={_CRON}({source.code(given)}, timezone=…).",
                )
            elif is_free:
                text = f"{_CRON}({source.code(given) if value.value == cron else repr(cron)}, timezone={zone})".replace(
                    "'", '"'
                )
                yield Change((replace(source, given, text),), ((_INTERVAL, _CRON),))
        elif (
            isinstance(value, ast.Call)
            and source.means(value.func, dags.DELTAS)
            and source.is_free(_DELTA, f"{_INTERVAL}.{_DELTA}")
        ):
            text = f"{_DELTA}({source.code(given)})"
            yield Change((replace(source, given, text),), ((_INTERVAL, _DELTA),))


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
