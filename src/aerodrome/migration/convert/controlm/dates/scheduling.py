"""The schedules of DAGs: of a folder, and of a cyclic job that has a DAG of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from textwrap import fill
from zoneinfo import ZoneInfo

from aerodrome.migration.convert import symbols
from aerodrome.migration.convert.contract import Call, Code, Expression, Function, Schedule
from aerodrome.migration.convert.controlm.dates.cycles import times_of
from aerodrome.migration.convert.controlm.dates.order_dates import Horizon
from aerodrome.migration.convert.controlm.dates.timetables import cron_of_times, day_fields, nth_fields
from aerodrome.migration.convert.controlm.definitions.model import Job
from aerodrome.migration.convert.controlm.site import Site


@dataclass(frozen=True)
class Timing:
    """A schedule, what the file needs for it, and how far it reaches (None: without an end).

    `times` and `dates` are set when the cron expression chooses more than the job: its tasks check them.
    """

    schedule: Schedule
    functions: tuple[Function, ...] = ()
    ends: date | None = None
    cron: str = ""
    times: tuple[int, ...] = ()
    dates: frozenset[date] | None = None


def no_schedule(site: Site) -> Timing:
    """Give the timing of a DAG that somebody starts."""
    return Timing(Schedule(None, _midnight(site.horizon.first, site), timezone=site.clock.timezone))


def folder_timing(dates: frozenset[date], tick: int, site: Site) -> Timing:
    """Give the timing of a folder: one run on each date, at one time."""
    horizon = site.horizon
    if tick < site.clock.new_day:  # before the new day: the calendar is one day ahead
        dates = frozenset(day + timedelta(days=1) for day in dates)
        horizon = Horizon(horizon.first + timedelta(days=1), horizon.last + timedelta(days=1))
    start = _midnight(max(min(dates), horizon.first), site)
    fields = day_fields(dates, horizon) or nth_fields(dates, horizon)
    if fields is not None:
        cron = f"{tick % 60} {tick // 60} {fields}"
        return Timing(Schedule(_cron(cron, site), start, timezone=site.clock.timezone), cron=cron)
    listed = fill(" ".join(day.isoformat() for day in sorted(dates)), 100)
    source = f'''
ORDER_DATES = """
{listed}
""".split()
'''
    moments = (
        f'pendulum.parse(f"{{day}}T{tick // 60:02}:{tick % 60:02}", tz="{site.clock.timezone}") for day in ORDER_DATES'
    )
    call = Call(symbols.EVENTS, (), (("event_dates", Code(f"[{moments}]", (symbols.PENDULUM,))),))
    return Timing(Schedule(call, start, timezone=site.clock.timezone), (Function("ORDER_DATES", source),), max(dates))


def cyclic_timing(job: Job, dates: frozenset[date], site: Site) -> Timing | None:
    """Give the timing of a cyclic job: every time of every date. None when its times cannot be said."""
    times = times_of(job, site.clock)
    if not times or not dates:
        return None
    clock_fields, is_exact = cron_of_times(sorted(times))
    fields = day_fields(dates, site.horizon) or nth_fields(dates, site.horizon)
    has_early = any(time < site.clock.new_day for time in times)
    is_daily = fields is not None and str(fields) == "* * *"
    if fields is None or (has_early and not is_daily):
        cron, kept = f"{clock_fields} * * *", dates
    else:
        cron, kept = f"{clock_fields} {fields}", None
    start = _midnight(max(min(dates), site.horizon.first), site)
    schedule = Schedule(_cron(cron, site), start, timezone=site.clock.timezone)
    ends = max(dates) if fields is None else None
    return Timing(schedule, (), ends, cron, () if is_exact and kept is None else times, kept)


def _cron(cron: str, site: Site) -> Expression:
    return Call(symbols.CRON, (cron,), (("timezone", site.clock.timezone),))


def _midnight(day: date, site: Site) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(site.clock.timezone))
