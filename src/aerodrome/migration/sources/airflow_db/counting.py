"""Counts the history that can move, for all DAGs of an estate at once: one grouped query a kind, however many DAGs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, and_, false, func, or_, select, tuple_, union

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import (
    FINAL_RUN_STATES,
    HISTORY_KINDS,
    UNFINISHED_TASK_STATES,
    HistoryKind,
    HistoryWindow,
)
from aerodrome.migration.sources.airflow_db.history_windows import Windows
from aerodrome.migration.sources.airflow_db.rows import ID_PAGE, pages
from aerodrome.migration.sources.airflow_db.tries import has_failed_attempts, has_older_attempts

_TABLES: dict[HistoryKind, str] = {
    "run": "dag_run",
    "task_instance": "task_instance",
    "task_try": "task_instance_history",
    "xcom": "xcom",
    "rendered": "rendered_task_instance_fields",
}

SHARE = 4
"""More than a fourth of all DAGs are counted in one pass over all."""

MOST_HELD = 2_000
"""Up to so many runs that do not move are told one by one."""


def whole_counts(
    database: MetadataDatabase, window: HistoryWindow, least: int | None = None
) -> dict[HistoryKind, int] | None:
    """Count what `HistoryReader.stream` gives; None where it must be asked DAG by DAG (parts of history, before 2.3).

    A few DAGs (up to `least`) are asked one by one: a pass over the whole history would take longer. By default those are
    ID_PAGE, or less than a share of all.
    """
    tables = {kind: name for kind, name in _TABLES.items() if database.has(name)}
    is_keyed = all(database.has(name, "run_id") for name in tables.values())
    if window.since is not None or not is_keyed:
        return None
    if has_failed_attempts(database) or has_older_attempts(database):
        return None  # some tries stand in `task_fail` only
    if least is None:
        with database.reading() as connection:
            dags = connection.scalar(select(func.count()).select_from(database.table("dag"))) or 0
        least = min(ID_PAGE, dags // SHARE)
    if len(window.dag_ids) <= least:
        return None
    held = _held(database, window)
    found = _by_run(database, window, tables) if held is None else _less_held(database, window, tables, held)
    return dict.fromkeys(HISTORY_KINDS, 0) | found


def _held(database: MetadataDatabase, window: HistoryWindow) -> list[tuple[str, str]] | None:
    """Give the runs that do not move; None when there are more than a few. Asked once: no index helps in finding them."""
    run = database.table("dag_run")
    final, moving = _eligible(database, window)
    open_runs = select(run.c.dag_id, run.c.run_id).where(~func.coalesce(and_(*final), false()))
    with database.reading() as connection:
        rows: Sequence[Any] = connection.execute(union(open_runs, moving).limit(MOST_HELD + 1)).all()
    return None if len(rows) > MOST_HELD else [(row[0], row[1]) for row in rows]


def _less_held(
    database: MetadataDatabase, window: HistoryWindow, tables: Mapping[HistoryKind, str], held: list[tuple[str, str]]
) -> dict[HistoryKind, int]:
    """Count all rows by an index, less those of runs that do not move.

    SQLite, and with it an archive, may hold rows whose run is not there; elsewhere a foreign key gives every row its run.
    """
    run = database.table("dag_run")
    wanted = set(window.dag_ids)
    found: dict[HistoryKind, int] = {}
    for kind, name in tables.items():
        table = database.table(name)
        source: FromClause = table
        if kind != "run" and database.dialect == "sqlite":
            source = table.join(run, and_(table.c.dag_id == run.c.dag_id, table.c.run_id == run.c.run_id))
        query = select(table.c.dag_id, func.count()).select_from(source).group_by(table.c.dag_id)
        with database.reading() as connection:
            found[kind] = sum(total for dag_id, total in connection.execute(query) if dag_id in wanted)
            for page in pages(held):
                of_held = query.where(tuple_(table.c.dag_id, table.c.run_id).in_(page))
                found[kind] -= sum(total for dag_id, total in connection.execute(of_held) if dag_id in wanted)
    return found


def _by_run(
    database: MetadataDatabase, window: HistoryWindow, tables: Mapping[HistoryKind, str]
) -> dict[HistoryKind, int]:
    """Count the rows of the runs that move."""
    run = database.table("dag_run")
    final, moving = _eligible(database, window)
    wanted = set(window.dag_ids)
    found: dict[HistoryKind, int] = {}
    for kind, name in tables.items():
        source: FromClause = run
        if kind != "run":
            table = database.table(name)
            source = run.join(table, and_(table.c.dag_id == run.c.dag_id, table.c.run_id == run.c.run_id))
        query = (
            select(run.c.dag_id, func.count())
            .select_from(source)
            .where(*final, tuple_(run.c.dag_id, run.c.run_id).not_in(moving))
            .group_by(run.c.dag_id)
        )
        with database.reading() as connection:
            found[kind] = sum(total for dag_id, total in connection.execute(query) if dag_id in wanted)
    return found


def _eligible(
    database: MetadataDatabase, window: HistoryWindow
) -> tuple[list[ColumnElement[bool]], Select[tuple[str, str]]]:
    """Give conditions on dag_run, and the runs that their task instances hold back: together those of `Windows.eligible` for all DAGs."""
    run, task = database.table("dag_run"), database.table("task_instance").alias()
    conditions: list[ColumnElement[bool]] = [run.c.state.in_(FINAL_RUN_STATES)]
    held: ColumnElement[bool] = task.c.state.in_(UNFINISHED_TASK_STATES)
    if window.until is not None:
        conditions.append(~Windows(database).changed_itself(window.until))
        if database.has("task_instance", "updated_at"):
            held = or_(held, task.c.updated_at > database.stored(window.until))
    return conditions, select(task.c.dag_id, task.c.run_id).where(held).distinct()
