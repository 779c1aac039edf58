"""The history of a PostgreSQL source as SQL, for a transfer in which no row passes through Python.

The same queries as `history.py` gives them, written out as text; the same runs move. What differs is how runs are chosen:
over all DAGs at once, with conditions that PostgreSQL answers by the index of task instances.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Select,
    String,
    and_,
    any_,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.types import JSON

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import (
    FINAL_RUN_STATES,
    UNFINISHED_TASK_STATES,
    HistoryBatch,
    HistoryKind,
    HistoryWindow,
)
from aerodrome.migration.sources.airflow_db.history import HistoryReader
from aerodrome.migration.sources.lanes import NeutralSql, RunKey

_DOCUMENTS: dict[HistoryKind, tuple[str, str]] = {"run": ("dag_run", "conf"), "xcom": ("xcom", "value")}
_PLANNING = "set local jit = off; set local max_parallel_workers_per_gather = 0"
_ASIDE: ColumnElement[int] = literal_column("0")
"""The offset that keeps PostgreSQL from joining a subquery: it would read all task instances anew for each page of runs."""


class PostgresHistory:
    """Implements SqlHistory over a metadata database on PostgreSQL."""

    def __init__(self, database: MetadataDatabase, reader: HistoryReader) -> None:
        self._database = database
        self._reader = reader

    def reading(self) -> AbstractContextManager[Connection]:
        return self._database.reading()

    def run_count(self, window: HistoryWindow) -> int:
        run = self._database.table("dag_run")
        query = select(func.count()).where(self._is_one_of(window.dag_ids), run.c.state.in_(FINAL_RUN_STATES))
        if window.since is not None:
            query = query.where(self._changed_after(window.since))
        with self._database.reading() as connection:
            return connection.scalar(query) or 0

    def keys(self, window: HistoryWindow, after: RunKey, limit: int) -> list[RunKey]:
        run = self._database.table("dag_run")
        task = self._database.table("task_instance").alias()
        by = "run_id" if "run_id" in task.c else "execution_date"
        moves: list[ColumnElement[bool]] = [task.c.state.in_(UNFINISHED_TASK_STATES)]
        if window.until is not None and "updated_at" in task.c:
            moves.append(task.c.updated_at > window.until)
        its_tasks = and_(task.c.dag_id == run.c.dag_id, task.c[by] == run.c[by], or_(*moves))
        query = (
            select(run.c.dag_id, run.c.run_id)
            .where(
                self._is_one_of(window.dag_ids),
                run.c.dag_id >= after[0],  # the index begins there
                tuple_(run.c.dag_id, run.c.run_id) > tuple_(literal(after[0]), literal(after[1])),
                run.c.state.in_(FINAL_RUN_STATES),
                ~exists(select(literal(1)).where(its_tasks).correlate(run).offset(_ASIDE)),
            )
            .order_by(run.c.dag_id, run.c.run_id)
            .limit(limit)
        )
        if window.since is not None:
            query = query.where(self._changed_after(window.since))
        if window.until is not None:
            query = query.where(func.coalesce(self._reader.windows.run_changed_at() <= window.until, True))
            if self._database.has("dag_run_note"):
                query = query.where(~exists(self._newer_note(window.until).offset(_ASIDE)))
        with self._database.reading() as connection:
            connection.exec_driver_sql(_PLANNING)
            return [(row.dag_id, row.run_id) for row in connection.execute(query)]

    def neutral(self, kind: HistoryKind) -> NeutralSql | None:
        query = self._reader.queries.neutral(kind)
        if query is None:
            return None
        # "named": no sign of percent is doubled, for the text is sent without parameters
        words = psycopg.PGDialect_psycopg(paramstyle="named")  # type: ignore[no-untyped-call]
        text = str(query.compile(dialect=words, compile_kwargs={"literal_binds": True}))
        if kind not in _DOCUMENTS:
            return NeutralSql(text)
        is_json = isinstance(self._database.column(*_DOCUMENTS[kind]).type, JSON)
        return NeutralSql(text, "json" if is_json else "bytes")

    def rows(self, kind: HistoryKind, keys: Sequence[RunKey]) -> Iterator[HistoryBatch]:
        if self._reader.queries.is_kept(kind):
            for dag_id, of_dag in groupby(keys, itemgetter(0)):
                yield from self._reader.page(kind, dag_id, [run_id for _, run_id in of_dag])

    def unnamed(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        for dag_id in window.dag_ids:
            yield from self._reader.leftovers.unnamed(kind, dag_id, window)

    def orphans(self, kind: HistoryKind, dag_ids: Sequence[str]) -> Iterator[HistoryBatch]:
        for dag_id in dag_ids:
            yield from self._reader.leftovers.orphans(kind, dag_id)

    def _is_one_of(self, dag_ids: Sequence[str]) -> ColumnElement[bool]:
        run = self._database.table("dag_run")
        return run.c.dag_id == any_(literal(list(dag_ids), ARRAY(String)))

    def _changed_after(self, moment: object) -> ColumnElement[bool]:
        """Condition on dag_run, as HistoryReader has it for one DAG."""
        run, task = self._database.table("dag_run"), self._database.table("task_instance").alias()
        by = "run_id" if "run_id" in task.c else "execution_date"
        changed: list[ColumnElement[bool]] = [func.coalesce(self._reader.windows.run_changed_at() > moment, False)]
        if "updated_at" in task.c:
            newer = and_(task.c.dag_id == run.c.dag_id, task.c[by] == run.c[by], task.c.updated_at > moment)
            changed.append(exists(select(literal(1)).where(newer).correlate(run)))
        if self._database.has("dag_run_note"):
            changed.append(exists(self._newer_note(moment)))
        return or_(*changed)

    def _newer_note(self, moment: object) -> Select[Any]:
        """Select a run's note that was written after the moment."""
        run, note = self._database.table("dag_run"), self._database.table("dag_run_note").alias()
        is_newer = and_(note.c.dag_run_id == run.c.id, note.c.updated_at > moment)
        return select(literal(1)).where(is_newer).correlate(run)
