"""How much of some DAGs ran at the same time: a sweep over the beginnings and ends of their task instances, by the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Integer, cast, func, literal, select, union_all

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.sources.airflow_db.rows import column_or
from aerodrome.migration.sources.contract import Peaks


def peaks(database: MetadataDatabase, dag_ids: Sequence[str], since: datetime) -> Peaks:
    """Give the peak of tasks and, by pool, of slots; a task that ended when another began does not count beside it.

    One pass over the task instances of these DAGs, and a sort of those that began since then.
    """
    task = database.table("task_instance")
    slots = column_or(database, "task_instance", "pool_slots", default=1)
    wanted = [task.c.dag_id.in_(dag_ids), task.c.start_date >= database.stored(since), task.c.end_date.is_not(None)]
    pool = func.coalesce(task.c.pool, "default_pool").label("pool")
    begins = select(pool, task.c.start_date.label("at"), slots.label("slots"), literal(1).label("step")).where(*wanted)
    ends = select(pool, task.c.end_date.label("at"), (-slots).label("slots"), literal(-1).label("step")).where(*wanted)
    moves = union_all(begins, ends).cte("moves")
    by_pool = select(
        moves.c.pool,
        func.sum(moves.c.slots)
        .over(partition_by=moves.c.pool, order_by=[moves.c.at, moves.c.step], rows=(None, 0))
        .label("standing"),
    ).subquery()
    together = select(
        func.sum(moves.c.step).over(order_by=[moves.c.at, moves.c.step], rows=(None, 0)).label("standing")
    ).subquery()
    if not dag_ids:
        return Peaks()
    with database.reading() as connection:
        slots_by_pool = {
            row.pool: int(row.peak)
            for row in connection.execute(
                select(by_pool.c.pool, cast(func.max(by_pool.c.standing), Integer).label("peak")).group_by(
                    by_pool.c.pool
                )
            )
        }
        tasks = connection.scalar(select(func.max(together.c.standing)))
    return Peaks(int(tasks or 0), dict(sorted(slots_by_pool.items())))
