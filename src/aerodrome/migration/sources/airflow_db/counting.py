"""Counts the history that can move, for all DAGs of an estate at once: one grouped query a kind, however many DAGs."""

from __future__ import annotations

from sqlalchemy import and_, func, or_, select, union

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import (
    FINAL_RUN_STATES,
    HISTORY_KINDS,
    UNFINISHED_TASK_STATES,
    HistoryKind,
    HistoryWindow,
)
from aerodrome.migration.sources.airflow_db.rows import ID_PAGE
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


def whole_counts(
    database: MetadataDatabase, window: HistoryWindow, least: int | None = None
) -> dict[HistoryKind, int] | None:
    """Count what `HistoryReader.stream` gives; None where it must be asked DAG by DAG (parts of history, before 2.3).

    A few DAGs (up to `least`) are asked one by one: a pass over the whole history would take longer. By default those are
    ID_PAGE, or less than a share of all.
    """
    tables = {kind: name for kind, name in _TABLES.items() if database.has(name)}
    is_keyed = all(database.has(name, "run_id") for name in tables.values())
    if window.since is not None or window.until is not None or not is_keyed:
        return None
    if has_failed_attempts(database) or has_older_attempts(database):
        return None  # some tries stand in `task_fail` only
    if least is None:
        with database.reading() as connection:
            dags = connection.scalar(select(func.count()).select_from(database.table("dag"))) or 0
        least = min(ID_PAGE, dags // SHARE)
    if len(window.dag_ids) <= least:
        return None
    run, task = database.table("dag_run"), database.table("task_instance").alias()
    is_open = or_(run.c.state.is_(None), run.c.state.not_in(FINAL_RUN_STATES))
    unfinished = select(task.c.dag_id, task.c.run_id).where(task.c.state.in_(UNFINISHED_TASK_STATES))
    held = union(select(run.c.dag_id, run.c.run_id).where(is_open), unfinished).subquery()
    wanted = set(window.dag_ids)
    found: dict[HistoryKind, int] = dict.fromkeys(HISTORY_KINDS, 0)
    for kind, name in tables.items():
        # All rows less those of runs that do not move: the first are counted by an index, and the second are few.
        table = database.table(name).alias()
        of_held = held.join(table, and_(table.c.dag_id == held.c.dag_id, table.c.run_id == held.c.run_id))
        with database.reading() as connection:
            for sign, source in ((1, table), (-1, of_held)):
                query = select(table.c.dag_id, func.count()).select_from(source).group_by(table.c.dag_id)
                found[kind] += sign * sum(rows for dag_id, rows in connection.execute(query) if dag_id in wanted)
    return found
