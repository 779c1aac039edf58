"""Arithmetic of data intervals: which interval follows, which is due at a moment, which lie between.

Replays Airflow's CronDataIntervalTimetable and DeltaDataIntervalTimetable (timetables/interval.py, _cron.py and
_delta.py, equal in 2.11.2 and 3.3.2), and CronTriggerTimetable as converted definitions use it. Everything else (custom
timetables, other trigger timetables, calendar deltas) has no calendar here: the cutover then compares what both sides say
and asks no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from croniter.croniter import CroniterError

from aerodrome.migration.estate.records import DagRecord

Interval = tuple[datetime, datetime]

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
INTERVAL_TIMETABLES = {"CronDataIntervalTimetable", "DeltaDataIntervalTimetable"}
CONVERTED_CRON = "airflow.sdk.CronTriggerTimetable"
"""As a conversion writes it, without an interval; serialized DAGs name the module airflow.timetables.trigger and do not tell it."""


class Calendar(Protocol):
    """The fire times of a schedule; all moments are aware."""

    def following(self, moment: datetime) -> datetime:
        """Give the first fire time after the moment."""
        ...

    def aligned(self, moment: datetime) -> datetime:
        """Give the last fire time at or before the moment."""
        ...

    def newest_complete(self, now: datetime) -> Interval:
        """Give the interval where a schedule without catchup goes on."""
        ...


@dataclass(frozen=True)
class CronCalendar:
    """A cron text in a time zone."""

    expression: str
    zone: tzinfo

    @cached_property
    def _covers_every_hour(self) -> bool:
        return bool(croniter(self.expression).expanded[1] == ["*"])

    def following(self, moment: datetime) -> datetime:
        return self._step(moment, forward=True)

    def preceding(self, moment: datetime) -> datetime:
        """Give the last fire time before the moment."""
        return self._step(moment, forward=False)

    def aligned(self, moment: datetime) -> datetime:
        before = self.preceding(moment)
        return moment if self.following(before) == moment else before

    def newest_complete(self, now: datetime) -> Interval:
        start = self.preceding(now)
        if self.following(start) != now:
            start = self.preceding(start)
        return start, self.following(start)

    def _step(self, moment: datetime, *, forward: bool) -> datetime:
        naive = moment.astimezone(self.zone).replace(tzinfo=None)
        cron = croniter(self.expression, start_time=naive)
        scheduled: datetime = cron.get_next(datetime) if forward else cron.get_prev(datetime)
        if self._covers_every_hour:
            return moment + (scheduled - naive)
        return _aware(scheduled, self.zone)


@dataclass(frozen=True)
class PointCalendar:
    """Times without an interval: each begins and ends at itself."""

    times: CronCalendar

    def following(self, moment: datetime) -> datetime:
        return self.times.following(moment)

    def aligned(self, moment: datetime) -> datetime:
        return self.times.aligned(moment)

    def newest_complete(self, now: datetime) -> Interval:
        """Give the next one: without catchup a time that has just passed still runs, any older one does not."""
        moment = self.following(now)
        return moment, moment


@dataclass(frozen=True)
class DeltaCalendar:
    """A fixed period."""

    period: timedelta

    @classmethod
    def of_seconds(cls, seconds: float) -> DeltaCalendar | None:
        """Give the calendar; None when the period is not positive."""
        return cls(timedelta(seconds=seconds)) if seconds > 0 else None

    def following(self, moment: datetime) -> datetime:
        return moment + self.period

    def aligned(self, moment: datetime) -> datetime:
        return moment

    def newest_complete(self, now: datetime) -> Interval:
        seconds = self.period.total_seconds()
        rounded = now.timestamp() - now.timestamp() % seconds
        start = datetime.fromtimestamp(rounded, UTC) - self.period
        return start, start + self.period


def calendar_of(dag: DagRecord) -> Calendar | None:
    """Give the calendar of a DAG; None when its schedule makes no plain data intervals."""
    if dag.timetable == CONVERTED_CRON and dag.schedule_kind == "cron":
        cron = _cron(dag)
        return PointCalendar(cron) if cron else None
    if dag.timetable and dag.timetable.rpartition(".")[2] not in INTERVAL_TIMETABLES:
        return None
    schedule = dag.schedule or ""
    if dag.schedule_kind == "timedelta":
        return DeltaCalendar.of_seconds(float(schedule.removeprefix("timedelta:")))
    if dag.schedule_kind not in ("cron", "preset"):
        return None
    return _cron(dag)


def _cron(dag: DagRecord) -> CronCalendar | None:
    expression = PRESETS.get(dag.schedule or "", dag.schedule or "")
    try:
        croniter(expression)
        return CronCalendar(expression, ZoneInfo(dag.timezone or "UTC"))
    except (CroniterError, ZoneInfoNotFoundError, ValueError):
        return None


def after(calendar: Calendar, last: Interval) -> Interval:
    """Give the interval that follows `last` without a gap."""
    if isinstance(calendar, PointCalendar):
        moment = calendar.following(last[1])
        return moment, moment
    start = calendar.aligned(last[1])
    if start <= last[0]:
        start = calendar.following(start)
    return start, calendar.following(start)


def due(calendar: Calendar, last: Interval, now: datetime, *, catchup: bool) -> Interval:
    """Give the interval that a scheduler runs next when it looks at this moment."""
    following = after(calendar, last)
    return following if catchup else max(following, calendar.newest_complete(now))


def is_on(calendar: Calendar, interval: Interval) -> bool:
    """Tell whether an interval is one of the schedule."""
    if isinstance(calendar, PointCalendar):
        return interval == (calendar.aligned(interval[0]),) * 2
    before = (interval[0] - (interval[1] - interval[0]), interval[0])  # only its end matters to `after`
    return after(calendar, before) == interval


def between(calendar: Calendar, last: Interval, upcoming: Interval, *, limit: int = 1000) -> Iterator[Interval]:
    """Give the intervals after `last` and before `upcoming`, oldest first, at most `limit`."""
    current = after(calendar, last)
    for _ in range(limit):
        if current[0] >= upcoming[0]:
            return
        yield current
        current = after(calendar, current)


def _aware(naive: datetime, zone: tzinfo) -> datetime:
    """Give the moment of a wall clock time: the later of two, and shifted forward where the clock jumps."""
    local = naive.replace(tzinfo=zone, fold=1)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != naive:
        moment = naive.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment
