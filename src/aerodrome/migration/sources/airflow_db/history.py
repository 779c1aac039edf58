"""Streams run history in the neutral columns, page by page of finished runs.

A page is read by its own short transaction: a long one would block the scheduler of a SQLite source and hold back the
vacuum of a PostgreSQL source. Finished runs do not move, so pages by (dag_id, run_id) lose nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import func
from sqlalchemy.types import JSON

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import COLUMNS, HistoryBatch, HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_db.history_batches import batches, chunks, driver_rows
from aerodrome.migration.sources.airflow_db.history_leftovers import Leftovers
from aerodrome.migration.sources.airflow_db.history_queries import HistoryQueries
from aerodrome.migration.sources.airflow_db.history_windows import Windows
from aerodrome.migration.sources.airflow_db.packing import UnpackableError
from aerodrome.migration.sources.airflow_db.schedules import Schedules
from aerodrome.migration.sources.airflow_db.tries import (
    convert_attempt,
    failed_attempts,
    has_failed_attempts,
    has_older_attempts,
    may_have_older_attempts,
)


class HistoryReader:
    """Reads the history of one database."""

    def __init__(self, database: MetadataDatabase, schedules: Schedules | None = None) -> None:
        """Take the schedules of the same database, which tell the intervals of runs of Airflow before 2.2."""
        self._database = database
        self.queries = HistoryQueries(database, schedules or Schedules(database))
        self.windows = Windows(database)
        self.leftovers = Leftovers(database, self.queries, self.windows)

    def stream(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give batches in the order of `window.dag_ids` and run_id."""
        if not self.queries.is_kept(kind):
            return
        with self._database.kept():
            for dag_id in window.dag_ids:
                for run_ids in self.windows.pages_of(window, dag_id):
                    yield from self.page(kind, dag_id, run_ids)
                yield from self.leftovers.unnamed(kind, dag_id, window)
                if window.since is None:
                    yield from self.leftovers.orphans(kind, dag_id)

    def stream_raw(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[Sequence[Sequence[Any]]]:
        """Give the same runs' rows as `raw_page` does."""
        with self._database.kept():
            for dag_id in window.dag_ids:
                for run_ids in self.windows.pages_of(window, dag_id):
                    yield from self.raw_page(kind, dag_id, run_ids)

    def is_plain(self, kind: HistoryKind) -> bool:
        """Tell whether rows of this kind can be given as the database writes them (`raw_page`, and lines)."""
        if kind == "rendered" or self._database.dialect not in {"sqlite", "mysql"}:
            return False
        if kind == "run" and not self._database.has("dag_run", "data_interval_start"):
            return False  # intervals are computed
        if kind == "xcom" and isinstance(self._database.column("xcom", "value").type, JSON):
            return False
        if kind == "task_try" and (has_failed_attempts(self._database) or has_older_attempts(self._database)):
            return False
        return self.queries.is_kept(kind) and not self.queries.may_lack_runs(kind)

    def raw_page(self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str]) -> Iterator[Sequence[Sequence[Any]]]:
        """Give the rows of some runs of a DAG as the driver gives them: moments may be texts, and numbers."""
        given = {"dag": dag_id, "run_ids": list(run_ids)}
        paged = self.queries.page(kind)[0]
        with self._database.reading() as connection:
            if self._database.dialect == "mysql":
                yield from chunks(self._database, connection, paged, given)
                return
            rows = driver_rows(connection, paged, given)
        yield rows

    def of_runs(self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str]) -> Iterator[HistoryBatch]:
        """Give the rows of some runs of a DAG, finished or not."""
        if self.queries.is_kept(kind):
            yield from self.page(kind, dag_id, run_ids)

    def page(self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str]) -> Iterator[HistoryBatch]:
        """Give the rows of some runs of one DAG, whatever state they are in."""
        yield from self._rows_of(kind, dag_id, run_ids)
        if kind == "task_try" and may_have_older_attempts(self._database):
            given = {"dag": dag_id, "run_ids": list(run_ids)}
            for batch in batches(self._database, kind, self.queries.older_tries(), convert_attempt, given):
                if batch.rows or batch.rejected:
                    yield batch

    def counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        """Count what `stream` gives, rejected rows included."""
        found: dict[HistoryKind, int] = {}
        for kind in COLUMNS:
            found[kind] = 0
            for dag_id in window.dag_ids if self.queries.is_kept(kind) else ():
                eligible = self.windows.eligible(dag_id, window)
                if kind == "task_try" and has_failed_attempts(self._database):
                    query = failed_attempts(self._database, eligible, [func.count()])
                else:
                    query = self.queries.rows(kind, [func.count()]).where(*eligible)
                with self._database.reading() as connection:
                    found[kind] += connection.scalar(query) or 0
                    if kind == "task_try" and may_have_older_attempts(self._database):
                        older = failed_attempts(self._database, eligible, [func.count()])
                        found[kind] += connection.scalar(older) or 0
                if window.since is None:
                    found[kind] += self.leftovers.orphan_count(kind, dag_id)
        return found

    def _rows_of(self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str]) -> Iterator[HistoryBatch]:
        given = {"dag": dag_id, "run_ids": list(run_ids)}
        done = 0
        if self._database.dialect == "mysql" and (query := self.queries.packed(kind)) is not None:
            try:
                for batch in batches(self._database, kind, *query, given):
                    yield batch
                    done += len(batch.rows)
            except UnpackableError:
                pass  # a value holds the sign that stands between values: the rest comes as columns
            else:
                return
        for batch in batches(self._database, kind, *self.queries.page(kind), given):
            past = min(done, len(batch.rows))
            done -= past
            yield replace(batch, rows=batch.rows[past:]) if past else batch
