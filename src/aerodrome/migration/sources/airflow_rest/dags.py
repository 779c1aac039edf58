"""The DAGs of an Airflow over REST, with their tasks and a summary of their runs.

The list and the runs come in pages; details and tasks take two calls a DAG, a few at a time.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.redaction import Redactor
from aerodrome.migration.estate.records import DagRecord, ImportErrorRecord
from aerodrome.migration.sources.airflow_db import serialized
from aerodrome.migration.sources.airflow_db.dags import DURATION_WINDOW, WINDOWS
from aerodrome.migration.sources.airflow_db.rows import pages
from aerodrome.migration.sources.airflow_rest.client import RestReader, quoted
from aerodrome.migration.sources.dag_files import DagFiles

AT_A_TIME, DAGS_PER_PAGE = 4, 100
DEFAULT_QUEUE = "default"  # REST names it where the task does not
RECENT = timedelta(days=30)
_DELTA = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d(?:\.\d+)?)")
_MASKED = Redactor()


@dataclass
class RunSummary:
    run_states: Counter[str] = field(default_factory=Counter)
    last_run_at: datetime | None = None
    runs: Counter[str] = field(default_factory=Counter)  # begun in each of WINDOWS
    failures_30d: int = 0
    seconds: list[float] = field(default_factory=list)  # of runs that ended, within DURATION_WINDOW

    def add(self, run: Mapping[str, Any], now: datetime) -> None:
        started, ended = from_text(run["start_date"]), from_text(run["end_date"])
        self.run_states[run["state"] or "none"] += 1
        if started is None:
            return
        self.last_run_at = max(started, self.last_run_at or started)
        self.runs.update(name for name, window in WINDOWS.items() if started >= now - window)
        self.failures_30d += started >= now - RECENT and run["state"] == "failed"
        if ended is not None and started >= now - DURATION_WINDOW:
            self.seconds.append((ended - started).total_seconds())

    def duration_p95_s(self) -> float | None:
        """Give the shortest duration that at least 95 % of the runs do not exceed."""
        if not self.seconds:
            return None
        ordered = sorted(self.seconds)
        return round(ordered[-(-len(ordered) * 95 // 100) - 1], 3)


class DagReader:
    """Reads all DAG records of one Airflow."""

    def __init__(self, reader: RestReader, dags_folder: Path, now: datetime) -> None:
        self._reader = reader
        self._files = DagFiles(dags_folder)
        self._now = now
        self._inputs: dict[str, set[str]] = defaultdict(set)
        self._outputs: dict[str, set[str]] = defaultdict(set)

    def records(self) -> Iterator[DagRecord]:
        """Give every DAG that is not a sub-DAG, by dag_id."""
        entries = self.entries()
        summaries = self._summaries()
        errors = {record.file: record.message for record in self.import_errors()}
        self._read_datasets()
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            for page in pages(entries, DAGS_PER_PAGE):
                for entry, (detail, tasks) in zip(page, pool.map(self._details, page), strict=True):
                    yield self._record(entry, detail, tasks, summaries[entry["dag_id"]], errors)

    def entries(self) -> list[dict[str, Any]]:
        """Give the DAGs as the list route has them, stale ones too."""
        parameters = {"exclude_stale": "false"} if self._reader.is_v2 else {"only_active": "false"}
        found = self._reader.pages("/dags", "dags", order_by="dag_id", **parameters)
        return [entry for entry in found if not entry.get("is_subdag")]

    def import_errors(self) -> Iterator[ImportErrorRecord]:
        """Give the files that the source could not import; one record a file, the newest error."""
        found = self._reader.pages(
            "/importErrors", "import_errors", order_by="import_error_id" if not self._reader.is_v2 else "id"
        )
        newest = {self._files.relative(each["filename"] or ""): each["stack_trace"] or "" for each in found}
        for file, trace in sorted(newest.items()):
            lines = [line.strip() for line in trace.splitlines() if line.strip()]
            yield ImportErrorRecord(file, _MASKED.text(lines[-1])[:500] if lines else "unknown error")

    def _read_datasets(self) -> None:
        """Read which DAG starts on which dataset (2.4 and newer) or asset, and which makes it."""
        path, readers = ("/assets", "scheduled_dags") if self._reader.is_v2 else ("/datasets", "consuming_dags")
        with suppress(NotFound):
            for each in self._reader.pages(path, path[1:]):
                for dag in each.get(readers) or ():
                    self._inputs[dag["dag_id"]].add(each["uri"])
                for task in each.get("producing_tasks") or ():
                    self._outputs[task["dag_id"]].add(each["uri"])

    def _details(self, entry: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Give details and tasks; a DAG whose file is gone has none, nor one that cannot be asked for by its name."""
        path = f"/dags/{quoted(entry['dag_id'])}"
        if not self._reader.fits(f"{path}/details"):
            return {}, []
        try:
            return self._reader.get(f"{path}/details"), list(self._reader.get(f"{path}/tasks")["tasks"])
        except NotFound:
            return {}, []

    def _summaries(self) -> dict[str, RunSummary]:
        found: dict[str, RunSummary] = defaultdict(RunSummary)
        for run in self._reader.batch("/dags/~/dagRuns/list", "dag_runs", order_by="id"):
            found[run["dag_id"]].add(run, self._now)
        return found

    def _record(
        self,
        entry: dict[str, Any],
        detail: dict[str, Any],
        tasks: list[dict[str, Any]],
        summary: RunSummary,
        errors: dict[str, str],
    ) -> DagRecord:
        is_v2 = self._reader.is_v2
        file = self._files.relative(entry["fileloc"] or "", entry.get("relative_fileloc"))
        names = self._files.mentioned(file)
        schedule = schedule_of(entry)
        found = _tasks(tasks)
        return DagRecord(
            dag_id=entry["dag_id"],
            file=file,
            is_paused=bool(entry["is_paused"]),
            is_active=not entry["is_stale"] if is_v2 else bool(entry["is_active"]),
            schedule=schedule.text,
            schedule_kind=schedule.kind,
            timetable=schedule.timetable,
            timezone=_timezone(detail) if is_v2 else None,
            catchup=detail.get("catchup"),
            start_date=to_text(from_text(detail.get("start_date"))),
            end_date=to_text(from_text(detail.get("end_date"))),
            max_active_runs=entry.get("max_active_runs"),
            max_active_tasks=entry.get("max_active_tasks"),
            owners=tuple(entry["owners"]),
            tags=tuple(sorted(tag["name"] for tag in entry["tags"] or ())),
            description=entry["description"],
            task_count=len(found),
            tasks=found,
            depends_on_dags=(),
            datasets_in=tuple(sorted(self._inputs[entry["dag_id"]])),
            datasets_out=tuple(sorted(self._outputs[entry["dag_id"]])),
            pools=tuple(sorted({task["pool"] for task in found})),
            queues=tuple(sorted({task["queue"] for task in found if task["queue"]})),
            connections=tuple(sorted(names.connections)),
            variables=tuple(sorted(names.variables)),
            next_logical_date=_moment(entry, "next_dagrun_logical_date" if is_v2 else "next_dagrun"),
            next_interval_start=_moment(entry, "next_dagrun_data_interval_start"),
            next_interval_end=_moment(entry, "next_dagrun_data_interval_end"),
            next_run_after=_moment(entry, "next_dagrun_run_after" if is_v2 else "next_dagrun_create_after"),
            run_states=dict(sorted(summary.run_states.items())),
            last_run_at=to_text(summary.last_run_at),
            runs_30d=summary.runs["30d"],
            failures_30d=summary.failures_30d,
            duration_p95_s=summary.duration_p95_s(),
            runs_1d=summary.runs["1d"],
            runs_7d=summary.runs["7d"],
            runs_365d=summary.runs["365d"],
            import_error=errors.get(file),
            unread=self._unread(is_known=bool(detail)),
        )

    def _unread(self, *, is_known: bool) -> tuple[str, ...]:
        """Name what this API does not tell; where the DAG's file is gone, its tasks neither."""
        found: tuple[str, ...] = ("depends_on_dags", "task_states", "callbacks", "executor_config")
        if not self._reader.is_v2:
            found = (*found, "slas", "timezone")
        return found if is_known else (*found, "tasks")


def schedule_of(entry: Mapping[str, Any]) -> serialized.Schedule:
    """Read the schedule: a typed object in v1, the timetable's summary in v2 (a delta as Python writes one)."""
    given = entry.get("schedule_interval", entry.get("timetable_summary"))
    if isinstance(given, dict) and given.get("__type") == "CronExpression":
        return serialized.schedule_of(given["value"])
    if isinstance(given, dict) and given.get("__type") == "TimeDelta":
        seconds = (
            (given.get("days") or 0) * 86400 + (given.get("seconds") or 0) + (given.get("microseconds") or 0) / 1e6
        )
        return serialized.schedule_of({"__type": "timedelta", "__var": seconds})
    delta = _DELTA.fullmatch(given) if isinstance(given, str) else None
    if delta:
        days, hours, minutes, seconds = (float(part or 0) for part in delta.groups())
        return serialized.schedule_of(
            {"__type": "timedelta", "__var": ((days * 24 + hours) * 60 + minutes) * 60 + seconds}
        )
    return serialized.schedule_of(given)


def _timezone(detail: dict[str, Any]) -> str | None:
    """Give the DAG's time zone. Not in 2.x: there v1 says the server's own (get_dag_details, dag_endpoint.py, 2.11.2)."""
    said = detail.get("timezone")
    return re.sub(r"^Timezone\('(.+)'\)$", r"\1", said) if isinstance(said, str) else None


def _tasks(tasks: list[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    upstream: dict[str, list[str]] = defaultdict(list)
    for task in tasks:
        for name in task["downstream_task_ids"] or ():
            upstream[name].append(task["task_id"])
    found = []
    for task in sorted(tasks, key=lambda each: str(each["task_id"])):
        reference = task.get("class_ref") or {}
        found.append(
            {
                "task_id": task["task_id"],
                "operator": task.get("operator_name") or reference.get("class_name"),
                "class": reference.get("class_name"),
                "module": reference.get("module_path"),
                "pool": task.get("pool") or "default_pool",
                "queue": None if task.get("queue") == DEFAULT_QUEUE else task.get("queue"),
                "upstream": sorted(upstream[task["task_id"]]),
                "downstream": sorted(task["downstream_task_ids"] or ()),
                "trigger_rule": task.get("trigger_rule"),
                "is_mapped": bool(task.get("is_mapped")),
                "depends_on_past": bool(task.get("depends_on_past")),
            }
        )
    return tuple(found)


def _moment(entry: dict[str, Any], name: str) -> str | None:
    return to_text(from_text(entry.get(name)))
