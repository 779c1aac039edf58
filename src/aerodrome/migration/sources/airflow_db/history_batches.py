"""Runs a query of history and gives its rows in batches, converted to the neutral columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import COLUMNS, HistoryBatch, HistoryKind, RejectedRow
from aerodrome.migration.sources.airflow_db.conversion import Convert

ROWS_PER_BATCH = 5_000


def batches(
    database: MetadataDatabase, kind: HistoryKind, query: Select[Any], convert: Convert, given: Mapping[str, Any]
) -> Iterator[HistoryBatch]:
    """Give a batch for each few thousand rows of the query, read in one short transaction."""
    with database.reading() as connection:
        for chunk in chunks(database, connection, query, given):
            rows: list[tuple[Any, ...]] = []
            rejected: list[RejectedRow] = []
            for row in chunk:
                convert(row, rows, rejected)
            yield HistoryBatch(kind, COLUMNS[kind], rows, tuple(rejected))


def chunks(
    database: MetadataDatabase, connection: Connection, query: Select[Any], given: Mapping[str, Any]
) -> Iterator[Sequence[Row[Any]]]:
    """Give the rows of a query, streamed; of SQLite all at once, to leave the file before the consumer works on them."""
    result = connection.execute(query, given, execution_options={"yield_per": ROWS_PER_BATCH})
    partitions = result.partitions()
    yield from list(partitions) if database.dialect == "sqlite" else partitions


def driver_rows(connection: Connection, query: Select[Any], given: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """Give all rows of a query as the driver has them: SQLAlchemy has taken none of them, and would make objects of each."""
    cursor = connection.execute(query, given).cursor
    return cursor.fetchall() if cursor is not None else []
