"""Earlier tries of task instances from before Airflow 2.10, which had no table of tries.

It kept every failed attempt in `task_fail`, with its moments and without its number. Attempts that started before the one
that the task instance shows are its earlier tries; when there are exactly as many as it had tries before, each has its number.
Otherwise (an earlier attempt succeeded and was cleared, or a failure was written twice) no number can be given, and the row
is refused. A database that was upgraded to 2.10 or 2.11 has both tables: there this is done for the task instances of which
`task_instance_history` has nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, null, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.estate.history import COLUMNS, RejectedRow
from aerodrome.migration.sources.airflow_db.conversion import convert_task
from aerodrome.migration.sources.airflow_db.rows import column_or, utc

_OF_ATTEMPT = ("start_date", "end_date", "duration")
_WIDTH = len(COLUMNS["task_try"])
_START = COLUMNS["task_try"].index("start_date")


def has_failed_attempts(database: MetadataDatabase) -> bool:
    """Tell whether all earlier tries must be, and can be, read from `task_fail`."""
    return database.has("task_fail") and not database.has("task_instance_history")


def may_have_older_attempts(database: MetadataDatabase) -> bool:
    """Tell whether some earlier tries may stand in `task_fail` only, from before an upgrade to 2.10."""
    return database.has("task_fail", "run_id") and database.has("task_instance_history")


def has_older_attempts(database: MetadataDatabase) -> bool:
    """Tell whether there are such tries."""
    if not may_have_older_attempts(database):
        return False
    with database.reading() as connection:
        return connection.scalar(failed_attempts(database, (), [literal(1)]).limit(1)) is not None


def failed_attempts(
    database: MetadataDatabase,
    conditions: Sequence[ColumnElement[bool]],
    columns: Sequence[ColumnElement[Any]] = (),
    name: ColumnElement[Any] | None = None,
) -> Select[Any]:
    """Select the earlier failed attempts of the runs that meet the conditions: the columns of a try, then two numbers.

    The two: how many earlier attempts are known, and how many the task instance had. `columns` replaces all of them,
    `name` the run id, for runs that have none.
    """
    run, task, fail = (database.table(name) for name in ("dag_run", "task_instance", "task_fail"))
    same = [fail.c.task_id == task.c.task_id]
    if "map_index" in fail.c:
        same.append(fail.c.map_index == task.c.map_index)
    to_run = [table.c[_by(table)] == run.c[_by(table)] for table in (task, fail)]
    source = run.join(task, and_(task.c.dag_id == run.c.dag_id, to_run[0])).join(
        fail, and_(fail.c.dag_id == run.c.dag_id, to_run[1], *same)
    )
    run_id = run.c.run_id if name is None else name
    place = [
        run.c.run_id if name is None else run.c.id,
        task.c.task_id,
        *([task.c.map_index] if "map_index" in task.c else []),
    ]
    number = func.row_number().over(partition_by=place, order_by=[fail.c.start_date, fail.c.id])
    special: dict[str, ColumnElement[Any]] = {
        "dag_id": run.c.dag_id,
        "run_id": run_id,
        "map_index": column_or(database, "task_instance", "map_index", default=-1),
        "try_number": number,
        "state": literal("failed"),
        "hostname": null(),
        "queued_at": null(),
        "pool_slots": column_or(database, "task_instance", "pool_slots", default=1),
        **{name: fail.c[name] for name in _OF_ATTEMPT},
    }
    wanted: list[ColumnElement[Any]] = [
        (special[name] if name in special else column_or(database, "task_instance", name)).label(name)
        for name in COLUMNS["task_try"]
    ]
    wanted.append(func.count().over(partition_by=place).label("known"))
    wanted.append((task.c.try_number - 1).label("had"))
    query = select(*(columns or wanted)).select_from(source).where(*conditions, fail.c.start_date < task.c.start_date)
    if database.has("task_instance_history"):
        kept = database.table("task_instance_history")
        same_task = [kept.c[name] == task.c[name] for name in ("dag_id", "run_id", "task_id", "map_index")]
        query = query.where(~exists(select(literal(1)).where(*same_task).correlate(task)))
    return query if columns else query.order_by(*place, fail.c.start_date, fail.c.id)


def convert_attempt(row: Any, rows: list[tuple[Any, ...]], rejected: list[RejectedRow]) -> None:
    """Take the row as a try where its number is certain."""
    values = tuple(row)
    known, had = values[_WIDTH:]
    dag_id, run_id, task_id, map_index = values[:4]
    if known == had:
        convert_task(values[:_WIDTH], rows, rejected)
        return
    rejected.append(
        RejectedRow(
            f"{dag_id}/{run_id}/{task_id}[{map_index}]/{utc(values[_START])}",
            "try-number-unknown",
            f"Airflow before 2.10 keeps failed attempts without their number; {known} are known of {had} earlier tries.",
        )
    )


def _by(table: Any) -> str:
    return "run_id" if "run_id" in table.c else "execution_date"
