"""Gives the `executor_config` of task instances and tries that have one: pickles, as they are stored.

Few tasks have one, so it is no column of history: it is read beside it, by the DAGs that have any. Runs without a run id
(before Airflow 2.2) have the names here that history gives them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_db.history import HistoryReader
from aerodrome.migration.sources.airflow_db.history_batches import chunks
from aerodrome.migration.sources.airflow_db.rows import pages
from aerodrome.migration.sources.contract import ConfigRows

_TABLES: dict[HistoryKind, str] = {"task_instance": "task_instance", "task_try": "task_instance_history"}
EMPTY_BYTES = 6
"""No pickle of an empty dictionary or of None is longer, whatever its protocol; none of anything else is as short."""


def executor_configs(
    database: MetadataDatabase, reader: HistoryReader, kind: HistoryKind, window: HistoryWindow
) -> Iterator[ConfigRows]:
    """Stream (natural key, pickle) of the rows that move and have one, DAG by DAG."""
    table = _TABLES.get(kind, "")
    if not database.has(table, "executor_config"):
        return
    column = database.column(table, "executor_config")
    is_there = func.length(column) > EMPTY_BYTES
    for page in pages(sorted(window.dag_ids)):
        dag_id = database.column(table, "dag_id")
        with database.reading() as connection:
            having = sorted(connection.scalars(select(dag_id).distinct().where(dag_id.in_(page), is_there)))
        for name in having:
            for query in _queries(reader, kind, column, name, window):
                with database.reading() as connection:
                    for chunk in chunks(database, connection, query.where(is_there), {}):
                        yield [(tuple(row[:-1]), bytes(row[-1])) for row in chunk]


def _queries(
    reader: HistoryReader, kind: HistoryKind, column: ColumnElement[Any], dag_id: str, window: HistoryWindow
) -> Iterator[Select[Any]]:
    """Give the queries of a DAG: of its runs, page by page, then of those that have no run id."""
    run = reader.queries.run
    for run_ids in reader.windows.pages_of(window, dag_id):
        yield _query(reader, kind, column, run.c.run_id).where(run.c.dag_id == dag_id, run.c.run_id.in_(run_ids))
    for names in reader.leftovers.names(dag_id, window):
        named = _query(reader, kind, column, reader.leftovers.name(names))
        yield named.where(run.c.dag_id == dag_id, run.c.id.in_(list(names)))


def _query(
    reader: HistoryReader, kind: HistoryKind, column: ColumnElement[Any], name: ColumnElement[Any]
) -> Select[Any]:
    run, table, of = reader.queries.run, _TABLES[kind], reader.queries.column
    key: list[ColumnElement[Any]] = [
        run.c.dag_id,
        name,
        of(table, "task_id"),
        of(table, "map_index", default=-1),
    ]
    if kind == "task_try":
        key.append(of(table, "try_number"))
    return reader.queries.rows(kind, [*key, column])
