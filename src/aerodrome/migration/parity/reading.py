"""Reads one run of one side: from a metadata database of any Airflow, or from what a source streams over REST."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import and_, case, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import (
    FINAL_RUN_STATES,
    RUN_COLUMNS,
    TASK_COLUMNS,
    UNFINISHED_TASK_STATES,
    HistoryBatch,
    HistoryKind,
    HistoryWindow,
)
from aerodrome.migration.parity.contract import RunFacts, TaskKey
from aerodrome.migration.sources.airflow_db.history import HistoryReader
from aerodrome.migration.sources.airflow_db.schedules import logical_date, run_type
from aerodrome.migration.sources.contract import SourceAdapter

SHADOW = "shadow__"
"""How the ids of runs begin that a comparison made."""
LONGEST_LOG = 4_000_000


class Runs(Protocol):
    """What a comparison asks of a side."""

    def newest(self, dag_id: str) -> str | None:
        """Give the id of the run to compare: the newest finished one, scheduled and successful ones first; None: there is none."""
        ...

    def facts(self, dag_id: str, run_id: str) -> RunFacts | None:
        """Read the whole run; None when there is none of this id."""
        ...

    def close(self) -> None: ...


class DatabaseRuns:
    """Runs of a metadata database: self-managed, hosted here, or unpacked from an archive."""

    def __init__(self, url: Secret, logs: Path | None = None) -> None:
        """`logs`: the folder of task logs (`[logging] base_log_folder`) where this machine can read it."""
        self._database = MetadataDatabase(url)
        self._history = HistoryReader(self._database)
        self._logs = logs

    def newest(self, dag_id: str) -> str | None:
        database = self._database
        run, task = database.table("dag_run"), database.table("task_instance").alias()
        by = "run_id" if "run_id" in task.c else "execution_date"
        moving = select(task.c[by]).where(task.c.dag_id == dag_id, task.c.state.in_(UNFINISHED_TASK_STATES))
        rank = case(
            (and_(run_type(database) == "scheduled", run.c.state == "success"), 0),
            (run.c.state == "success", 1),
            else_=2,
        )
        query = (
            select(run.c.run_id)
            .where(
                run.c.dag_id == dag_id,
                run.c.state.in_(FINAL_RUN_STATES),
                logical_date(database).is_not(None),
                run.c.run_id.not_like(f"{SHADOW}%"),
                run.c[by].not_in(moving),
            )
            .order_by(rank, logical_date(database).desc())
            .limit(1)
        )
        with database.reading() as connection:
            return connection.scalar(query)

    def at(self, dag_id: str, moment: Any) -> str | None:
        """Give the id of the run of a logical date."""
        database = self._database
        run = database.table("dag_run")
        query = select(run.c.run_id).where(run.c.dag_id == dag_id, logical_date(database) == database.stored(moment))
        with database.reading() as connection:
            return connection.scalar(query)

    def facts(self, dag_id: str, run_id: str) -> RunFacts | None:
        runs = self._rows("run", dag_id, run_id)
        if not runs:
            return None
        run = runs[0]
        tasks = _by_task(self._rows("task_instance", dag_id, run_id))
        unread: list[str] = []
        xcoms: dict[tuple[str, int, str], str | None] = {}
        for batch in self._history.of_runs("xcom", dag_id, [run_id]):
            for row in batch.rows:
                xcoms[(row[2], row[3], row[4])] = row[5]
            unread += [f"XCom {refused.key.partition('/')[2]}: {refused.message}" for refused in batch.rejected]
        return RunFacts(
            run, tasks, xcoms, self._rendered(dag_id, run), self._log_texts(dag_id, run, tasks), tuple(unread)
        )

    def _rows(self, kind: HistoryKind, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        return list(_named(self._history.of_runs(kind, dag_id, [run_id])))

    def _rendered(self, dag_id: str, run: Mapping[str, Any]) -> dict[TaskKey, Mapping[str, Any]] | None:
        database = self._database
        if not database.has("rendered_task_instance_fields"):
            return None
        table = database.table("rendered_task_instance_fields")
        by = (
            table.c.run_id == run["run_id"]
            if "run_id" in table.c
            else table.c.execution_date == database.stored(run["logical_date"])
        )
        found: dict[TaskKey, Mapping[str, Any]] = {}
        with database.reading() as connection:
            for row in connection.execute(select(table).where(table.c.dag_id == dag_id, by)).mappings():
                fields = row["rendered_fields"]
                fields = json.loads(fields) if isinstance(fields, str) else fields
                if isinstance(fields, dict):
                    found[(row["task_id"], row.get("map_index", -1))] = fields
        return found

    def _log_texts(
        self, dag_id: str, run: Mapping[str, Any], tasks: Mapping[TaskKey, Mapping[str, Any]]
    ) -> dict[TaskKey, str] | None:
        if self._logs is None or not self._logs.is_dir():
            return None
        return log_texts(self._logs, dag_id, run, tasks)

    def close(self) -> None:
        self._database.close()


class StreamedRuns:
    """Runs of a source that only streams its history: a REST API. XComs, templates and logs do not come over it."""

    def __init__(self, source: SourceAdapter) -> None:
        self._source = source

    def newest(self, dag_id: str) -> str | None:
        best: tuple[int, Any, str] | None = None
        for run in _named(self._source.history("run", HistoryWindow((dag_id,)))):
            if run["logical_date"] is None or str(run["run_id"]).startswith(SHADOW):
                continue
            is_good = run["state"] == "success"
            rank = 2 if is_good and run["run_type"] == "scheduled" else int(is_good)
            if best is None or (rank, run["logical_date"]) > best[:2]:
                best = (rank, run["logical_date"], str(run["run_id"]))
        return best[2] if best else None

    def facts(self, dag_id: str, run_id: str) -> RunFacts | None:
        window = HistoryWindow((dag_id,))
        run = next((row for row in _named(self._source.history("run", window)) if row["run_id"] == run_id), None)
        if run is None:
            return None
        rows = (row for row in _named(self._source.history("task_instance", window)) if row["run_id"] == run_id)
        return RunFacts(
            run,
            _by_task(rows),
            None,
            None,
            None,
            ("XComs, rendered templates and logs do not come over the source's REST API.",),
        )

    def close(self) -> None:
        """Nothing: the source is the caller's."""


def log_texts(
    folder: Path, dag_id: str, run: Mapping[str, Any], tasks: Mapping[TaskKey, Mapping[str, Any]]
) -> dict[TaskKey, str]:
    """Read the last try's log of each task in Airflow's two layouts: since 2.3 `dag_id=…/run_id=…`, before `dag/task/date`."""
    found: dict[TaskKey, str] = {}
    for key, task in tasks.items():
        task_id, index = key
        number = max(int(task["try_number"] or 0), 1)
        newer = folder / f"dag_id={dag_id}" / f"run_id={run['run_id']}" / f"task_id={task_id}"
        if index >= 0:
            newer /= f"map_index={index}"
        older = folder / dag_id / task_id / (run["logical_date"].isoformat() if run["logical_date"] else "")
        for path in (newer / f"attempt={number}.log", older / f"{number}.log"):
            if path.is_file() and path.resolve().is_relative_to(folder.resolve()):
                with path.open(encoding="utf-8", errors="replace") as stream:
                    found[key] = stream.read(LONGEST_LOG)
                break
    return found


def _by_task(rows: Iterable[dict[str, Any]]) -> dict[TaskKey, Mapping[str, Any]]:
    return {(row["task_id"], row["map_index"]): row for row in rows if row["state"] != "removed"}


def _named(batches: Iterable[HistoryBatch]) -> Iterable[dict[str, Any]]:
    columns: dict[HistoryKind, Sequence[str]] = {"run": RUN_COLUMNS, "task_instance": TASK_COLUMNS}
    for batch in batches:
        for row in batch.rows:
            yield dict(zip(columns[batch.kind], row, strict=True))
