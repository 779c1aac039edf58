"""The upkeep of one deployment: pools as wished, old task logs gone, component logs bounded. Called through `Databases.keep_up`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.databases import Unfinished

_FINISHED = ("success", "failed")


def set_pools(url: Secret, wanted: Mapping[str, int]) -> tuple[str, ...]:
    """Make the pools exist with so many slots; others stay as they are. Gives the names that were changed."""
    database = MetadataDatabase(url)
    try:
        pools = database.table("slot_pool")
        with database.writing() as connection:
            have = {row.pool: row.slots for row in connection.execute(sa.select(pools.c.pool, pools.c.slots))}
            for name in sorted(wanted):
                if name not in have:
                    values: dict[str, object] = {
                        "pool": name,
                        "slots": wanted[name],
                        "description": "Set by Aerodrome.",
                    }
                    if "include_deferred" in pools.c:
                        values["include_deferred"] = False
                    connection.execute(sa.insert(pools).values(values))
                elif have[name] != wanted[name]:
                    connection.execute(sa.update(pools).where(pools.c.pool == name).values(slots=wanted[name]))
        return tuple(name for name in sorted(wanted) if have.get(name) != wanted[name])
    finally:
        database.close()


def unfinished_runs(url: Secret) -> set[tuple[str, str]]:
    """Give (DAG id, run id) of every run that is not finished."""
    database = MetadataDatabase(url)
    try:
        runs = database.table("dag_run")
        query = sa.select(runs.c.dag_id, runs.c.run_id).where(
            sa.or_(runs.c.state.is_(None), runs.c.state.not_in(_FINISHED))
        )
        with database.reading() as connection:
            return {(row.dag_id, row.run_id) for row in connection.execute(query)}
    finally:
        database.close()


def oldest_unfinished(url: Secret) -> Unfinished | None:
    """Give the unfinished run that began first, by its own begin or by that of its oldest task."""
    database = MetadataDatabase(url)
    try:
        runs, tasks = database.table("dag_run"), database.table("task_instance")
        began = sa.func.min(tasks.c.start_date)
        query = (
            sa.select(runs.c.dag_id, runs.c.run_id, runs.c.start_date, runs.c.queued_at, began)
            .outerjoin(tasks, sa.and_(tasks.c.dag_id == runs.c.dag_id, tasks.c.run_id == runs.c.run_id))
            .where(sa.or_(runs.c.state.is_(None), runs.c.state.not_in(_FINISHED)))
            .group_by(runs.c.dag_id, runs.c.run_id, runs.c.start_date, runs.c.queued_at)
        )
        with database.reading() as connection:
            found = [
                Unfinished(dag_id, run_id, min(_moment(moment) for moment in moments if moment is not None))
                for dag_id, run_id, *moments in connection.execute(query)
                if any(moment is not None for moment in moments)
            ]
        return min(found, key=lambda item: item.since, default=None)
    finally:
        database.close()


def _moment(value: datetime | str) -> datetime:
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
