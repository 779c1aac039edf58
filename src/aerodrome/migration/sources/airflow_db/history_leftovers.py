"""Reads the rows that no run id leads to: those of runs without a name, and those whose run is gone.

Both are of databases that Airflow before 2.2 wrote: run ids could be empty, and rows were tied to their run by its date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, case, exists, func, literal, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import COLUMNS, HistoryBatch, HistoryKind, HistoryWindow, RejectedRow
from aerodrome.migration.sources.airflow_db.conversion import whole_row
from aerodrome.migration.sources.airflow_db.history_batches import batches, chunks
from aerodrome.migration.sources.airflow_db.history_queries import TABLES, HistoryQueries
from aerodrome.migration.sources.airflow_db.history_windows import RUNS_PER_PAGE, Windows
from aerodrome.migration.sources.airflow_db.rows import utc
from aerodrome.migration.sources.airflow_db.tries import convert_attempt, failed_attempts, has_failed_attempts


class Leftovers:
    """The rows of one database that belong to no named run."""

    def __init__(self, database: MetadataDatabase, queries: HistoryQueries, windows: Windows) -> None:
        self._database = database
        self._queries = queries
        self._windows = windows

    def unnamed(self, kind: HistoryKind, dag_id: str, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Give the rows of runs that have no run id: until Airflow 2.2 the column could be empty.

        They get the name that Airflow gives by type and date (DagRunType.generate_run_id, 2.0): the upgrade to 2.2 puts such
        runs aside with all that belongs to them (check_run_id_null, utils/db.py, 2.11.2).
        """
        if self._queries.is_kept(kind):
            for names in self.names(dag_id, window):
                yield from self._named_page(kind, dag_id, names)

    def names(self, dag_id: str, window: HistoryWindow) -> Iterator[dict[int, str]]:
        """Give the names that a DAG's runs without a run id get, page by page: number of the run -> name."""
        if not self._may_lack_names:
            return
        after = -1
        while names := self._names(dag_id, window, after):
            after = max(names)
            yield names

    def orphans(self, kind: HistoryKind, dag_id: str) -> Iterator[HistoryBatch]:
        """Refuse the rows whose run was deleted, each with what it holds. Airflow's own upgrade to 2.2 puts them aside."""
        if not self._queries.may_lack_runs(kind):
            return
        table = self._database.table(TABLES[kind])
        query = self._orphans(kind, dag_id, list(table.c))
        with self._database.reading() as connection:
            for chunk in chunks(self._database, connection, query, {}):
                refused = [
                    RejectedRow(
                        f"{dag_id}/{utc(row.execution_date)}/{row.task_id}",
                        "row-without-run",
                        "The source has no run for this date any more; Airflow since 2.2 keeps no row without its run.",
                        whole_row(row._asdict()),
                    )
                    for row in chunk
                ]
                yield HistoryBatch(kind, COLUMNS[kind], (), refused)

    def orphan_count(self, kind: HistoryKind, dag_id: str) -> int:
        """Count what `orphans` refuses."""
        if not self._queries.may_lack_runs(kind):
            return 0
        with self._database.reading() as connection:
            return connection.scalar(self._orphans(kind, dag_id, [func.count()])) or 0

    @property
    def _may_lack_names(self) -> bool:
        return not self._database.has("task_instance", "run_id") and not self._database.has("dag_run", "logical_date")

    def _names(self, dag_id: str, window: HistoryWindow, after: int) -> dict[int, str]:
        """Name the next runs without a run id: id -> name. The same run gets the same name always, and nobody else's."""
        run = self._queries.run
        external = self._queries.column("dag_run", "external_trigger")
        query = (
            select(run.c.id, run.c.execution_date, external.label("is_external"))
            .where(
                *self._windows.eligible(dag_id, window),
                run.c.run_id.is_(None),
                run.c.execution_date.is_not(None),
                run.c.id > after,
            )
            .order_by(run.c.id)
            .limit(RUNS_PER_PAGE)
        )
        with self._database.reading() as connection:
            names = {
                row.id: f"{'manual' if row.is_external else 'scheduled'}__{moment.isoformat()}"
                for row in connection.execute(query)
                if (moment := utc(row.execution_date)) is not None
            }
            taken = set(
                connection.scalars(
                    select(run.c.run_id).where(run.c.dag_id == dag_id, run.c.run_id.in_(set(names.values())))
                )
            )
        return {number: f"{name}__{number}" if name in taken else name for number, name in names.items()}

    def _named_page(self, kind: HistoryKind, dag_id: str, names: Mapping[int, str]) -> Iterator[HistoryBatch]:
        """Give the rows of runs without a run id, under these names (by the runs' numbers)."""
        run = self._queries.run
        chosen = [run.c.dag_id == dag_id, run.c.id.in_(list(names))]
        name = self.name(names)
        if kind == "task_try" and has_failed_attempts(self._database):
            yield from batches(
                self._database, kind, failed_attempts(self._database, chosen, name=name), convert_attempt, {}
            )
            return
        columns, order, convert = self._queries.reading(kind, name)
        yield from batches(
            self._database,
            kind,
            self._queries.rows(kind, columns).where(*chosen).order_by(run.c.id, *order),
            convert,
            {},
        )

    def name(self, names: Mapping[int, str]) -> ColumnElement[Any]:
        """Give the column of a run's name for runs without one."""
        return case(dict(names), value=self._queries.run.c.id)

    def _orphans(self, kind: HistoryKind, dag_id: str, columns: Sequence[ColumnElement[Any]]) -> Select[Any]:
        table, run = self._database.table(TABLES[kind]), self._queries.run
        its_run = select(literal(1)).where(run.c.dag_id == dag_id, run.c.execution_date == table.c.execution_date)
        return select(*columns).where(table.c.dag_id == dag_id, ~exists(its_run.correlate(table)))
