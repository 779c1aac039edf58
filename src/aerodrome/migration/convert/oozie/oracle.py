"""The nominal times of a coordinator, computed without what the converter uses: the proof compares them with Airflow's.

Follows Oozie 4.x/5.x: origin plus a multiple of the frequency by java.util.Calendar (OpenJDK 11's GregorianCalendar.add); Quartz fields looked up
minute by minute.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import islice, pairwise
from typing import Final
from zoneinfo import ZoneInfo

_NAMES: Final = {name: at for at, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_MONTHS: Final = {
    name: at
    for at, name in enumerate(["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"], 1)
}
_HORIZON: Final = timedelta(days=366 * 8)


def nominal_times(oracle: Mapping[str, str], count: int) -> list[datetime]:
    """Give the first times of a `Schedule.oracle`, in UTC."""
    start = datetime.fromisoformat(oracle["start"])
    end = datetime.fromisoformat(oracle["end"]) if oracle["end"] else None
    times = _cron(oracle, start) if oracle["cron"] else _calendar(oracle, start)
    return [moment for moment in islice(times, count) if end is None or moment < end]


def _calendar(oracle: Mapping[str, str], start: datetime) -> Iterator[datetime]:
    zone, unit, amount = named_zone(oracle["zone"]), oracle["unit"], int(oracle["amount"])
    origin = _to_end(start, oracle["end_of"], zone)
    number = 0
    while True:
        yield plus(origin, unit, number * amount, zone)
        number += 1


def _to_end(start: datetime, end_of: str, zone: tzinfo) -> datetime:
    if not end_of:
        return start
    moment = start.astimezone(zone)
    while True:  # the first midnight that ends a day, week or month
        following = (moment.replace(tzinfo=None) + timedelta(days=1)).replace(hour=0, minute=0)
        moment = following.replace(tzinfo=zone)
        if (
            end_of == "days"
            or (end_of == "weeks" and following.weekday() == 6)
            or (end_of == "months" and following.day == 1)
        ):
            return moment.astimezone(UTC)


def named_zone(name: str) -> tzinfo:
    """Give the zone of a `Schedule.oracle`: an IANA name, or +05:30."""
    if ":" not in name:
        return ZoneInfo(name)
    ahead = datetime.strptime(name, "%z").utcoffset()
    return timezone(ahead or timedelta())


def times_until(series: Mapping[str, str], last: datetime) -> list[datetime]:
    """Give the instances of a dataset (described like a `Schedule.oracle`) up to a time, in UTC."""
    found = []
    for moment in _calendar(series, datetime.fromisoformat(series["start"])):
        if moment > last:
            break
        found.append(moment)
    return found


def plus(origin: datetime, unit: str, amount: int, zone: tzinfo) -> datetime:
    """Add to a time as java.util.Calendar.add does in a zone; gives UTC."""
    if unit in ("minutes", "hours"):
        return origin.astimezone(UTC) + timedelta(minutes=amount * (60 if unit == "hours" else 1))
    local = origin.astimezone(zone)
    if not amount:
        return origin.astimezone(UTC)
    if unit == "days":
        offset = local.utcoffset() or timedelta()
        wall = local.replace(tzinfo=None) + timedelta(days=amount)
        first = (wall - offset).replace(tzinfo=UTC)
        change = offset - (first.astimezone(zone).utcoffset() or timedelta())
        second = first + change
        return second if second.astimezone(zone).date() == wall.date() else first
    year, month = local.year, local.month
    for _ in range(abs(amount)):
        month += 1 if amount > 0 else -1
        if month in (0, 13):
            year, month = (year + 1, 1) if month == 13 else (year - 1, 12)
    day = min(local.day, calendar.monthrange(year, month)[1])
    wall = datetime(year, month, day, local.hour, local.minute)  # noqa: DTZ001
    later = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if later.astimezone(zone).replace(tzinfo=None) == wall:
        return later
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _cron(oracle: Mapping[str, str], start: datetime) -> Iterator[datetime]:
    """Give the times of a cron, which counts in the server's zone: UTC, or one with an offset that never changes."""
    minute, hour, day, month, weekday = oracle["cron"].upper().split()
    server = named_zone(oracle.get("server", "UTC"))
    minutes, hours = _values(minute, 0, 59, {}), _values(hour, 0, 23, {})
    months = _values(month, 1, 12, _MONTHS)
    date = start.astimezone(server).replace(hour=0, minute=0, second=0, microsecond=0)
    last = date + _HORIZON
    while date < last:
        if date.month in months and _is_day(date, day, weekday):
            for at_hour in sorted(hours):
                for at_minute in sorted(minutes):
                    moment = date.replace(hour=at_hour, minute=at_minute)
                    if moment >= start:
                        yield moment.astimezone(UTC)
        date += timedelta(days=1)


def _is_day(date: datetime, day: str, weekday: str) -> bool:
    is_any_day, is_any_weekday = day in ("*", "?"), weekday in ("*", "?")
    length = calendar.monthrange(date.year, date.month)[1]
    quartz = (date.weekday() + 1) % 7 + 1
    by_day = not is_any_day and _is_day_of_month(date, day, length)
    if "#" in weekday:
        name, _, which = weekday.partition("#")
        by_weekday = quartz == (_NAMES.get(name) or int(name)) and (date.day - 1) // 7 + 1 == int(which)
    elif weekday == "L":
        by_weekday = quartz == 7
    elif weekday.endswith("L") and len(weekday) > 1:
        by_weekday = quartz == (_NAMES.get(weekday[:-1]) or int(weekday[:-1])) and date.day > length - 7
    else:
        by_weekday = not is_any_weekday and quartz in _values(weekday, 1, 7, _NAMES)
    if is_any_day and is_any_weekday:
        return True
    return by_weekday if is_any_day else by_day if is_any_weekday else by_day or by_weekday


def _is_day_of_month(date: datetime, day: str, length: int) -> bool:
    if not day.endswith("W") and not day.startswith("L"):
        return date.day in _values(day, 1, 31, {})
    plain = day.removesuffix("W")
    number = length - int(plain[2:] or 0) if plain.startswith("L") else int(plain)
    if not day.endswith("W"):
        return date.day == number
    near = [date.replace(day=item) for item in range(1, length + 1)]
    working = [item for item in near if item.weekday() < 5]
    return date == min(working, key=lambda item: (abs(item.day - number), item.day))  # the nearest of the month


def executed(
    times: Sequence[datetime],
    execution: str,
    arrivals: Mapping[datetime, datetime],
    durations: Mapping[datetime, timedelta],
    outage: tuple[datetime, datetime],
    *,
    concurrency: int = 1,
) -> list[datetime]:
    """Give the nominal times whose workflow Oozie submits, minute by minute: WAITING, READY, then SUBMITTED or SKIPPED.

    `arrivals` and `durations` are of the input and the workflow of a time; between the times of `outage` the server does nothing. The
    last of `times` only ends the one before it.
    """
    following = dict(pairwise(times))
    waiting, done = list(times[:-1]), list[datetime]()
    running: list[datetime] = []
    moment = times[0]
    while moment < times[-1]:
        if not outage[0] <= moment < outage[1]:
            running = [end for end in running if end > moment]
            for time in [item for item in waiting if item <= moment]:
                late = moment >= following[time] if execution == "LAST_ONLY" else moment - time > timedelta(minutes=1)
                if execution in ("LAST_ONLY", "NONE") and late:
                    waiting.remove(time)
                elif arrivals[time] <= moment and len(running) < concurrency:
                    waiting.remove(time)
                    running.append(moment + durations[time])
                    done.append(time)
        moment += timedelta(minutes=1)
    return done


def _values(text: str, low: int, high: int, names: Mapping[str, int]) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        body, _, step = part.partition("/")
        first, _, last = body.partition("-")
        if first in ("*", "?"):
            begin, end = low, high
        else:
            begin = names[first] if first in names else int(first)
            end = (names[last] if last in names else int(last)) if last else high if step else begin
        if end < begin:
            end += high - low + 1
        found |= {(item - low) % (high - low + 1) + low for item in range(begin, end + 1, int(step or 1))}
    return found


def first_after(oracle: Mapping[str, str], last: datetime | None) -> datetime | None:
    """Give the first time after `last` in UTC, the very first without one; None when none is left."""
    start = datetime.fromisoformat(oracle["start"])
    end = datetime.fromisoformat(oracle["end"]) if oracle["end"] else None
    if last is None or last < start:
        found = next(iter(nominal_times(oracle, 1)), None)
        return found if found is None or last is None or found > last else None
    if oracle["cron"]:
        times = _cron(oracle, last.astimezone(UTC).replace(second=0, microsecond=0))
    else:
        times = _calendar_from(oracle, start, last)
    moment = next((moment for moment in times if moment > last), None)
    return None if moment is None or (end is not None and moment >= end) else moment


def _calendar_from(oracle: Mapping[str, str], start: datetime, last: datetime) -> Iterator[datetime]:
    """Give the times from shortly before `last` on: what lies years back is not walked through."""
    zone, unit, amount = named_zone(oracle["zone"]), oracle["unit"], int(oracle["amount"])
    origin = _to_end(start, oracle["end_of"], zone)
    longest = {"minutes": 60, "hours": 3600, "days": 90_000, "months": 31 * 86_400}[unit] * amount
    number = max(0, int((last - origin).total_seconds() // longest) - 2)
    while True:
        yield plus(origin, unit, number * amount, zone)
        number += 1
