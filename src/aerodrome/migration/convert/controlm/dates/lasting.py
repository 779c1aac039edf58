"""Dates that criteria without a calendar choose for ever, as a test of a date in Python.

Whether a test is exact is not argued: it is compared with the criteria over a whole cycle of the calendar (28 years).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from itertools import groupby

from aerodrome.migration.convert.controlm.dates.order_dates import Almanac, Horizon
from aerodrome.migration.convert.controlm.dates.ordering import FolderOrder, order_folder
from aerodrome.migration.convert.controlm.definitions.model import Folder, Rule

_CYCLE = 28  # years after which the weekdays of all dates come again
_MOST = 60  # dates of a year that are still written one by one
_PARTS = 4  # groups of months, or of weekdays, that are still written as tests of their own
_SHORT = 100  # letters of a test that needs no shorter one
Feature = Callable[[date], int]
Path = tuple[str, ...]


@dataclass
class Lasting:
    """The tests of all folders of an export; a folder is evaluated over the cycle once, when one of its jobs needs a test."""

    horizon: Horizon
    shared: Mapping[str, Rule] = field(default_factory=dict)  # rule-based calendars that belong to no folder
    is_week_from_sunday: bool = False
    _almanac: Almanac | None = None
    _dates: dict[int, Mapping[frozenset[date], frozenset[date]]] = field(default_factory=dict)
    _tests: dict[frozenset[date], str | None] = field(default_factory=dict)

    def test_of(
        self,
        number: int,
        folder: Folder,
        order: FolderOrder,
        apart: Iterable[Path],
        dates: frozenset[date],
        *,
        is_by_hand: bool,
    ) -> str | None:
        """Give the test that holds for these dates of a folder or its jobs, and after them; None where there is no short one."""
        if self._almanac is None:
            first = self.horizon.first.year
            cycle = Horizon(date(first, 1, 1), date(first + _CYCLE - 1, 12, 31))
            self._almanac = Almanac({}, cycle, week_starts_on_sunday=self.is_week_from_sunday)
        if number not in self._dates:
            far = order_folder(folder, self._almanac, self.shared, is_by_hand=is_by_hand)
            self._dates[number] = lasting_dates(order, far, frozenset(apart))
        found = self._dates[number].get(dates)
        if found is None:
            return None
        if found not in self._tests:
            self._tests[found] = test_of(found, self._almanac.horizon)
        return self._tests[found]


def lasting_dates(
    order: FolderOrder, far: FolderOrder, apart: frozenset[Path] = frozenset()
) -> Mapping[frozenset[date], frozenset[date]]:
    """Give the dates of a whole cycle for those of jobs that no calendar bounds, and for those of all jobs together.

    `far` is the order of the same folder without calendars: what needs one is not known there. Jobs `apart` have DAGs of their own.
    """
    found: dict[frozenset[date], set[frozenset[date] | None]] = {}
    for path, item in order.jobs.items():
        other = far.jobs[path]
        found.setdefault(item.dates, set()).add(other.dates if other.is_known else None)
    here = [path for path in order.jobs if path not in apart]
    if all(far.jobs[path].is_known for path in here):
        whole = _together(far, here)
        found.setdefault(_together(order, here), set()).add(whole)
    return {dates: far_dates for dates, [far_dates, *more] in found.items() if far_dates is not None and not more}


def _together(order: FolderOrder, paths: Iterable[Path]) -> frozenset[date]:
    return frozenset[date]().union(*{id(order.jobs[path].dates): order.jobs[path].dates for path in paths}.values())


def test_of(dates: frozenset[date], cycle: Horizon) -> str | None:
    """Give the test, on `day`, that holds for exactly these dates of a cycle; None where there is no short one."""
    if not dates:
        return None
    months = {day.month for day in dates}
    test = _of_months([day for day in cycle.days() if day.month in months], dates)
    if test is not None:
        return _in_months(months, test)
    return _month_by_month(cycle, dates) or _of_each_year(cycle.days(), dates)


def _of_months(here: Sequence[date], dates: frozenset[date] | set[date]) -> str | None:
    """Give the test that holds for the dates among days of the same months."""
    test = _any_of(here, dates) or _of_weekdays(here, dates)
    if test is not None and len(test) <= _SHORT:
        return test
    return min(filter(None, (test, _all_but(here, dates))), key=len, default=None)


def _in_months(months: Iterable[int], test: str) -> str:
    listed = set(months)
    if len(listed) == 12:
        return test
    return f"day.month in {_set(listed)}" + ("" if test == "True" else f" and {_grouped(test)}")


def _any_of(here: Sequence[date], dates: frozenset[date] | set[date], *, has_weekdays: bool = True) -> str | None:
    """Days of the month, weekdays and days before the end of the month, of which one is enough."""
    if len(here) == len(dates):
        return "True"
    weekdays = _whole(here, dates, _weekday) if has_weekdays else set()
    numbers, ends = _whole(here, dates, _number), {n for n in _whole(here, dates, _end) if n <= 28}
    chosen = {d for d in here if _weekday(d) in weekdays or _number(d) in numbers or _end(d) in ends}
    if chosen != dates:
        return None
    for end in sorted(ends, reverse=True):
        if all(_weekday(d) in weekdays or _number(d) in numbers for d in dates if _end(d) == end):
            ends.discard(end)
    for number in sorted(numbers, reverse=True):
        if all(_weekday(d) in weekdays or _end(d) in ends for d in dates if _number(d) == number):
            numbers.discard(number)
    tests = [f"day.day in {_set(numbers)}"] if numbers else []
    tests += [f"day.isoweekday() % 7 in {_set(weekdays)}"] if weekdays else []
    tests += [_before_end(first, last) for first, last in _runs(ends)]
    return " or ".join(tests)


def _of_weekdays(here: Sequence[date], dates: frozenset[date] | set[date]) -> str | None:
    """Weekdays, each on some days of the month only; those with the same ones together."""
    groups: dict[str, set[int]] = {}
    for weekday in sorted({_weekday(day) for day in dates}):
        of_weekday = [day for day in here if _weekday(day) == weekday]
        inner = _any_of(of_weekday, dates & set(of_weekday), has_weekdays=False)
        if inner is None:
            return None
        groups.setdefault(inner, set()).add(weekday)
    if len(groups) > _PARTS:
        return None
    tests = [
        f"day.isoweekday() % 7 in {_set(weekdays)}" + ("" if inner == "True" else f" and {_grouped(inner)}")
        for inner, weekdays in groups.items()
    ]
    return " or ".join(tests)


def _all_but(here: Sequence[date], dates: frozenset[date] | set[date]) -> str | None:
    others = set(here) - dates
    inner = (_any_of(here, others) or _of_weekdays(here, others)) if others else None
    return None if inner is None else f"not ({inner})"


def _month_by_month(cycle: Horizon, dates: frozenset[date]) -> str | None:
    """Months with tests of their own; those with the same one together."""
    groups: dict[str, set[int]] = {}
    for month in sorted({day.month for day in dates}):
        here = [day for day in cycle.days() if day.month == month]
        test = _of_months(here, dates & set(here))
        if test is None:
            return None
        groups.setdefault(test, set()).add(month)
    if len(groups) > _PARTS:
        return None
    return " or ".join(_in_months(months, test) for test, months in groups.items())


def _of_each_year(every: Iterable[date], dates: frozenset[date]) -> str | None:
    pairs = {(day.month, day.day) for day in dates}
    if len(pairs) > _MOST or {day for day in every if (day.month, day.day) in pairs} != dates:
        return None
    return "(day.month, day.day) in {" + ", ".join(map(str, sorted(pairs))) + "}"


def _whole(here: Iterable[date], dates: frozenset[date] | set[date], feature: Feature) -> set[int]:
    """Give the values of a feature of which all days are among the dates."""
    groups = groupby(sorted(here, key=feature), key=feature)
    return {value for value, days in groups if all(day in dates for day in days)}


def _number(day: date) -> int:
    return day.day


def _weekday(day: date) -> int:
    return day.isoweekday() % 7


@cache
def _end(day: date) -> int:
    """Give how many days are left in the month, with this one."""
    later = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return (later - day).days


def _runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Give numbers that follow each other as their first and last one."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _before_end(first: int, last: int) -> str:
    """Give the test of a day with `first` to `last` days left in its month: so many days later is a day at the start of the next."""
    return f"(day + timedelta(days={last})).day " + (f"<= {last - first + 1}" if last > first else "== 1")


def _grouped(test: str) -> str:
    return f"({test})" if " or " in test and not (test.startswith("not (") and test.endswith(")")) else test


def _set(values: Iterable[int]) -> str:
    return "{" + ", ".join(map(str, sorted(values))) + "}"
