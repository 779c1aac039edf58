"""Which interval must come next: compares what both sides say with what the schedule demands. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aerodrome.kernel.clock import to_text
from aerodrome.migration.estate.calendars import Calendar, Interval, after, between, is_on

MAX_MISSED = 500


@dataclass(frozen=True)
class Verdict:
    """The outcome of one comparison."""

    is_agreed: bool
    reason: str  # a sentence for people
    missed: tuple[Interval, ...] = ()  # passed while the DAG was held, and its schedule does not catch up


def compare(
    *,
    catchup: bool,
    calendar: Calendar | None,
    last: Interval | None,
    source_next: Interval | None,
    target_next: Interval | None,
    now: datetime,
) -> Verdict:
    """Judge whether the target goes on where the source would.

    - Both say the same: agreed.
    - Without catchup, the schedule moves on with the clock, on each side at its own next parse. Then the target may be
      ahead of or behind the source's last look, as long as it is a real interval of the schedule, not one that was
      run already, and not one that lies further ahead than the clock demands.
    Intervals between the last run and the target's next one are `missed`: no side would run them.
    """
    if source_next is None and target_next is None:
        return Verdict(True, "Neither side has a scheduled run to come.")
    if target_next is None:
        return Verdict(False, "The target has no next interval.")
    if source_next is None:
        return Verdict(False, "The source has no next interval, the target has one.")
    if last is not None and target_next[0] <= last[0]:
        return Verdict(False, "The target would run an interval again that the source has run.")
    missed = _missed(calendar, last, target_next) if last else ()
    if target_next == source_next:
        return Verdict(True, "Both sides go on with the same interval.", missed)
    if catchup:
        return Verdict(False, "The sides would go on with different intervals.")
    if calendar is None:
        return Verdict(False, "The sides would go on with different intervals, and the timetable is not a known one.")
    first = after(calendar, last) if last is not None else min(source_next, target_next)
    newest = max(first, calendar.newest_complete(now))
    if target_next > max(newest, source_next):
        return Verdict(False, "The target would skip intervals that are not over yet.")
    if target_next < first or not is_on(calendar, target_next):
        return Verdict(False, "The target's next interval is not one of the schedule.")
    return Verdict(True, "The schedule does not catch up, and went on with the clock.", missed)


def _missed(calendar: Calendar | None, last: Interval, upcoming: Interval) -> tuple[Interval, ...]:
    return tuple(between(calendar, last, upcoming, limit=MAX_MISSED)) if calendar else ()


def texts(interval: Interval | None) -> list[str | None] | None:
    """Write an interval as two ISO texts."""
    return [to_text(interval[0]), to_text(interval[1])] if interval else None


def show(interval: Interval | None) -> str:
    """Write an interval for people, in UTC."""
    if interval is None:
        return "none"
    start, end = (moment.astimezone(UTC) for moment in interval)
    form = "%Y-%m-%d %H:%M:%S" if start.second or end.second else "%Y-%m-%d %H:%M"
    return f"{start:{form}} to {end:{form}} UTC"


def describe_missed(missed: tuple[Interval, ...]) -> dict[str, Any]:
    """Give what was missed for a report: how many and which, at most 20 of them."""
    return {"missed_count": len(missed), "missed": [texts(interval) for interval in missed[:20]]}
