"""At which times of a Control-M day a cyclic job runs, when every run ends before the next one is due."""

from __future__ import annotations

from aerodrome.migration.convert.controlm.dates.timetables import Clock
from aerodrome.migration.convert.controlm.definitions.model import Cyclic, Job


def times_of(job: Job, clock: Clock) -> tuple[int, ...]:
    """Give minutes after midnight in the order of the day; empty when they cannot be said (no interval, no whole minutes)."""
    assert job.cyclic is not None  # noqa: S101
    first = clock.place(job.time_from % 1440) if job.time_from is not None else 0
    last = clock.place(job.time_to % 1440) if job.time_to is not None and not job.has_open_end else 1439
    if last <= first:  # the window reaches into the next Control-M day; its runs belong to that one
        last = 1439
    places = _places(job.cyclic, first, last, clock)
    if job.cyclic.max_runs:
        places = places[: job.cyclic.max_runs]
    return tuple((place + clock.new_day) % 1440 for place in places)


def notes_of(job: Job, clock: Clock) -> list[tuple[str, str]]:
    """Give what its times leave out of what it does in Control-M: (code, sentence)."""
    assert job.cyclic is not None  # noqa: S101
    found = []
    if job.cyclic.kind != "times" and job.max_wait:
        text = f"It stays active for {job.max_wait} days more in Control-M and repeats on them for its own date; here its runs are those of the date."
        found.append(("cyclic-days", text))
    if job.time_to is not None and not job.has_open_end and (until := clock.place(job.time_to % 1440)):
        first = clock.place(job.time_from % 1440) if job.time_from is not None else 0
        if until <= first:
            text = "Its window reaches into the next Control-M day, for which it would need MAXWAIT; here its last run is before the new day."
            found.append(("cyclic-window", text))
    return found


def _places(cyclic: Cyclic, first: int, last: int, clock: Clock) -> list[int]:
    if cyclic.kind == "times":
        return sorted(place for time in set(cyclic.minutes) if first <= (place := clock.place(time % 1440)) <= last)
    if not cyclic.is_whole or not any(cyclic.minutes):
        return []
    if cyclic.kind == "interval":
        return list(range(first, last + 1, cyclic.minutes[0]))
    places, here = [first], first
    for step in cyclic.minutes:
        here += step
        if here > last:
            break
        places.append(here)
    return places
