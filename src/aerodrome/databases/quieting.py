"""Makes a copy of a metadata database harmless beside its original: no Airflow that runs on it does the original's work again."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.secret import Secret

_TASKS = (
    "scheduled",
    "queued",
    "running",
    "restarting",
    "up_for_retry",
    "up_for_reschedule",
    "deferred",
    "awaiting_input",
)
_RUNS = ("queued", "running")
_WAITING = ("asset_dag_run_queue", "dataset_dag_run_queue", "deadline", "dag_priority_parsing_request")


@dataclass(frozen=True)
class Quieted:
    """What was changed in the copy."""

    paused_dags: int
    failed_runs: int
    failed_tasks: int


def quiet(url: Secret) -> Quieted:
    """Pause every DAG and end every unfinished run as failed, in one transaction; again it changes nothing."""
    database = MetadataDatabase(url)
    try:
        with database.writing() as connection:
            dags = database.table("dag")
            paused = connection.execute(sa.update(dags).where(sa.not_(dags.c.is_paused)).values(is_paused=True))
            instances = database.table("task_instance")
            ended = sa.update(instances).where(instances.c.state.in_(_TASKS))
            tasks = connection.execute(ended.values(state="failed", trigger_id=None, end_date=sa.func.now()))
            runs = database.table("dag_run")
            finished = sa.update(runs).where(runs.c.state.in_(_RUNS)).values(state="failed", end_date=sa.func.now())
            failed = connection.execute(finished)
            for name in _WAITING:
                if database.has(name):
                    connection.execute(sa.delete(database.table(name)))
            if database.has("backfill"):
                backfills = database.table("backfill")
                open_ = sa.update(backfills).where(backfills.c.completed_at.is_(None))
                connection.execute(open_.values(is_paused=True, completed_at=sa.func.now()))
            work = database.table("job")
            connection.execute(sa.update(work).where(work.c.state == "running").values(state="failed"))
        return Quieted(paused.rowcount, failed.rowcount, tasks.rowcount)
    finally:
        database.close()
