"""History of SQLite and MySQL as the database itself writes it, for a transfer that needs no objects.

The same queries as `history.py` gives them; what its rows would say of a moment stands here as text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.estate.history import HistoryBatch, HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_db.history import HistoryReader
from aerodrome.migration.sources.airflow_db.history_batches import driver_rows
from aerodrome.migration.sources.airflow_db.history_queries import LINE_END
from aerodrome.migration.sources.contract import LineSql, RunKey, RunLines, TextDialect

LONGEST_RUN = 8 * 1024 * 1024
"""Bytes of the lines of a run that MySQL is asked to give at once; what it cuts is read row by row."""
RUNS_AT_ONCE = 50
"""So many runs are fetched from MySQL at once."""


class TextHistory:
    """Implements sources.contract.TextHistory over a metadata database on SQLite or MySQL."""

    def __init__(self, database: MetadataDatabase, reader: HistoryReader) -> None:
        self._database = database
        self._reader = reader
        self.dialect: TextDialect = "sqlite" if database.dialect == "sqlite" else "mysql"

    def is_offered(self, kind: HistoryKind) -> bool:
        return self._reader.is_plain(kind)

    def stream(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[Sequence[Sequence[Any]]]:
        yield from self._reader.stream_raw(kind, window)

    def lines(self, kind: HistoryKind, window: HistoryWindow, line: LineSql) -> Iterator[Sequence[RunLines]]:
        page = self._page_of_sqlite if self.dialect == "sqlite" else self._page_of_mysql
        with self._database.kept():
            for dag_id in window.dag_ids:
                for run_ids in self._reader.windows.pages_of(window, dag_id):
                    yield from page(kind, dag_id, run_ids, line)

    def rows(self, kind: HistoryKind, keys: Sequence[RunKey]) -> Iterator[HistoryBatch]:
        for dag_id, of_dag in groupby(keys, itemgetter(0)):
            yield from self._reader.page(kind, dag_id, [run_id for _, run_id in of_dag])

    def _page_of_sqlite(
        self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str], line: LineSql
    ) -> Iterator[Sequence[RunLines]]:
        """Python writes the numbers: SQLite writes no more than 15 digits. A page with a text that is not UTF-8 is read by rows.

        They tell the column.
        """
        given = {"dag": dag_id, "run_ids": list(run_ids)}
        try:
            with self._database.reading() as connection:
                query = self._query(connection, kind, line)
                rows = driver_rows(connection, query, given)
        except Invalid as error:
            if error.code != "source-text-unreadable":
                raise
            yield [((dag_id, run_id), None) for run_id in run_ids]
            return
        yield [((dag_id, run_id), _lines(of_run, line.null)) for run_id, of_run in groupby(rows, itemgetter(0))]

    def _page_of_mysql(
        self, kind: HistoryKind, dag_id: str, run_ids: Sequence[str], line: LineSql
    ) -> Iterator[Sequence[RunLines]]:
        given = {"dag": dag_id, "run_ids": list(run_ids)}
        with self._database.reading() as connection:
            query = self._query(connection, kind, line)
            connection.exec_driver_sql(f"SET SESSION group_concat_max_len = {LONGEST_RUN}")
            for chunk in connection.execute(query, given, execution_options={"yield_per": RUNS_AT_ONCE}).partitions():
                yield [((dag_id, run_id), _split(text, count)) for run_id, count, text in chunk]

    def _query(self, connection: Connection, kind: HistoryKind, line: LineSql) -> Select[Any]:
        """Give the query of a page, which looks for notes where there are some."""
        queries = self._reader.queries
        return queries.lines(kind, line, noted=queries.are_noted(kind, connection))


def _lines(rows: Iterable[Sequence[Any]], null: str) -> list[str] | None:
    """Put a run's lines together; None where one is NULL, or a number is none."""
    lines: list[str] = []
    for _, before, number, after in rows:
        if before is None or after is None:
            return None
        if number is None:
            shown = null
        elif number.__class__ is float:
            shown = repr(number)
            shown = shown.removesuffix(".0")
        else:
            return None
        lines.append(before + shown + after)
    return lines


def _split(text: str | None, count: int) -> list[str] | None:
    """Take a run's lines apart; None where one is NULL, holds a line's end, or was cut off."""
    if text is None or not text.endswith(LINE_END):
        return None
    lines = text.split(LINE_END)
    lines.pop()
    return lines if len(lines) == count else None
