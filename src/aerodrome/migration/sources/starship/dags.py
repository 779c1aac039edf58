"""DAGs and what the scheduler knows of them by Starship alone, for an Airflow whose stable REST API answers nobody."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.migration.estate.calendars import Interval, after, calendar_of
from aerodrome.migration.estate.history import UNFINISHED_TASK_STATES
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.airflow_db.rows import pages
from aerodrome.migration.sources.airflow_db.states import IN_FLIGHT_RUNS
from aerodrome.migration.sources.airflow_rest.dags import AT_A_TIME, RunSummary, schedule_of
from aerodrome.migration.sources.contract import DagState
from aerodrome.migration.sources.dag_files import DagFiles
from aerodrome.migration.sources.starship.client import StarshipReader
from aerodrome.migration.sources.starship.history import StarshipHistory

UNREAD = (
    "is_active", "timezone", "catchup", "start_date", "end_date", "max_active_runs", "max_active_tasks", "tasks",
    "depends_on_dags", "datasets_in", "datasets_out", "task_states", "import_error", "callbacks", "slas", "executor_config",
)  # fmt: skip
"""What no route of Starship tells of a DAG."""
DAGS_PER_PAGE = 100
PROVING_RUNS = 3


class StarshipDags:
    """Reads the DAGs of one Airflow."""

    def __init__(self, reader: StarshipReader, history: StarshipHistory, folder: Path, now: datetime) -> None:
        self._reader = reader
        self._history = history
        self._files = DagFiles(folder)
        self._now = now

    def records(self) -> Iterator[DagRecord]:
        """Give every DAG, by dag_id, those too that are no more active: Starship does not tell them apart."""
        entries = sorted(self._reader.starship("dags"), key=lambda each: str(each["dag_id"]))
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for page in pages(entries, DAGS_PER_PAGE):
                found = pool.map(lambda entry: self._history.runs(entry["dag_id"]), page)
                for entry, runs in zip(page, found, strict=True):
                    yield self._record(entry, runs)

    def _record(self, entry: Mapping[str, Any], runs: Mapping[str, dict[str, Any]]) -> DagRecord:
        summary = RunSummary()
        for run in runs.values():
            summary.add(run, self._now)
        file = self._files.relative(entry["fileloc"] or "")
        names = self._files.mentioned(file)
        schedule = schedule_of(entry)
        record = DagRecord(
            dag_id=entry["dag_id"],
            file=file,
            is_paused=bool(entry["is_paused"]),
            is_active=True,
            schedule=schedule.text,
            schedule_kind=schedule.kind,
            timetable=schedule.timetable,
            timezone=None,
            catchup=None,
            start_date=None,
            end_date=None,
            max_active_runs=None,
            max_active_tasks=None,
            owners=tuple(part.strip() for part in (entry["owners"] or "").split(",") if part.strip()),
            tags=tuple(sorted(entry["tags"] or ())),
            description=entry["description"],
            task_count=0,
            tasks=(),
            depends_on_dags=(),
            datasets_in=(),
            datasets_out=(),
            pools=(),
            queues=(),
            connections=tuple(sorted(names.connections)),
            variables=tuple(sorted(names.variables)),
            next_logical_date=None,
            next_interval_start=None,
            next_interval_end=None,
            next_run_after=None,
            run_states=dict(sorted(summary.run_states.items())),
            last_run_at=to_text(summary.last_run_at),
            runs_30d=summary.runs["30d"],
            failures_30d=summary.failures_30d,
            duration_p95_s=summary.duration_p95_s(),
            runs_1d=summary.runs["1d"],
            runs_7d=summary.runs["7d"],
            runs_365d=summary.runs["365d"],
            unread=UNREAD,
        )
        coming = next_interval(record, runs)
        if coming is None:
            return record
        return replace(
            record,
            next_logical_date=to_text(coming[0]),
            next_interval_start=to_text(coming[0]),
            next_interval_end=to_text(coming[1]),
            next_run_after=to_text(coming[1]),
        )

    def states(self, dag_ids: Sequence[str], marks: Mapping[str, Mapping[str, Any]]) -> dict[str, DagState]:
        """Give the states of the DAGs that exist. `marks`: our variables by DAG."""
        there = {entry["dag_id"]: entry for entry in self._reader.starship("dags")}
        return {
            dag_id: self._state(there[dag_id], marks.get(dag_id)) for dag_id in sorted(set(dag_ids)) if dag_id in there
        }

    def _state(self, entry: Mapping[str, Any], mark: Mapping[str, Any] | None) -> DagState:
        dag_id, is_paused = str(entry["dag_id"]), bool(entry["is_paused"])
        runs = self._history.runs(dag_id)
        in_flight = Counter(f"run:{run['state']}" for run in runs.values() if run["state"] in IN_FLIGHT_RUNS)
        for page in self._history.tasks(dag_id, runs):
            in_flight.update(row["state"] for row in page if row["state"] in UNFINISHED_TASK_STATES)
        last = _scheduled(runs)[-1:]
        coming = next_interval(self._record(entry, runs), runs)
        is_standing = mark is not None and not mark["is_undone"]
        return DagState(
            dag_id=dag_id,
            is_paused=is_paused,
            mark=mark["mark"] if mark and is_standing and is_paused else None,
            next_logical_date=coming[0] if coming else None,
            next_interval=coming,
            next_run_after=coming[1] if coming else None,
            last_interval=interval_of(last[0]) if last else None,
            last_run_state=last[0]["state"] if last else None,
            let_go=mark["mark"] if mark and not is_standing and not is_paused else None,
            in_flight=dict(sorted(in_flight.items())),
        )


def next_interval(record: DagRecord, runs: Mapping[str, Mapping[str, Any]]) -> Interval | None:
    """Work out the interval that follows the last one; None where the schedule, read in UTC, does not explain the last ones.

    Starship tells neither the time zone nor what the scheduler has written down as next.
    """
    calendar = calendar_of(record)
    known = [interval_of(run) for run in _scheduled(runs)[-PROVING_RUNS:]]
    if calendar is None or not known or any(interval is None for interval in known):
        return None
    intervals = [interval for interval in known if interval is not None]
    if any(after(calendar, before) != following for before, following in pairwise(intervals)):
        return None
    last = intervals[-1]
    coming = after(calendar, last)
    return coming if coming[0] == last[1] else None


def interval_of(run: Mapping[str, Any]) -> Interval | None:
    start, end = from_text(run.get("data_interval_start")), from_text(run.get("data_interval_end"))
    return None if start is None or end is None else (start, end)


def _scheduled(runs: Mapping[str, Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Give the scheduled runs, by logical date."""
    found = [run for run in runs.values() if run["run_type"] == "scheduled"]
    return sorted(found, key=lambda run: str(run.get("logical_date", run.get("execution_date"))))
