"""Schedules that only the running file knows keep their data intervals: by a small function that the file gets."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.contract import Change, Edit, Options, Rule, Spot
from aerodrome.migration.codemod.editing import before_statement, keyword, replace
from aerodrome.migration.codemod.rules import dags, zones
from aerodrome.migration.codemod.source import Source

INTERVAL = "airflow.timetables.interval"
CRON, DELTA = "CronDataIntervalTimetable", "DeltaDataIntervalTimetable"
NAME = "_with_data_interval"
_TEXT = f'''def {NAME}(schedule, timezone):
    """Give cron texts and timedeltas the data intervals that Airflow 2 gave them."""
    if isinstance(schedule, timedelta):
        return {DELTA}(schedule)
    if isinstance(schedule, str) and schedule not in ("@once", "@continuous"):
        return {CRON}(schedule, timezone=timezone)
    return schedule


'''
_IMPORTS = (("datetime", "timedelta"), (INTERVAL, CRON), (INTERVAL, DELTA))
_COMPUTED = (ast.Name, ast.Attribute, ast.Subscript, ast.JoinedStr)


def _find(source: Source, options: Options) -> Iterator[Change | Spot]:
    if not options.is_pinning_intervals:
        return
    is_made = False
    for call in dags.calls(source, dags.ANY):
        item = keyword(call, "schedule")
        given = item.value if item else dags.spread(source, call)[0].get("schedule")
        if given is None or not is_computed(dags.constant(source, given)):
            continue
        if isinstance(value := dags.constant(source, given), ast.Call) and source.means(value.func, dags.DELTAS):
            continue  # the rule about schedules that can be seen
        zone = zones.zone(source, call, options.zone)
        if zone is None and pinned(source, given, "") and (naming := zones.naming(source, call, options.zone)):
            yield naming
            continue
        change = pinned(source, given, zone) if zone is not None else None
        if change is not None and len(change.edits) > 1:
            if is_made:
                continue  # the function is made for another one this time; the next round finds it there
            is_made = True
        yield change or Spot(
            given.lineno,
            "The schedule is computed; if it is a cron text or a timedelta, Airflow 3 gives its runs no data interval.",
            f"Make it a {CRON} or {DELTA}, or set create_cron_data_intervals and create_delta_data_intervals.",
        )


def is_computed(value: ast.expr) -> bool:
    """Tell whether a schedule may turn out a cron text or a timedelta: a class, whose name is written large, makes a timetable or an asset."""
    if isinstance(value, ast.Call):
        func = value.func
        name = func.attr if isinstance(func, ast.Attribute) else func.id if isinstance(func, ast.Name) else "A"
        return not name.lstrip("_")[:1].isupper() and name != NAME
    if isinstance(value, ast.IfExp | ast.BoolOp):
        sides = [value.body, value.orelse] if isinstance(value, ast.IfExp) else value.values
        return any(is_computed(side) or isinstance(getattr(side, "value", None), str) for side in sides)
    return isinstance(value, _COMPUTED)


def pinned(source: Source, given: ast.expr, zone: str) -> Change | None:
    """Give the schedule its data intervals; None where the file uses the needed names for something else.

    A formatted text with blanks can only be a cron text. Everything else goes through the function, which stands before the statement that needs it first.
    """
    is_cron = isinstance(given, ast.JoinedStr) and any(
        isinstance(item, ast.Constant) and " " in str(item.value) for item in given.values
    )
    if is_cron:
        if not source.is_free(CRON, f"{INTERVAL}.{CRON}"):
            return None
        return Change((replace(source, given, f"{CRON}({source.code(given)}, timezone={zone})"),), ((INTERVAL, CRON),))
    if isinstance(given, ast.IfExp) and (text := _either(source, given, zone)) is not None:
        return Change((replace(source, given, text),), ((INTERVAL, CRON),))
    made = source.top.bound.get(NAME)
    if not made and not (
        source.is_free("timedelta", "datetime.timedelta")
        and source.is_free(CRON, f"{INTERVAL}.{CRON}")
        and source.is_free(DELTA, f"{INTERVAL}.{DELTA}")
        and source.is_free(NAME, "")
    ):
        return None
    call = replace(source, given, f"{NAME}({source.code(given)}, timezone={zone})")
    if made:
        return Change((call,))
    at = before_statement(source, given)
    return Change((Edit(at, at, _TEXT.replace("\n", source.newline.decode())), call), _IMPORTS)


def _either(source: Source, given: ast.IfExp, zone: str) -> str | None:
    """Write `"0 2 * * *" if … else None` with the timetable in its place; None where a side is more than such a text."""
    sides = []
    for side in (given.body, given.orelse):
        value = side.value if isinstance(side, ast.Constant) else ...
        is_cron = isinstance(value, str) and " " in value.strip()
        if not is_cron and value is not None:
            return None
        sides.append(f"{CRON}({source.code(side)}, timezone={zone})" if is_cron else "None")
    is_free = source.is_free(CRON, f"{INTERVAL}.{CRON}") and sides != ["None", "None"]
    return f"{sides[0]} if {source.code(given.test)} else {sides[1]}" if is_free else None


RULE = Rule(
    code="computed-schedule",
    title="Schedules that the file computes keep the data intervals of 2.x (when the target's create_cron_data_intervals is off)",
    words=(b"schedule",),
    before="""
from airflow import DAG
from datetime import datetime
import settings

# one DAG for each shop
for name, shop in settings.SHOPS.items():
    dag = DAG(name, schedule=shop["schedule"], start_date=datetime(2024, 1, 1), catchup=False)
""",
    after="""
from airflow import DAG
from datetime import datetime
import settings
from datetime import timedelta
from airflow.timetables.interval import CronDataIntervalTimetable
from airflow.timetables.interval import DeltaDataIntervalTimetable

def _with_data_interval(schedule, timezone):
    \"\"\"Give cron texts and timedeltas the data intervals that Airflow 2 gave them.\"\"\"
    if isinstance(schedule, timedelta):
        return DeltaDataIntervalTimetable(schedule)
    if isinstance(schedule, str) and schedule not in ("@once", "@continuous"):
        return CronDataIntervalTimetable(schedule, timezone=timezone)
    return schedule


# one DAG for each shop
for name, shop in settings.SHOPS.items():
    dag = DAG(name, schedule=_with_data_interval(shop["schedule"], timezone="UTC"), start_date=datetime(2024, 1, 1), catchup=False)
""",
    find=_find,
)
