"""The DAGs of a metadata database: what the scheduler knows, what the serialized form tells, and a history summary.

A fixed number of grouped queries reads all DAGs, however many there are.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, case, func, select, text

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.redaction import Redactor
from aerodrome.migration.estate.records import DagRecord, ImportErrorRecord
from aerodrome.migration.sources.airflow_db import serialized
from aerodrome.migration.sources.airflow_db.rows import column_or, pages, utc
from aerodrome.migration.sources.airflow_db.schedules import Schedules, column_schedule
from aerodrome.migration.sources.mentions import Mentions, mentions

RECENT = timedelta(days=30)
DURATION_WINDOW = timedelta(days=90)
WINDOWS = {"1d": timedelta(days=1), "7d": timedelta(days=7), "30d": RECENT, "365d": timedelta(days=365)}
FORMS_PER_PAGE = 50
_MASKED = Redactor()


@dataclass
class _Summary:
    run_states: dict[str, int] = field(default_factory=dict)
    task_states: dict[str, int] = field(default_factory=dict)
    last_run_at: datetime | None = None
    runs: dict[str, int] = field(default_factory=lambda: dict.fromkeys(WINDOWS, 0))
    failures_30d: int = 0
    duration_p95_s: float | None = None


Summaries = dict[str, _Summary]


class DagReader:
    """Reads all DAG records of one database."""

    def __init__(
        self, database: MetadataDatabase, dags_folder: Path, now: datetime, schedules: Schedules | None = None
    ) -> None:
        self._database = database
        self._schedules = schedules or Schedules(database, dags_folder)
        self._dags_folder = dags_folder
        self._now = now
        self._mentions: dict[str, Mentions] = {}

    def records(
        self, known: Mapping[str, Mentions] | None = None, summaries: Summaries | None = None
    ) -> Iterator[DagRecord]:
        """Give every DAG that is not a sub-DAG, by dag_id.

        `known`: what files mention that were read already, by path in the folder.
        """
        self._mentions.update(known or {})
        summaries = self.summaries() if summaries is None else summaries
        tags = self._grouped("dag_tag", "dag_id", "name")
        errors = {record.file: record.message for record in self.import_errors()}
        for row, dag, dag_hash in self._rows():
            facts = serialized.facts_of({**dag, "_dag_id": row.dag_id} if dag else {"_dag_id": row.dag_id})
            schedule = facts.schedule
            if dag is None or (schedule.kind == "none" and schedule.timetable is None):
                schedule = column_schedule(row.schedule_interval, schedule)
            file = self._relative(row.fileloc or "", row.relative_fileloc, facts.dags_folder)
            summary = summaries[row.dag_id]
            names = self._mentioned(file)
            yield DagRecord(
                dag_id=row.dag_id,
                file=file,
                is_paused=bool(row.is_paused),
                is_active=bool(row.is_active) if row.is_stale is None else not row.is_stale,
                schedule=schedule.text,
                schedule_kind=schedule.kind,
                timetable=schedule.timetable,
                timezone=facts.timezone or (None if dag else self._schedules.of(row.dag_id).timezone),
                catchup=facts.catchup if dag else self._schedules.of(row.dag_id).catchup,
                start_date=facts.start_date,
                end_date=facts.end_date,
                max_active_runs=facts.max_active_runs or row.max_active_runs,
                max_active_tasks=facts.max_active_tasks or row.max_active_tasks,
                owners=tuple(part.strip() for part in (row.owners or "").split(",") if part.strip()),
                tags=tuple(sorted(tags.get(row.dag_id, ()))),
                description=row.description,
                task_count=len(facts.tasks),
                tasks=facts.tasks,
                depends_on_dags=facts.depends_on_dags,
                datasets_in=facts.datasets_in,
                datasets_out=facts.datasets_out,
                aliases_in=facts.aliases_in,
                aliases_out=facts.aliases_out,
                pools=tuple(sorted({task["pool"] for task in facts.tasks})),
                queues=tuple(sorted({task["queue"] for task in facts.tasks if task["queue"]})),
                connections=tuple(sorted(names.connections | set(facts.conn_ids))),
                variables=tuple(sorted(names.variables)),
                next_logical_date=to_text(utc(row.next_dagrun)),
                next_interval_start=to_text(utc(row.next_start)),
                next_interval_end=to_text(utc(row.next_end)),
                next_run_after=to_text(utc(row.next_after)),
                run_states=dict(sorted(summary.run_states.items())),
                task_states=dict(sorted(summary.task_states.items())),
                last_run_at=to_text(summary.last_run_at),
                runs_30d=summary.runs["30d"],
                failures_30d=summary.failures_30d,
                duration_p95_s=summary.duration_p95_s,
                import_error=errors.get(file),
                runs_1d=summary.runs["1d"],
                runs_7d=summary.runs["7d"],
                runs_365d=summary.runs["365d"],
                callbacks=facts.callbacks,
                version=_version(dag, dag_hash),
            )

    def import_errors(self) -> Iterator[ImportErrorRecord]:
        """Give the files that the source could not import; one record a file, the newest error."""
        if not self._database.has("import_error"):
            return
        table = self._database.table("import_error")
        with self._database.reading() as connection:
            rows = connection.execute(select(table.c.filename, table.c.stacktrace).order_by(table.c.id)).all()
        newest = {self._relative(row.filename or "", None, None): row.stacktrace or "" for row in rows}
        for file, trace in sorted(newest.items()):
            lines = [line.strip() for line in trace.splitlines() if line.strip()]
            yield ImportErrorRecord(file, _MASKED.text(lines[-1])[:500] if lines else "unknown error")

    def dag_ids(self) -> tuple[str, ...]:
        """Give the ids of every DAG row, sub-DAGs too."""
        table = self._database.table("dag")
        with self._database.reading() as connection:
            return tuple(connection.scalars(select(table.c.dag_id).order_by(table.c.dag_id)))

    def _rows(self) -> Iterator[tuple[Any, dict[str, Any] | None, str | None]]:
        """Give each DAG's row with its serialized form and Airflow's hash of that."""
        database = self._database
        dag = database.table("dag")
        columns: list[ColumnElement[Any]] = [dag.c.dag_id, dag.c.is_paused, dag.c.fileloc, dag.c.owners]
        columns += [
            column_or(database, "dag", *names).label(label)
            for label, names in (
                ("is_active", ("is_active",)),
                ("is_stale", ("is_stale",)),
                ("is_subdag", ("is_subdag",)),
                ("relative_fileloc", ("relative_fileloc",)),
                ("description", ("description",)),
                ("schedule_interval", ("schedule_interval", "timetable_summary")),
                ("max_active_runs", ("max_active_runs",)),
                ("max_active_tasks", ("max_active_tasks", "concurrency")),
                ("next_dagrun", ("next_dagrun",)),
                ("next_start", ("next_dagrun_data_interval_start",)),
                ("next_end", ("next_dagrun_data_interval_end",)),
                ("next_after", ("next_dagrun_create_after",)),
            )
        ]
        with database.reading() as connection:
            rows = [row for row in connection.execute(select(*columns).order_by(dag.c.dag_id)) if not row.is_subdag]
        for page in pages(rows, FORMS_PER_PAGE):
            forms = newest_forms(database, [row.dag_id for row in page])
            for row in page:
                data, compressed, dag_hash = forms.pop(row.dag_id, (None, None, None))
                yield row, serialized.load(data, compressed), dag_hash

    def summaries(self) -> Summaries:
        """Sum up the history per DAG, whole: the database does the work, so call it beside other work."""
        run, task = self._database.table("dag_run"), self._database.table("task_instance")
        found: dict[str, _Summary] = defaultdict(_Summary)
        began = {name: self._moment(self._now - length) for name, length in WINDOWS.items()}
        by_state = select(
            run.c.dag_id,
            run.c.state,
            func.count().label("total"),
            func.max(run.c.start_date).label("last"),
            *(func.sum(case((run.c.start_date >= moment, 1), else_=0)).label(name) for name, moment in began.items()),
        ).group_by(run.c.dag_id, run.c.state)
        tasks = select(task.c.dag_id, task.c.state, func.count().label("total")).group_by(task.c.dag_id, task.c.state)
        with self._database.reading() as connection:
            for row in connection.execute(by_state):
                windows = row._asdict()
                summary = found[row.dag_id]
                summary.run_states[row.state or "none"] = row.total
                summary.last_run_at = max(filter(None, (summary.last_run_at, utc(row.last))), default=None)
                for name in WINDOWS:
                    summary.runs[name] += int(windows[name] or 0)
                summary.failures_30d += int(windows["30d"] or 0) if row.state == "failed" else 0
            for row in connection.execute(tasks):
                found[row.dag_id].task_states[row.state or "none"] = row.total
            for row in connection.execute(self._durations()):
                found[row.dag_id].duration_p95_s = round(float(row.duration), 3)
        return found

    def _durations(self) -> Select[Any]:
        run = self._database.table("dag_run")
        if self._database.dialect == "sqlite":
            seconds = (func.julianday(run.c.end_date) - func.julianday(run.c.start_date)) * 86400.0
        elif self._database.dialect == "mysql":
            seconds = func.timestampdiff(text("MICROSECOND"), run.c.start_date, run.c.end_date) / 1e6
        else:
            seconds = func.extract("epoch", run.c.end_date - run.c.start_date)
        ranked = (
            select(
                run.c.dag_id,
                seconds.label("duration"),
                func.row_number().over(partition_by=run.c.dag_id, order_by=seconds).label("position"),
                func.count().over(partition_by=run.c.dag_id).label("total"),
            )
            .where(run.c.start_date >= self._moment(self._now - DURATION_WINDOW), run.c.end_date.is_not(None))
            .subquery()
        )
        return (
            select(ranked.c.dag_id, func.min(ranked.c.duration).label("duration"))
            .where(ranked.c.position * 100 >= ranked.c.total * 95)
            .group_by(ranked.c.dag_id)
        )

    def _moment(self, moment: datetime) -> datetime:
        return self._database.stored(moment)

    def _grouped(self, name: str, key: str, value: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        if self._database.has(name):
            table = self._database.table(name)
            with self._database.reading() as connection:
                for row in connection.execute(select(table.c[key], table.c[value])):
                    found[row[0]].append(row[1])
        return found

    def _relative(self, fileloc: str, relative: str | None, dags_folder: str | None) -> str:
        """Give the path within the DAGs folder, whatever that folder's name is on the source's machine."""
        if relative:
            return relative
        path = PurePosixPath(fileloc)
        for folder in filter(None, (dags_folder, self._dags_folder.absolute().as_posix())):
            if path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        parts = path.parts
        for start in range(1, len(parts)):
            if (self._dags_folder / Path(*parts[start:])).is_file():
                return PurePosixPath(*parts[start:]).as_posix()
        return fileloc

    def _mentioned(self, file: str) -> Mentions:
        if file not in self._mentions:
            path = self._dags_folder / file
            is_readable = path.suffix == ".py" and path.is_file()
            self._mentions[file] = (
                mentions(path.read_text(encoding="utf-8", errors="replace")) if is_readable else Mentions()
            )
        return self._mentions[file]


def newest_forms(database: MetadataDatabase, dag_ids: Sequence[str]) -> dict[str, tuple[Any, bytes | None, str | None]]:
    """Give the newest serialized forms: data, compressed data, Airflow's own hash. Some at a time: a big estate's forms fill gigabytes."""
    if not database.has("serialized_dag"):
        return {}
    table = database.table("serialized_dag")
    compressed = column_or(database, "serialized_dag", "data_compressed").label("data_compressed")
    dag_hash = column_or(database, "serialized_dag", "dag_hash").label("dag_hash")
    order = column_or(database, "serialized_dag", "created_at", "last_updated")
    query = select(table.c.dag_id, table.c.data, compressed, dag_hash).where(table.c.dag_id.in_(dag_ids))
    if not _is_key(table):  # 3.x keeps a form per version
        position = func.row_number().over(partition_by=table.c.dag_id, order_by=order.desc()).label("position")
        ranked = query.add_columns(position).subquery()
        query = select(ranked.c.dag_id, ranked.c.data, ranked.c.data_compressed, ranked.c.dag_hash).where(
            ranked.c.position == 1
        )
    with database.reading() as connection:
        return {row.dag_id: (row.data, row.data_compressed, row.dag_hash) for row in connection.execute(query)}


def versions(database: MetadataDatabase, dag_ids: Sequence[str]) -> dict[str, str]:
    """Give what tells that a DAG has changed; DAGs without a serialized form are missing."""
    found: dict[str, str] = {}
    for page in pages(dag_ids, FORMS_PER_PAGE):
        for dag_id, (data, compressed, dag_hash) in newest_forms(database, page).items():
            version = _version(serialized.load(data, compressed), dag_hash)
            if version is not None:
                found[dag_id] = version
    return found


def _version(dag: dict[str, Any] | None, dag_hash: str | None) -> str | None:
    return serialized.version_of(dag) if dag else dag_hash


def _is_key(table: Table) -> bool:
    return [column.name for column in table.primary_key.columns] == ["dag_id"]
