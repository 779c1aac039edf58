"""Finds when a wave is best cut over: the longest time of the day in which no run of its DAGs is due or under way. Pure.

A day is 1,440 minutes in UTC. Each DAG with a fixed schedule marks the minutes from each fire time to the end of a run that
takes as long as its 95th percentile; what stays unmarked round the clock is the window. Days of the week and of the month are
not looked at: a window holds on every day. Zones with daylight saving time mark the minutes of both offsets.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aerodrome.kernel.clock import from_text
from aerodrome.migration.estate.records import DagRecord

DAY = 1440
SHORTEST = 10
"""Minutes; a shorter gap is no window."""
FREQUENT = 60
"""A DAG whose own longest gap is not longer than so many minutes has no say: whenever it is cut over, a run is due soon."""
PRESETS = {"@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
           "@quarterly": "0 0 1 */3 *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *"}  # fmt: skip
_PART = re.compile(r"(\*|\d+(?:-\d+)?)(?:/(\d+))?")
_TEXT = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_HALF_YEARS = (datetime(2026, 1, 15, 12, tzinfo=UTC), datetime(2026, 7, 15, 12, tzinfo=UTC))


@dataclass(frozen=True)
class Window:
    """A time of every day in UTC; over midnight when it ends before it begins."""

    begin: int  # minute of the day
    end: int

    @classmethod
    def parse(cls, text: str) -> Window | None:
        """Read "02:10-05:50"; None for an empty text. ValueError for anything else."""
        if not text:
            return None
        found = _TEXT.fullmatch(text)
        if found is None or found[1] + found[2] == found[3] + found[4]:
            raise ValueError(text)
        return cls(int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4]))

    @property
    def minutes(self) -> int:
        return (self.end - self.begin) % DAY

    @property
    def text(self) -> str:
        return f"{_clock(self.begin)}-{_clock(self.end)}"

    def opens_at(self, moment: datetime) -> datetime:
        """Give the moment itself when the window is open then, else when it opens next."""
        moment = moment.astimezone(UTC)
        passed = (moment.hour * 60 + moment.minute - self.begin) % DAY
        if passed < self.minutes:
            return moment
        midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
        today = midnight + timedelta(minutes=self.begin)
        return today if today > moment else today + timedelta(days=1)

    def in_zone(self, zone: str, day: datetime) -> str:
        """Write it on the clock of a zone, as of a day: "04:10-07:50 Europe/Berlin"."""
        shift = _offset(zone, day)
        return f"{_clock((self.begin + shift) % DAY)}-{_clock((self.end + shift) % DAY)} {zone}"


@dataclass(frozen=True)
class Quiet:
    """What is proposed for some DAGs, and why."""

    window: Window | None
    zone: str  # of most of the DAGs that have a schedule
    frequent: tuple[str, ...]  # DAGs without a gap of their own
    counted: int  # DAGs whose fire times were looked at

    def describe(self, day: datetime) -> str:
        """Say it in a sentence for people."""
        more = f" {self.frequent[0]}{_others(self.frequent)} at least every hour." if self.frequent else ""
        if not self.counted:
            return f"No DAG has a fire time to keep clear of.{more}"
        if self.window is None:
            return f"No time of the day is free of runs for {SHORTEST} minutes.{more}"
        zone = "" if self.zone in ("UTC", "Etc/UTC", "") else f" ({self.window.in_zone(self.zone, day)})"
        hours, minutes = divmod(self.window.minutes, 60)
        return f"No run is due {self.window.text} UTC{zone}, {hours} h {minutes:02} min.{more}"


def quiet_of(dags: Iterable[DagRecord]) -> Quiet:
    """Propose a window for DAGs that move together; paused ones do not count."""
    busy = bytearray(DAY)
    zones: Counter[str] = Counter()
    frequent: list[str] = []
    counted = 0
    for dag in dags:
        if dag.is_paused:
            continue
        fires = fire_minutes(dag)
        if not fires:
            continue
        zones[dag.timezone or "UTC"] += 1
        if _own_gap(fires) <= FREQUENT:
            frequent.append(dag.dag_id)
            continue
        counted += 1
        for minute in _span(fires, dag.duration_p95_s):
            busy[minute] = 1
    zone = zones.most_common(1)[0][0] if zones else "UTC"
    window = None
    if counted:
        begin, length = _longest(busy)
        if SHORTEST <= length < DAY:
            window = Window(begin, (begin + length) % DAY)
    return Quiet(window, zone, tuple(frequent), counted)


def fire_minutes(dag: DagRecord) -> frozenset[int]:
    """Give the minutes of the day in UTC at which a DAG may start; empty when its schedule does not tell."""
    text = (dag.schedule or "").strip()
    text = PRESETS.get(text, text)
    if dag.schedule_kind == "timedelta" or text.startswith("timedelta:"):
        return _steps(text, dag.next_run_after)
    if dag.schedule_kind in ("dataset", "none", "continuous"):
        return frozenset()
    return _of_cron(text, dag.timezone or "UTC")


def is_frequent(dag: DagRecord) -> bool:
    """Tell whether a DAG runs at least every hour: soon after its cutover it shows whether it works."""
    fires = fire_minutes(dag)
    return bool(fires) and _own_gap(fires) <= FREQUENT


@lru_cache(maxsize=8192)  # estates have thousands of DAGs and some dozens of schedules
def _of_cron(text: str, zone: str) -> frozenset[int]:
    parts = text.split()
    if len(parts) not in (5, 6):
        return frozenset()
    try:
        minutes, hours = _field(parts[0], 60), _field(parts[1], 24)
    except ValueError:
        return frozenset()
    shifts = {_offset(zone, day) for day in _HALF_YEARS}
    return frozenset((hour * 60 + minute - shift) % DAY for hour in hours for minute in minutes for shift in shifts)


def _steps(text: str, next_run_after: str | None) -> frozenset[int]:
    """Give the fire times of a timedelta: known when it divides the day or is whole days; they hang on the next run."""
    try:
        seconds = float(text.removeprefix("timedelta:"))
        anchor = from_text(next_run_after)
    except ValueError:
        return frozenset()
    if anchor is None or seconds <= 0:
        return frozenset()
    first = anchor.astimezone(UTC).hour * 60 + anchor.astimezone(UTC).minute
    if seconds % 86_400 == 0:
        return frozenset((first,))
    if 86_400 % seconds:
        return frozenset(range(DAY)) if seconds < FREQUENT * 60 else frozenset()
    step = seconds / 60
    return frozenset(int(first + number * step) % DAY for number in range(int(86_400 / seconds)))


def _field(text: str, size: int) -> frozenset[int]:
    """Read the minutes or hours of a cron expression; ValueError for names and other extensions."""
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError(text)
        first, _, last = match[1].partition("-")
        step = int(match[2] or 1)
        if first == "*":
            low, high = 0, size - 1
        else:
            low = int(first)
            high = int(last) if last else size - 1 if match[2] else low
        if step < 1 or not 0 <= low <= high < size:
            raise ValueError(text)
        found.update(range(low, high + 1, step))
    return frozenset(found)


def _span(fires: Iterable[int], duration_s: float | None) -> Iterator[int]:
    """Give the minutes in which runs are due or under way, and the minute after each."""
    length = min(int((duration_s or 0.0) // 60) + 2, DAY)
    for fire in fires:
        for minute in range(fire, fire + length):
            yield minute % DAY


@lru_cache(maxsize=8192)
def _own_gap(fires: frozenset[int]) -> int:
    return _longest(_marked(fires))[1]


def _marked(minutes: Iterable[int]) -> bytearray:
    marks = bytearray(DAY)
    for minute in minutes:
        marks[minute] = 1
    return marks


def _longest(busy: Sequence[int]) -> tuple[int, int]:
    """Give the first minute and the length of the longest run of free minutes round the clock; the earliest of equals."""
    if not any(busy):
        return 0, DAY
    best = (0, 0)
    start = next(minute for minute in range(DAY) if busy[minute])
    length = 0
    for step in range(1, DAY + 1):
        if busy[(start + step) % DAY]:
            if length:
                best = max(best, ((start + step - length) % DAY, length), key=lambda item: (item[1], -item[0]))
            length = 0
        else:
            length += 1
    return best


@lru_cache(maxsize=1024)
def _offset(zone: str, day: datetime) -> int:
    """Give how many minutes a zone is ahead of UTC on a day; 0 for a zone that this machine does not know."""
    try:
        shift = day.astimezone(ZoneInfo(zone)).utcoffset()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        shift = None
    return int(shift.total_seconds() // 60) if shift is not None else 0


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _others(names: Sequence[str]) -> str:
    return " runs" if len(names) == 1 else f" and {len(names) - 1:,} more run"
