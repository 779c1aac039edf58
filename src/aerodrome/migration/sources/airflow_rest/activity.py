"""What goes on in a source over its REST API: runs that began since a moment, acts in its event log, what is scheduled and in flight.

`GET /eventLogs` with `order_by=-event_log_id`: the newest first, in Airflow 2.0 to 3.3 alike (openapi v1 of 2.11.2, v2 of 3.3.2).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Denied
from aerodrome.migration.sources.airflow_rest.client import RestReader

MOST_EVENTS = 20_000


@dataclass(frozen=True)
class Activity:
    """What was seen. None: it cannot be read."""

    runs: int | None
    events: (
        dict[tuple[str, str], tuple[int, datetime]] | None
    )  # (event, owner) -> how often, the last; None: not readable
    is_cut: bool = False  # there are more events than are looked at
    unpaused: tuple[str, ...] | None = (
        None  # of all DAGs that the source has now, also those that came after the assessment
    )
    in_flight: int | None = None  # runs of all DAGs that are queued or running now


@runtime_checkable
class TellsActivity(Protocol):
    """A source that can tell what goes on in it."""

    def activity(self, since: datetime) -> Activity:
        """Tell what went on since a moment. Conflict when this source cannot be asked at all."""
        ...


def activity(reader: RestReader, since: datetime) -> Activity:
    """Look; four questions, and one per hundred events and DAGs."""
    runs = reader.total("/dags/~/dagRuns/list", start_date_gte=to_text(since))
    in_flight = reader.total("/dags/~/dagRuns/list", states=["queued", "running"])
    unpaused = tuple(sorted(dag["dag_id"] for dag in reader.pages("/dags", "dags") if not dag["is_paused"]))
    counts: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], datetime] = {}
    try:
        for number, entry in enumerate(reader.pages("/eventLogs", "event_logs", order_by="-event_log_id")):
            at = from_text(entry["when"])
            if at is None or at < since:
                break
            if number >= MOST_EVENTS:
                seen = {key: (counts[key], last[key]) for key in counts}
                return Activity(runs, seen, is_cut=True, unpaused=unpaused, in_flight=in_flight)
            key = (str(entry["event"]), str(entry.get("owner") or ""))
            counts[key] += 1
            last.setdefault(key, at)
    except Denied:
        return Activity(runs, None, unpaused=unpaused, in_flight=in_flight)
    seen = {key: (counts[key], last[key]) for key in counts}
    return Activity(runs, seen, unpaused=unpaused, in_flight=in_flight)
