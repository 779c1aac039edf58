"""What went on in a source over its REST API since a moment: runs that began, and acts of people and scripts in its event log.

`GET /eventLogs` with `order_by=-event_log_id`: the newest first, in Airflow 2.0 to 3.3 alike (openapi v1 of 2.11.2, v2 of 3.3.2).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Denied
from aerodrome.migration.sources.airflow_rest.client import RestReader

MOST_EVENTS = 20_000


@dataclass(frozen=True)
class Activity:
    """What was seen."""

    runs: int
    events: (
        dict[tuple[str, str], tuple[int, datetime]] | None
    )  # (event, owner) -> how often, the last; None: not readable
    is_cut: bool = False  # there are more events than are looked at


def activity(reader: RestReader, since: datetime) -> Activity:
    """Look; two questions, and one per hundred events."""
    runs = reader.total("/dags/~/dagRuns/list", start_date_gte=to_text(since))
    counts: Counter[tuple[str, str]] = Counter()
    last: dict[tuple[str, str], datetime] = {}
    try:
        for number, entry in enumerate(reader.pages("/eventLogs", "event_logs", order_by="-event_log_id")):
            at = from_text(entry["when"])
            if at is None or at < since:
                break
            if number >= MOST_EVENTS:
                return Activity(runs, {key: (counts[key], last[key]) for key in counts}, is_cut=True)
            key = (str(entry["event"]), str(entry.get("owner") or ""))
            counts[key] += 1
            last.setdefault(key, at)
    except Denied:
        return Activity(runs, None)
    return Activity(runs, {key: (counts[key], last[key]) for key in counts})
