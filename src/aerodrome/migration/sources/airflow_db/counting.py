"""Counts the history that can move, for all DAGs of an estate at once: one grouped query a kind, however many DAGs."""

from __future__ import annotations

from sqlalchemy import ColumnElement, FromClause, and_, func, or_, select, tuple_

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import (
    FINAL_RUN_STATES,
    HISTORY_KINDS,
    UNFINISHED_TASK_STATES,
    HistoryKind,
    HistoryWindow,
)
from aerodrome.migration.sources.airflow_db.history_windows import Windows
from aerodrome.migration.sources.airflow_db.rows import ID_PAGE
from aerodrome.migration.sources.airflow_db.tries import has_failed_attempts, has_older_attempts

_TABLES: dict[HistoryKind, str] = {
    "run": "dag_run",
    "task_instance": "task_instance",
    "task_try": "task_instance_history",
    "xcom": "xcom",
    "rendered": "rendered_task_instance_fields",
}

_NAMED = 500
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
    run = database.table("dag_run")
    conditions = _eligible(database, window)
    wanted = set(window.dag_ids)
    found: dict[HistoryKind, int] = dict.fromkeys(HISTORY_KINDS, 0)
    for kind, name in tables.items():
        source: FromClause = run
        if kind != "run":
            table = database.table(name)
            source = run.join(table, and_(table.c.dag_id == run.c.dag_id, table.c.run_id == run.c.run_id))
        query = select(run.c.dag_id, func.count()).select_from(source).where(*conditions).group_by(run.c.dag_id)
        with database.reading() as connection:
            found[kind] = sum(total for dag_id, total in connection.execute(query) if dag_id in wanted)
    return found


def _eligible(database: MetadataDatabase, window: HistoryWindow) -> list[ColumnElement[bool]]:
    """Conditions on dag_run, those of `Windows.eligible` for all DAGs. Runs that are held back are few: they are named, not looked for again."""
    run, task = database.table("dag_run"), database.table("task_instance").alias()
    conditions: list[ColumnElement[bool]] = [run.c.state.in_(FINAL_RUN_STATES)]
    held: ColumnElement[bool] = task.c.state.in_(UNFINISHED_TASK_STATES)
    if window.until is not None:
        conditions.append(~Windows(database).changed_itself(window.until))
        if database.has("task_instance", "updated_at"):
            held = or_(held, task.c.updated_at > database.stored(window.until))
    keys = select(task.c.dag_id, task.c.run_id).where(held).distinct()
    with database.reading() as connection:
        few = [tuple(row) for row in connection.execute(keys.limit(_NAMED + 1))]
    if few:
        run_key = tuple_(run.c.dag_id, run.c.run_id)
        conditions.append(run_key.not_in(few) if len(few) <= _NAMED else run_key.not_in(keys))
    return conditions
