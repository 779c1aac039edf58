"""The times of a converted schedule, computed from what the converter read and not by what it emitted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from aerodrome.migration.convert.contract import Call, Dag
from aerodrome.migration.convert.oozie.oracle import first_after
from aerodrome.migration.estate.calendars import CronCalendar

_DATES = "ORDER_DATES"
_STEP = timedelta(seconds=1)


def is_scheduled(dag: Dag) -> bool:
    """Tell whether the DAG has times of its own; others are started by assets, by other DAGs or by people."""
    expression = dag.schedule.expression
    return isinstance(expression, Call) and "Asset" not in expression.symbol.name


def following(dag: Dag, last: datetime | None) -> datetime | None:
    """Give the first time after `last`, or the very first one; None when there is none, or the schedule has no times."""
    schedule = dag.schedule
    if not is_scheduled(dag):
        return None
    if schedule.oracle:
        found = first_after(schedule.oracle, last)
    else:
        floor = (schedule.start - _STEP) if schedule.start else datetime.now(UTC)
        found = _listed(dag, max(last, floor) if last else floor)
    if found is None or (schedule.end is not None and found > schedule.end):
        return None
    return found.astimezone(UTC)


def is_nominal(dag: Dag, moment: datetime) -> bool:
    """Tell whether a moment is one of the schedule's times."""
    return following(dag, moment - _STEP) == moment


def is_known(dag: Dag) -> bool:
    """Tell whether the times of a schedule can be computed here."""
    return bool(dag.schedule.oracle) or _cron(dag) is not None or _dates(dag) is not None


def cron_of(dag: Dag) -> tuple[str, str] | None:
    """Give cron text and time zone of a schedule by cron; None for another."""
    return _cron(dag)


def _listed(dag: Dag, last: datetime) -> datetime | None:
    cron = _cron(dag)
    if cron is not None:
        return CronCalendar(cron[0], ZoneInfo(cron[1])).following(last)
    return next((moment for moment in _dates(dag) or () if moment > last), None)


def _cron(dag: Dag) -> tuple[str, str] | None:
    call = dag.schedule.expression
    if not isinstance(call, Call) or call.symbol.name != "CronTriggerTimetable" or not call.arguments:
        return None
    zone = dict(call.keywords).get("timezone", "UTC")
    return str(call.arguments[0]), str(zone)


def _dates(dag: Dag) -> list[datetime] | None:
    """Read the dates that a Control-M calendar gives: a list in the file, and one time of day in the expression."""
    call = dag.schedule.expression
    listed = next((item for item in dag.functions if item.name == _DATES), None)
    if listed is None or not isinstance(call, Call):
        return None
    text = str(getattr(dict(call.keywords).get("event_dates"), "text", ""))
    clock = text.partition("{day}T")[2][:5]
    if len(clock) != 5:
        return None
    zone = ZoneInfo(dag.schedule.timezone)
    days = listed.source.split('"""')[1].split()
    return sorted(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=zone).astimezone(UTC) for day in days)
