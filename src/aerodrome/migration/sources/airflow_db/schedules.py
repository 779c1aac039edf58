"""Schedules of DAGs whose database does not say everything: the time zone, the intervals of old runs, the next interval.

Before Airflow 2.2 a run had no data interval and a DAG no next one; Airflow 1.10 need not even store its DAGs in serialized
form. What is missing is computed as Airflow ≥ 2.2 does for such runs (models/dag.py, infer_automated_data_interval, 2.11.2),
but only when the history proves the calendar: every known scheduled run must lie on it. Otherwise the answer is None.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterError
from sqlalchemy import ColumnElement, case, literal, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import from_text
from aerodrome.migration.estate.calendars import INTERVAL_TIMETABLES as TIMETABLES
from aerodrome.migration.estate.calendars import PRESETS, Calendar, CronCalendar, DeltaCalendar, Interval, due
from aerodrome.migration.sources.airflow_db import serialized
from aerodrome.migration.sources.airflow_db.rows import column_or, utc
from aerodrome.migration.sources.airflow_db.written import Written, written

PROVING_RUNS = 100
"""How many of the newest scheduled runs must lie on a calendar before it is believed."""

_ZONED = ("cron", "preset")


@dataclass(frozen=True)
class KnownSchedule:
    """What is known of one DAG's schedule. `reason` says what is not, in words for people."""

    schedule: serialized.Schedule
    timezone: str | None
    calendar: Calendar | None
    catchup: bool | None
    reason: str = ""
    starts_at: datetime | None = None  # the DAG's start date
    is_bounded: bool = False  # the DAG or one of its tasks has an end date

    def interval(self, logical: datetime) -> Interval | None:
        """Give the data interval of a run without one; None when it cannot be known."""
        if self.schedule.kind in ("none", "dataset") or self.schedule.text == "@once":
            return logical, logical
        return (logical, self.calendar.following(logical)) if self.calendar else None

    def next(self, last: Interval | None, now: datetime) -> Interval | None:
        """Give the interval that the source's scheduler runs next; None when it cannot be known or none is planned."""
        if self.calendar is None or last is None:
            return None
        caught_up, current = (due(self.calendar, last, now, catchup=choice) for choice in (True, False))
        if self.catchup is None:
            return caught_up if caught_up == current else None
        return caught_up if self.catchup else current

    def stepped(self, last: Interval, now: datetime) -> Interval | None:
        """Give the interval that the scheduler steps on to after one that it has run; None when only it can tell.

        That is so without plain data intervals (a custom timetable), and where a start or end date may decide
        (`_time_restriction` in models/dag.py, 2.11.2).
        """
        if self.is_bounded or (self.starts_at is not None and self.starts_at > last[1]):
            return None
        return self.next(last, now)


class Schedules:
    """Reads and remembers the schedules of one database, one DAG at a time."""

    def __init__(
        self,
        database: MetadataDatabase,
        dags_folder: Path | None = None,
        default_timezone: str | None = None,
        default_catchup: bool | None = None,
    ) -> None:
        self._database = database
        self._folder = dags_folder
        self._default_zone = default_timezone
        self._default_catchup = default_catchup
        self._known: dict[str, KnownSchedule] = {}

    def of(self, dag_id: str) -> KnownSchedule:
        """Give what is known of the DAG's schedule."""
        if dag_id not in self._known:
            self._known[dag_id] = self._read(dag_id)
        return self._known[dag_id]

    def serialized_form(self, dag_id: str) -> tuple[Any, bytes | None]:
        """Give the newest serialized form. By primary key, one row at a time: a big estate's forms fill gigabytes."""
        database = self._database
        if not database.has("serialized_dag"):
            return None, None
        table = database.table("serialized_dag")
        compressed = column_or(database, "serialized_dag", "data_compressed").label("data_compressed")
        order = column_or(database, "serialized_dag", "created_at", "last_updated")
        query = select(table.c.data, compressed).where(table.c.dag_id == dag_id).order_by(order.desc()).limit(1)
        with database.reading() as connection:
            row = connection.execute(query).one_or_none()
        return (row.data, row.data_compressed) if row else (None, None)

    def _read(self, dag_id: str) -> KnownSchedule:
        database = self._database
        dag = database.table("dag")
        columns: list[ColumnElement[Any]] = [
            column_or(database, "dag", "schedule_interval", "timetable_summary").label("schedule"),
            column_or(database, "dag", "fileloc").label("fileloc"),
        ]
        with database.reading() as connection:
            row = connection.execute(select(*columns).where(dag.c.dag_id == dag_id)).one_or_none()
        if row is None:
            return KnownSchedule(
                serialized.Schedule(None, "timetable"), None, None, None, "the DAG has no row any more"
            )
        form = serialized.load(*self.serialized_form(dag_id))
        known = self._known_of(dag_id, row, form)
        if form is None:
            return known
        facts = serialized.facts_of(form)
        return replace(known, starts_at=from_text(facts.start_date), is_bounded=facts.is_bounded)

    def _known_of(self, dag_id: str, row: Any, form: dict[str, Any] | None) -> KnownSchedule:
        facts = serialized.facts_of({**form, "_dag_id": dag_id}) if form else None
        said = Written() if facts else self._written(row.fileloc or "")
        catchup = facts.catchup if facts else said.catchup
        if catchup is None and (facts or said.is_catchup_default):
            catchup = self._default_catchup
        schedule = facts.schedule if facts else serialized.Schedule(None, "none")
        if facts is None or (schedule.kind == "none" and schedule.timetable is None):
            schedule = column_schedule(row.schedule, schedule)
        if not _has_intervals(schedule):
            reason = f"its timetable {schedule.timetable or schedule.text} makes no plain data intervals"
            is_plain = schedule.kind in ("none", "dataset") or schedule.text == "@once"
            return KnownSchedule(schedule, facts.timezone if facts else None, None, catchup, "" if is_plain else reason)
        if schedule.kind == "timedelta":
            seconds = float((schedule.text or "").removeprefix("timedelta:") or 0)
            return KnownSchedule(
                schedule, facts.timezone if facts else None, DeltaCalendar.of_seconds(seconds), catchup,
                "" if seconds > 0 else "its period is not positive",
            )  # fmt: skip
        return self._proved(dag_id, schedule, facts.timezone if facts else None, catchup, said)

    def _proved(
        self, dag_id: str, schedule: serialized.Schedule, zone: str | None, catchup: bool | None, said: Written
    ) -> KnownSchedule:
        expression = PRESETS.get(schedule.text or "", schedule.text or "")
        try:
            croniter(expression)
        except (CroniterError, ValueError):
            return KnownSchedule(schedule, zone, None, catchup, f"its schedule {expression!r} cannot be read")
        if zone is not None:
            calendar = _cron(expression, zone)
            return KnownSchedule(
                schedule, zone, calendar, catchup, "" if calendar else f"its time zone {zone} is unknown"
            )
        moments = self._scheduled_dates(dag_id)
        for candidate in (*said.zones, self._default_zone or "UTC"):
            calendar = _cron(expression, candidate)
            if calendar is not None and moments and all(calendar.aligned(moment) == moment for moment in moments):
                return KnownSchedule(schedule, candidate, calendar, catchup)
        reason = "its time zone stands nowhere (the source stores no serialized DAGs), and its runs prove none"
        return KnownSchedule(schedule, None, None, catchup, reason)

    def _scheduled_dates(self, dag_id: str) -> Sequence[datetime]:
        run = self._database.table("dag_run")
        logical = logical_date(self._database)
        query = (
            select(logical)
            .where(run.c.dag_id == dag_id, run_type(self._database) == "scheduled", logical.is_not(None))
            .order_by(logical.desc())
            .limit(PROVING_RUNS)
        )
        with self._database.reading() as connection:
            return [moment for value in connection.scalars(query) if (moment := utc(value)) is not None]

    def _written(self, fileloc: str) -> Written:
        """Give what the DAG's file says; nothing when the file is not here."""
        if self._folder is None:
            return Written()
        parts = PurePosixPath(fileloc).parts
        for start in range(1, len(parts)):
            path = self._folder / Path(*parts[start:])
            if path.is_file() and path.suffix == ".py":
                return written(path.read_text(encoding="utf-8", errors="replace"))
        return Written()


def column_schedule(value: Any, otherwise: serialized.Schedule) -> serialized.Schedule:
    """Read `dag.schedule_interval`: JSON text from 1.10.7 on, before that the plain text."""
    if value is None:
        return otherwise
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    return serialized.schedule_of(value)


def run_type(database: MetadataDatabase, name: ColumnElement[Any] | None = None) -> ColumnElement[Any]:
    """Give the type of a run. Airflow 1.10 tells it by the run id's prefix (DagRun.ID_PREFIX, BackfillJob.ID_PREFIX, 1.10.15).

    `name` stands for the run id where a run has none; without it such a run is what its `external_trigger` says.
    """
    run = database.table("dag_run")
    run_id = run.c.run_id if name is None else name
    if "run_type" in run.c:
        return run.c.run_type
    is_external = column_or(database, "dag_run", "external_trigger")
    return case(
        (run_id.is_(None), case((is_external.is_(True), literal("manual")), else_=literal("scheduled"))),
        (run_id.startswith("scheduled__", autoescape=True), literal("scheduled")),
        (run_id.startswith("backfill_", autoescape=True), literal("backfill")),
        else_=literal("manual"),
    )


def logical_date(database: MetadataDatabase) -> ColumnElement[Any]:
    return column_or(database, "dag_run", "logical_date", "execution_date")


def _has_intervals(schedule: serialized.Schedule) -> bool:
    if schedule.text == "@once" or schedule.kind not in (*_ZONED, "timedelta"):
        return False
    return schedule.timetable is None or schedule.timetable.rpartition(".")[2] in TIMETABLES


def _cron(expression: str, zone: str) -> CronCalendar | None:
    try:
        return CronCalendar(expression, ZoneInfo(zone))
    except (ValueError, KeyError, OSError):  # ZoneInfoNotFoundError is a KeyError
        return None
