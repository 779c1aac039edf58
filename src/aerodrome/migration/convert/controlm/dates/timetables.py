"""Dates and times as Airflow schedules: one cron expression where it is exact, else the dates themselves.

Whether a cron expression is exact is not argued: both sides are listed over the whole horizon and compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise

from aerodrome.migration.convert.controlm.dates.order_dates import Horizon

_EVERY_MONTH = frozenset(range(1, 13))


@dataclass(frozen=True)
class DayFields:
    """The last three fields of a cron expression."""

    days: str
    months: str
    weekdays: str

    def __str__(self) -> str:
        return f"{self.days} {self.months} {self.weekdays}"


@cache
def day_fields(dates: frozenset[date], horizon: Horizon) -> DayFields | None:
    """Give cron fields that choose exactly these dates of the horizon, None when there are none."""
    if not dates:
        return None
    every = list(horizon.days())
    months = frozenset(day.month for day in dates)
    month_field = "*" if months == _EVERY_MONTH else _numbers(months)
    here = [day for day in every if day.month in months]
    if len(here) == len(dates):
        return DayFields("*", month_field, "*")
    weekdays = frozenset(w for w in range(7) if all(d in dates for d in here if d.isoweekday() % 7 == w))
    of_weekdays = {day for day in here if day.isoweekday() % 7 in weekdays}
    if weekdays and of_weekdays == dates:
        return DayFields("*", month_field, _numbers(weekdays))
    days = frozenset(
        n for n in range(1, 32) if all(d in dates for d in here if d.day == n) and any(d.day == n for d in here)
    )
    of_days = {day for day in here if day.day in days}
    is_last = all(day in dates for day in here if (day + timedelta(days=1)).day == 1)
    if days and of_days == dates:
        return DayFields(_numbers(days), month_field, "*")
    lasts = {day for day in here if (day + timedelta(days=1)).day == 1}
    if is_last and lasts == dates:
        return DayFields("L", month_field, "*")
    if days and weekdays and of_days | of_weekdays == dates:
        return DayFields(_numbers(days), month_field, _numbers(weekdays))
    return None


@cache
def nth_fields(dates: frozenset[date], horizon: Horizon) -> DayFields | None:
    """Give cron fields with the first to fourth (`1#2`) and the last (`L5`) of weekdays of months, where they are exact.

    None for a short horizon: in a single year any date is the nth weekday of its month. Not every month has a fifth one.
    """
    if not dates or horizon.last.year - horizon.first.year < 3:
        return None
    months = frozenset(day.month for day in dates)
    here = [day for day in horizon.days() if day.month in months]
    nth: dict[str, set[date]] = {}
    for day in here:
        if day.day <= 28:
            nth.setdefault(f"{day.isoweekday() % 7}#{(day.day + 6) // 7}", set()).add(day)
        if (day + timedelta(days=7)).month != day.month:
            nth.setdefault(f"L{day.isoweekday() % 7}", set()).add(day)
    whole = {name: days for name, days in nth.items() if days <= dates}
    if set[date]().union(*whole.values()) != dates:
        return None
    for name in sorted(whole, key=lambda name: (name.startswith("L"), name), reverse=True):
        if set[date]().union(*(days for other, days in whole.items() if other != name)) == dates:
            del whole[name]
    return DayFields("*", "*" if months == _EVERY_MONTH else _numbers(months), ",".join(sorted(whole)))


def _numbers(values: Iterable[int]) -> str:
    """Write a cron list with ranges: `1-5,7`."""
    ordered = sorted(values)
    parts: list[str] = []
    start = previous = ordered[0]
    for value in [*ordered[1:], -9]:
        if value == previous + 1:
            previous = value
            continue
        parts.append(
            str(start)
            if start == previous
            else f"{start}-{previous}"
            if previous > start + 1
            else f"{start},{previous}"
        )
        start = previous = value
    return ",".join(parts)


@dataclass(frozen=True)
class Clock:
    """The Control-M day of a site: its zone and the minute at which a new ODATE begins."""

    timezone: str = "UTC"
    new_day: int = 0  # minutes after midnight

    def moment(self, odate: date, minutes: int) -> tuple[date, int]:
        """Give the calendar date and minute of a time of an ODATE: before the new day it is the next calendar day."""
        return (odate + timedelta(days=1), minutes) if minutes < self.new_day else (odate, minutes)

    def odate(self, moment: datetime) -> date:
        """Give the ODATE to which a local moment belongs."""
        return (moment - timedelta(minutes=self.new_day)).date()

    def place(self, minutes: int) -> int:
        """Give minutes since the new day, to compare times of the same ODATE."""
        return (minutes - self.new_day) % 1440


def cron_of_times(times: Sequence[int]) -> tuple[str, bool]:
    """Give the minute and hour fields that choose these times of a day, and whether they choose no other."""
    minutes, hours = {time % 60 for time in times}, {time // 60 for time in times}
    fields = f"{_steps(minutes, 60)} {_steps(hours, 24)}"
    return fields, len(minutes) * len(hours) == len(set(times))


def _steps(values: set[int], size: int) -> str:
    if len(values) == size:
        return "*"
    ordered = sorted(values)
    gaps = {later - earlier for earlier, later in pairwise(ordered)}
    if len(gaps) == 1 and len(ordered) > 2:
        gap = gaps.pop()
        if ordered[0] == 0 and ordered[-1] + gap >= size:
            return f"*/{gap}"
        if gap > 1:
            return f"{ordered[0]}-{ordered[-1]}/{gap}"
    return _numbers(values)
