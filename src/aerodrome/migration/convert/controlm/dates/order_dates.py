"""On which dates (ODATE) Control-M orders a job: criteria, calendars, confirmation and shifts, evaluated day by day.

The rules are those of the Control-M Parameters guide (9.0.2x), DAYS, WEEKDAYS, DAYS_AND_OR, CONFCAL and SHIFT. What cannot be
evaluated raises `Unknown`: nobody guesses a date.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from aerodrome.migration.convert.controlm.definitions.model import Calendar, Rule

_DAY = timedelta(days=1)
_TOKEN = re.compile(r"(-?)([+><DL=]?)(\d+)\Z")


class Unknown(Exception):
    """The dates cannot be said; `code` names why, the message is a sentence."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Horizon:
    """The dates that are evaluated, both included; calendars may end earlier."""

    first: date
    last: date

    def days(self, margin: int = 0) -> Iterable[date]:
        day, last = self.first - margin * _DAY, self.last + margin * _DAY
        while day <= last:
            yield day
            day += _DAY


class Almanac:
    """The calendars of an export, and the answers about rules that were given before."""

    def __init__(
        self, calendars: Mapping[str, Calendar], horizon: Horizon, *, week_starts_on_sunday: bool = False
    ) -> None:
        self._calendars = calendars
        self.horizon = horizon
        self._sunday_first = week_starts_on_sunday
        self._known: dict[Rule, frozenset[date]] = {}
        self._same: dict[frozenset[date], frozenset[date]] = {}

    def dates(self, rule: Rule) -> frozenset[date]:
        """Give the dates of a rule within the horizon. Unknown when a calendar is missing or a word is not understood."""
        if rule not in self._known:
            self._known[rule] = self.one(self._dates(rule))
        return self._known[rule]

    def one(self, dates: frozenset[date]) -> frozenset[date]:
        """Give one object for equal sets of dates: large exports have few of them and very many jobs."""
        return self._same.setdefault(dates, dates)

    def calendar(self, name: str) -> Calendar:
        found = self._calendars.get(name)
        if found is None:
            raise Unknown("calendar-missing", f"The calendar {name} is not in the export.")
        return found

    def _dates(self, rule: Rule) -> frozenset[date]:
        chosen = {day for day in self.horizon.days(62) if day.month in rule.months} & self._by_criteria(rule)
        if rule.confirm_calendar:
            chosen = self._confirmed(chosen, rule)
        elif rule.shift_days:
            chosen = {day + timedelta(days=rule.shift_days) for day in chosen}
        first = max(filter(None, (self.horizon.first, rule.active_from)))
        last = min(filter(None, (self.horizon.last, rule.active_till)))
        if rule.active_from and rule.active_till and rule.active_from > rule.active_till:  # active outside of that time
            return frozenset(
                d
                for d in chosen
                if self.horizon.first <= d <= self.horizon.last and not rule.active_till < d < rule.active_from
            )
        return frozenset(day for day in chosen if first <= day <= last)

    def _by_criteria(self, rule: Rule) -> set[date]:
        if rule.is_never:
            return set()
        if rule.dates:
            return {day for day in self.horizon.days(62) if (day.month, day.day) in rule.dates}
        has_days, has_weekdays = bool(rule.days or rule.days_calendar), bool(rule.weekdays or rule.weeks_calendar)
        days = self._month_days(rule) if has_days else set()
        weekdays = self._week_days(rule) if has_weekdays else set()
        if has_days and has_weekdays:
            return days & weekdays if rule.is_and else days | weekdays
        return days | weekdays

    def _month_days(self, rule: Rule) -> set[date]:
        calendar = self.calendar(rule.days_calendar) if rule.days_calendar else None
        every = [day for day in self.horizon.days(62) if calendar is None or calendar.first <= day <= calendar.last]
        working = set(every) if calendar is None else {day for day in every if day in calendar.dates}
        if rule.days in ("", "ALL"):
            return working
        months: dict[tuple[int, int], list[date]] = {}
        for day in every:
            months.setdefault((day.year, day.month), []).append(day)
        chosen: set[date] = set()
        left_out: set[date] = set()
        is_selecting = False
        for word in rule.days.split(","):
            minus, mark, number = self._token(word, "DAYS")
            if mark == "D" and calendar is None:
                raise Unknown("days-need-calendar", f"DAYS={word} counts working days, but there is no DAYSCAL.")
            found = {day for month in months.values() for day in _in_month(mark, number, month, working)}
            if minus:
                left_out |= found
            elif mark == "+":
                chosen |= found
            else:
                is_selecting = True
                chosen |= found & working if mark == "" else found
        return (chosen if is_selecting else chosen | working) - left_out

    def _week_days(self, rule: Rule) -> set[date]:
        calendar = self.calendar(rule.weeks_calendar) if rule.weeks_calendar else None
        every = [day for day in self.horizon.days(62) if calendar is None or calendar.first <= day <= calendar.last]
        working = set(every) if calendar is None else {day for day in every if day in calendar.dates}
        if rule.weekdays in ("", "ALL"):
            return working
        weeks: dict[date, list[date]] = {}
        for day in every:
            weeks.setdefault(day - timedelta(days=self._place(day)), []).append(day)
        chosen: set[date] = set()
        left_out: set[date] = set()
        is_selecting = False
        for word in rule.weekdays.split(","):
            minus, mark, number = self._token(word, "WEEKDAYS")
            if mark in ("D", "L") and calendar is None:
                raise Unknown(
                    "weekdays-need-calendar", f"WEEKDAYS={word} counts working days, but there is no WEEKSCAL."
                )
            found = {day for week in weeks.values() for day in self._in_week(mark, number, week, working)}
            if minus:
                left_out |= found
            elif mark == "+":
                chosen |= found
            else:
                is_selecting = True
                chosen |= found & working if mark in ("", "=") else found
        return (chosen if is_selecting else chosen | working) - left_out

    def _in_week(self, mark: str, number: int, week: list[date], working: set[date]) -> set[date]:
        if mark in ("D", "L"):
            return _nth([day for day in week if day in working], number, mark)
        if mark == "=":
            return {day for day in week if day.isoweekday() % 7 == number}
        named = [day for day in week if self._place(day) == (number - 1) % 7]
        return _moved(mark, named, working)

    def _place(self, day: date) -> int:
        """Give the place of a day in its week, from 0; Control-M numbers the same days 1 to 6 and then 0."""
        return day.isoweekday() % 7 if self._sunday_first else day.weekday()

    def _token(self, word: str, where: str) -> tuple[bool, str, int]:
        found = _TOKEN.match(word)
        if not found or (found[2] == "=" and where == "DAYS"):
            raise Unknown("days-not-understood", f"{where}={word} is not understood.")
        return bool(found[1]), found[2], int(found[3])

    def _confirmed(self, days: set[date], rule: Rule) -> set[date]:
        calendar = self.calendar(rule.confirm_calendar)
        working = sorted(calendar.dates)
        places = {day: place for place, day in enumerate(working)}
        found = set()
        for day in days:
            if not calendar.first <= day <= calendar.last:
                continue
            moved: date | None = day
            if day not in calendar.dates:
                later = next((item for item in working if item > day), None)
                earlier = next((item for item in reversed(working) if item < day), None)
                moved = {"ignore": None, "next": later, "prior": earlier, "none": day}[rule.shift]
            if moved is not None and rule.shift_days:
                if moved not in places:
                    moved += timedelta(days=rule.shift_days)
                else:
                    place = places[moved] + rule.shift_days
                    moved = working[place] if 0 <= place < len(working) else None
            if moved is not None:
                found.add(moved)
        return found


def _in_month(mark: str, number: int, month: list[date], working: set[date]) -> set[date]:
    if mark in ("D", "L") and not (mark == "L" and working >= set(month)):
        return _nth([day for day in month if day in working], number, mark)
    length = monthrange(month[0].year, month[0].month)[1]
    wanted = length - number + 1 if mark == "L" else number
    return _moved("" if mark == "L" else mark, [day for day in month if day.day == wanted], working)


def _nth(days: list[date], number: int, mark: str) -> set[date]:
    if not 1 <= number <= len(days):
        return set()
    return {days[number - 1] if mark == "D" else days[-number]}


def _moved(mark: str, days: list[date], working: set[date]) -> set[date]:
    """Move days that are not working days: `>` to the next one, `<` to the one before; other marks keep them."""
    if mark not in (">", "<") or not working:
        return set(days)
    step = _DAY if mark == ">" else -_DAY
    found = set()
    for day in days:
        moved, left = day, 62
        while moved not in working and left:
            moved, left = moved + step, left - 1
        if left:
            found.add(moved)
    return found
