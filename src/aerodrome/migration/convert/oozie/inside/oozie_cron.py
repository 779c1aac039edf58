"""Times of a coordinator whose frequency is a cron, as Oozie computes them by Quartz in UTC. Standard library only."""

from __future__ import annotations

import calendar
import re
from datetime import date, datetime, timedelta, timezone

UTC = timezone.utc
_WEEKDAYS = {name: at for at, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_MONTHS = {
    name: at
    for at, name in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1)
}
_FARTHEST = 366 * 12  # days: a 29th of February comes within eight years, also over 2100


class NotEveryMonth(ValueError):
    """A `W` after the 28th: what Quartz makes of it in shorter months is not known here."""


class CronTimes:
    """Minute, hour, day, month, weekday (1 is Sunday); `?`, `L`, `L-3`, `LW`, `15W`, `6L`, `6#2` as in Quartz.

    When day and weekday are both given, either is enough. ValueError for what Quartz refuses; NotEveryMonth.
    """

    def __init__(self, cron: str, start: str | datetime) -> None:
        fields = cron.upper().split()
        if len(fields) != 5:
            raise ValueError(f"{cron!r} does not have five fields")
        self.start = datetime.fromisoformat(start.replace("Z", "+00:00")) if isinstance(start, str) else start
        self.minutes = sorted(_numbers(fields[0], 0, 59, {}))
        self.hours = sorted(_numbers(fields[1], 0, 23, {}))
        self.months = _numbers(fields[3], 1, 12, _MONTHS)
        self.day, self.weekday = ("" if text in ("*", "?") else text for text in (fields[2], fields[4]))
        self._matches(date(2024, 1, 1))  # refuse now what cannot be read

    def after(self, moment: datetime) -> datetime | None:
        """Give the first time after a moment; None when none comes within twelve years."""
        floor = max(moment.astimezone(UTC), self.start - timedelta(microseconds=1))
        day = floor.date()
        for _ in range(_FARTHEST):
            for found in self._times(day):
                if found > floor:
                    return found
            day += timedelta(days=1)
        return None

    def last(self, moment: datetime) -> datetime | None:
        """Give the last time that is not after a moment; None when there is none since the start."""
        day = moment.astimezone(UTC).date()
        while day >= self.start.astimezone(UTC).date():
            for found in reversed(self._times(day)):
                if self.start <= found <= moment:
                    return found
            day -= timedelta(days=1)
        return None

    def _times(self, day: date) -> list[datetime]:
        if day.month not in self.months or not self._matches(day):
            return []
        return [
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
            for hour in self.hours
            for minute in self.minutes
        ]

    def _matches(self, day: date) -> bool:
        if self.day and self.weekday:
            return bool(_is_day(day, self.day) | _is_weekday(day, self.weekday))
        if self.weekday:
            return _is_weekday(day, self.weekday)
        return not self.day or _is_day(day, self.day)


def _is_day(day: date, text: str) -> bool:
    length = calendar.monthrange(day.year, day.month)[1]
    match = re.fullmatch(r"(?:L(?:-(\d+))?|(\d+))(W?)", text)
    if not match or (match[2] and not match[3]):
        return day.day in _numbers(text, 1, 31, {})
    wanted = int(match[2]) if match[2] else length - int(match[1] or 0)
    if not match[3]:
        return day.day == wanted
    if match[2] and not 1 <= wanted <= 28:
        raise NotEveryMonth(f"{text!r}: not every month has that day")
    if wanted < 1:
        return False
    weekday = date(day.year, day.month, wanted).weekday()
    if weekday == 5:  # a Saturday: the Friday before it, or the Monday when it is the first
        wanted += -1 if wanted > 1 else 2
    elif weekday == 6:  # a Sunday: the Monday after it, or the Friday when it is the last
        wanted += 1 if wanted < length else -2
    return day.day == wanted


def _is_weekday(day: date, text: str) -> bool:
    quartz = (day.weekday() + 1) % 7 + 1
    if text == "L":
        return quartz == 7
    match = re.fullmatch(r"(\w+)(L|#[1-5])", text)
    if not match:
        return quartz in _numbers(text, 1, 7, _WEEKDAYS)
    (wanted,) = _numbers(match[1], 1, 7, _WEEKDAYS)
    if match[2] == "L":
        return quartz == wanted and day.day > calendar.monthrange(day.year, day.month)[1] - 7
    return quartz == wanted and (day.day - 1) // 7 + 1 == int(match[2][1])


def _numbers(text: str, low: int, high: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"(\*|\w+)(?:-(\w+))?(?:/(\d+))?", part.replace("?", "*"))
        if not match:
            raise ValueError(f"{part!r} is not read")
        first, last, step = match.groups()
        begin = low if first == "*" else _number(first, names)
        end = _number(last, names) if last else high if first == "*" or step else begin
        if not (low <= begin <= high and low <= end <= high) or step == "0":
            raise ValueError(f"{part!r} is out of range")
        if end < begin:
            end += high - low + 1
        found |= {(item - low) % (high - low + 1) + low for item in range(begin, end + 1, int(step or 1))}
    return found


def _number(text: str, names: dict[str, int]) -> int:
    if text not in names and not text.isdigit():
        raise ValueError(f"{text!r} is not read")
    return names[text] if text in names else int(text)
