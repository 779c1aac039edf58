"""Times as Oozie computes them: nominal times of coordinators and instances of datasets, in a time zone.

Adding days or months keeps the wall clock, as java.util.Calendar does; adding minutes or hours does not. Standard library only.
"""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

UTC = timezone.utc
_APPROXIMATE = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "months": timedelta(days=30),
}
_UNITS = {"MINUTE": "minutes", "HOUR": "hours", "DAY": "days", "WEEK": "weeks", "MONTH": "months", "YEAR": "years"}


def zone_of(name: str) -> tzinfo:
    """Give a zone by its name, or by its distance from UTC: +05:30."""
    if name[0] not in "+-":
        return ZoneInfo(name)
    hours, minutes = map(int, name[1:].split(":"))
    return timezone((1 if name[0] == "+" else -1) * timedelta(hours=hours, minutes=minutes))


def plain(moment: datetime) -> datetime:
    """Give a time as a plain datetime in UTC: Airflow's are those of pendulum, whose differences cannot be divided."""
    return datetime.fromtimestamp(moment.timestamp(), UTC)


def shown(moments, zone: str) -> list[datetime]:
    """Give times as the clock of a zone shows them."""
    return [moment.astimezone(zone_of(zone)) for moment in moments]


def add(origin: datetime, unit: str, amount: int, zone: tzinfo) -> datetime:
    """Add to a time as java.util.Calendar.add does in a zone; gives UTC."""
    origin = plain(origin)
    if unit == "minutes":
        return (origin + timedelta(minutes=amount)).astimezone(UTC)
    if unit == "hours":
        return (origin + timedelta(hours=amount)).astimezone(UTC)
    if amount == 0:
        return origin.astimezone(UTC)
    if unit == "weeks":
        unit, amount = "days", amount * 7
    if unit == "years":
        unit, amount = "months", amount * 12
    local = origin.astimezone(zone)
    if unit == "days":
        wanted = local.replace(tzinfo=None) + timedelta(days=amount)
        before = local.utcoffset()
        moment = wanted.replace(tzinfo=UTC) - before
        shift = before - moment.astimezone(zone).utcoffset()
        moved = moment + shift
        return moved if moved.astimezone(zone).date() == wanted.date() or not shift else moment
    months = local.year * 12 + local.month - 1 + amount
    year, month = divmod(months, 12)
    day = min(local.day, calendar.monthrange(year, month + 1)[1])
    wanted = local.replace(tzinfo=None, year=year, month=month + 1, day=day, fold=0)
    return by_wall(wanted, zone)


def by_wall(wanted: datetime, zone: tzinfo) -> datetime:
    """Read a wall clock as Java does: in the standard time when it comes twice, moved on when it does not come."""
    first, second = (wanted.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if first.astimezone(zone).replace(tzinfo=None) != wanted:  # a gap
        return first
    return max(first, second)


def moved_to_end(start: datetime, end_of: str, zone: tzinfo) -> datetime:
    """Move a start to the end of its day, week or month: midnight that begins the next one."""
    if not end_of:
        return start.astimezone(UTC)
    day = start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    if end_of == "days":
        day += timedelta(days=1)
    elif end_of == "weeks":
        day += timedelta(days=7 - (day.weekday() + 1) % 7)
    else:
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return by_wall(day, zone)


class Instances:
    """A series of times: `initial`, then every `amount` units, in the wall clock of `zone`."""

    def __init__(self, initial: str | datetime, unit: str, amount: int, zone: str = "UTC", end_of: str = "") -> None:
        start = datetime.fromisoformat(initial.replace("Z", "+00:00")) if isinstance(initial, str) else initial
        self.unit, self.amount, self.zone = unit, amount, zone_of(zone)
        self.initial = moved_to_end(plain(start), end_of, self.zone)

    def at(self, number: int) -> datetime:
        """Give the time with a number; 0 is the first."""
        return add(self.initial, self.unit, number * self.amount, self.zone)

    def number_at(self, moment: datetime) -> int:
        """Give the number of the last time that is not after a moment; -1 when there is none."""
        moment = plain(moment)
        if moment < self.initial:
            return -1
        number = int((moment - self.initial) / (_APPROXIMATE[self.unit] * self.amount))
        while self.at(number) > moment:
            number -= 1
        while self.at(number + 1) <= moment:
            number += 1
        return number

    def after(self, moment: datetime) -> datetime:
        """Give the first time after a moment."""
        return self.at(self.number_at(moment) + 1)

    def last(self, moment: datetime) -> datetime | None:
        """Give the last time that is not after a moment; None when there is none."""
        number = self.number_at(moment)
        return None if number < 0 else self.at(number)

    def between(self, nominal: datetime, first: int, last: int) -> list[datetime]:
        """Give coord:current(first) to coord:current(last), the newest first; what is before the initial instance does not exist."""
        number = self.number_at(nominal)
        if number < 0:
            return []
        found: list[datetime] = []
        moment = self.at(number + first)
        for _ in range(
            first, last + 1
        ):  # step by step, as Oozie: from the 31st on, a step may end on a shorter month's last day
            if moment >= self.initial:
                found.append(moment)
            moment = add(moment, self.unit, self.amount, self.zone)
        return found[::-1]

    def since(self, first: str | datetime, nominal: datetime, last: int) -> list[datetime]:
        """Give coord:absolute(first) to coord:current(last), the newest first; ValueError for a range that Oozie refuses."""
        start = datetime.fromisoformat(first.replace("Z", "+00:00")) if isinstance(first, str) else plain(first)
        number, current = self.number_at(start), self.number_at(nominal)
        if number < 0 or current < 0 or self.at(number) != start or number > current + last:
            raise ValueError(f"Oozie refuses instances from {start} to current({last}) at {nominal}")
        return self.between(nominal, number - current, last)

    def since_end_of(self, unit: str, amount: int, nominal: datetime, last: int) -> list[datetime]:
        """Give coord:endOfMonths(amount) (endOfWeeks, endOfDays) to coord:current(last): -1 is the begin of the month of the nominal time."""
        day = plain(nominal).astimezone(self.zone).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        if unit == "weeks":
            day -= timedelta(days=(day.weekday() + 1) % 7)
        elif unit == "months":
            day = day.replace(day=1)
        return self.since(add(by_wall(day, self.zone), unit, amount + 1, self.zone), nominal, last)

    def offset(self, nominal: datetime, amount: int, unit: str) -> list[datetime]:
        """Give coord:offset(amount, unit): the last instance up to that distance from the current one."""
        return self.offsets(nominal, (amount, unit), (amount, unit))[:1]

    def offsets(self, nominal: datetime, first: tuple[int, str], last: tuple[int, str]) -> list[datetime]:
        """Give the instances from one offset to another, the newest first; one alone: the last that is not after it."""
        current = self.number_at(nominal)
        if current < 0:
            return []
        begin, end = (add(self.at(current), _UNITS[unit], amount, self.zone) for amount, unit in (first, last))
        low, high = self.number_at(begin), self.number_at(end)
        if first != last and (low < 0 or self.at(low) < begin):
            low += 1
        return [self.at(number) for number in range(high, max(low, 0) - 1, -1)]

    def latest_so_far(self, now: datetime, first: int, last: int, is_there) -> tuple[list[datetime], bool]:
        """Give those of coord:latest(first) to coord:latest(last) that are there, the newest first, and whether these are all."""
        found: list[datetime] = []
        number = self.number_at(now)
        while number >= 0 and len(found) <= -first:
            moment = self.at(number)
            if is_there(moment):
                found.append(moment)
            number -= 1
        return found[-last : -first + 1], len(found) > -first

    def future_so_far(
        self, nominal: datetime, first: int, last: int, limit: int, is_there
    ) -> tuple[list[datetime], bool]:
        """Give those of coord:future(first) to coord:future(last) that are there within `limit` instances, and whether these are all."""
        number = self.number_at(nominal)
        if number < 0:
            return [], False
        found = [moment for moment in map(self.at, range(number, number + limit + 1)) if is_there(moment)]
        return found[first : last + 1], len(found) > last

    def latest(self, now: datetime, first: int, last: int, is_there) -> list[datetime] | None:
        """Give coord:latest(first) to coord:latest(last) of the instances that are there; None when there are not enough."""
        found, is_enough = self.latest_so_far(now, first, last, is_there)
        return found if is_enough else None

    def future(self, nominal: datetime, first: int, last: int, limit: int, is_there) -> list[datetime] | None:
        """Give coord:future(first) to coord:future(last) within `limit` instances; None when there are not enough."""
        found, is_enough = self.future_so_far(nominal, first, last, limit, is_there)
        return found if is_enough else None


def next_time(times, last: datetime | None, earliest: datetime | None, missed: str, now: datetime) -> datetime | None:
    """Give the time of the next run of a series (Instances or CronTimes) after the last run, or from the earliest time on.

    `missed` says what becomes of times that have passed: "all" run, only the "last" one does, or "none" (Oozie's NONE: none that is more
    than a minute ago).
    """
    floors = [last + timedelta(microseconds=1)] if last is not None else [earliest] if earliest is not None else []
    if missed == "last":
        latest = times.last(now)
        floors += [latest] if latest is not None else []
    elif missed == "none":
        floors.append(now - timedelta(minutes=1))
    if not floors:
        floors = [datetime(1970, 1, 1, tzinfo=UTC)]
    return times.after(plain(max(floors)) - timedelta(microseconds=1))


def days_in_month(nominal: datetime, zone: str, number: int = 0, unit: str = "days", amount: int = 1) -> int:
    """Give coord:daysInMonth(number) of a dataset in a zone, whose instances lie `amount` units apart."""
    local = add(nominal, unit, number * amount, zone_of(zone)).astimezone(zone_of(zone))
    return calendar.monthrange(local.year, local.month)[1]


def hours_in_day(nominal: datetime, zone: str, number: int = 0, unit: str = "days", amount: int = 1) -> int:
    """Give coord:hoursInDay(number) of a dataset in a zone, whose instances lie `amount` units apart: 23, 24 or 25."""
    where = zone_of(zone)
    moment = add(nominal, unit, number * amount, where).astimezone(where)
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    span = (day + timedelta(days=1)).replace(tzinfo=where).astimezone(UTC) - day.replace(tzinfo=where).astimezone(UTC)
    return int(span.total_seconds() // 3600)


def tz_offset(nominal: datetime, dataset_zone: str, zone: str) -> int:
    """Give coord:tzOffset(): minutes between the zone of the dataset and that of the coordinator."""
    one, two = (plain(nominal).astimezone(zone_of(name)).utcoffset() for name in (dataset_zone, zone))
    return int((one - two).total_seconds() // 60)
