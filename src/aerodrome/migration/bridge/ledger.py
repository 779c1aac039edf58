"""Asset events in a metadata database: read behind a position, and written as Airflow's own asset manager writes them.

An Airflow registers an event as one row, and one row in the queue of each DAG that is scheduled by the asset and not paused
(DatasetManager.register_dataset_change, 2.4-2.11; AssetManager.register_asset_change, 3.0-3.3). A paused DAG is not queued: what
happens meanwhile never reaches it. The tables are called `dataset…` before Airflow 3 and `asset…` since.

Positions are ids of event rows, never moments: the two sides' clocks may differ.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, delete, func, insert, select, update

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.migration.sources.airflow_db.assets import AssetReader
from aerodrome.migration.sources.airflow_db.rows import utc
from aerodrome.migration.sources.airflow_db.states import newest_event

MARK = "aerodrome_bridge"
"""The key in an event's `extra` by which a carried event, and a repeated try to carry it, is known."""
QUEUED = "aerodrome_queued"
"""The key in a carried event's `extra` that names the DAGs that were queued for it."""
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class AssetEvent:
    """One event as a side registered it. `dag_id` is None for an event that came in through the API."""

    id: int
    uri: str
    extra: Mapping[str, Any]
    dag_id: str | None
    task_id: str | None
    run_id: str | None
    map_index: int
    at: datetime  # by the clock of its side: comparable with moments of the same side only


class AssetLedger:
    """The asset events of one Airflow. Airflow before 2.4 has none: everything is empty then."""

    def __init__(self, database: MetadataDatabase) -> None:
        self._database = database
        self._reader = AssetReader(database)
        self._noun = self._reader.word
        self.has_events = self._reader.has_assets

    @property
    def newest(self) -> int:
        """Give the id of the newest event, 0 without any."""
        if not self.has_events:
            return 0
        with self._database.reading() as connection:
            return newest_event(self._database, connection)

    def events(self, uris: Collection[str], behind: int) -> Iterator[AssetEvent]:
        """Give the events of these assets with an id above `behind`, oldest first, page by page; carried ones are left out."""
        for page in self._reader.of_assets(uris, behind):
            for number, found in page:
                extra = json.loads(found.extra)
                if MARK not in extra and found.timestamp is not None:
                    yield AssetEvent(
                        id=number,
                        uri=found.asset.uri,
                        extra=extra,
                        dag_id=found.source_dag_id,
                        task_id=found.source_task_id,
                        run_id=found.source_run_id,
                        map_index=found.source_map_index,
                        at=found.timestamp,
                    )

    def queued(self, dag_id: str) -> dict[str, datetime]:
        """Give the assets whose events wait in the queue of a DAG, and since when by this side's clock."""
        return {waiting.asset.uri: waiting.created_at for waiting in self._reader.pending((dag_id,))}

    def dequeue(self, dag_id: str) -> None:
        """Empty the queue of a DAG that does not run here any more."""
        if self.has_events:
            queue = self._table("dag_run_queue")
            with self._database.writing() as connection:
                connection.execute(delete(queue).where(queue.c.target_dag_id == dag_id))

    def position_before(self, moment: datetime) -> int:
        """Give the newest event that is surely older than a moment of this side's clock: by a minute; 0 without any."""
        event = self._table("event")
        query = select(func.max(event.c.id)).where(event.c.timestamp < self._database.stored(moment - _SLACK))
        with self._database.reading() as connection:
            return int(connection.scalar(query) or 0)

    def consumed(self, dag_id: str, behind: int) -> frozenset[int]:
        """Give the events with an id above `behind` that a run of the DAG was started with."""
        if not self.has_events:
            return frozenset()
        used, run = self._database.table(f"dagrun_{self._noun}_event"), self._database.table("dag_run")
        query = (
            select(used.c.event_id)
            .join(run, run.c.id == used.c.dag_run_id)
            .where(run.c.dag_id == dag_id, used.c.event_id > behind)
        )
        with self._database.reading() as connection:
            return frozenset(connection.scalars(query))

    def consumed_marks(self, dag_id: str) -> frozenset[str]:
        """Give the marks of the carried events that a run of the DAG was started with."""
        if not self.has_events:
            return frozenset()
        used, run = self._database.table(f"dagrun_{self._noun}_event"), self._database.table("dag_run")
        event = self._table("event")
        query = (
            select(event.c.extra)
            .join(used, used.c.event_id == event.c.id)
            .join(run, run.c.id == used.c.dag_run_id)
            .where(run.c.dag_id == dag_id)
        )
        with self._database.reading() as connection:
            return frozenset(extra[MARK] for extra in connection.scalars(query) if extra and MARK in extra)

    def enqueue(self, dag_id: str, uris: Collection[str], now: datetime) -> tuple[str, ...]:
        """Let assets stand in the queue of a DAG, paused or not; give those that this side knows. Repeating changes nothing."""
        if not (self.has_events and uris):
            return ()
        asset = self._asset
        with self._database.writing() as connection:
            known = connection.execute(select(asset.c.id, asset.c.uri).where(asset.c.uri.in_(sorted(uris)))).all()
            for row in known:
                self._queue(connection, row.id, dag_id, now)
        return tuple(sorted(row.uri for row in known))

    def publish(
        self, event: AssetEvent, mark: str, takers: Collection[str], now: datetime, *, is_paused_too: bool = False
    ) -> frozenset[str] | None:
        """Register an event of the other side here, and queue the takers; give every DAG that was ever queued for it.

        One transaction. An event is registered once and queues each taker once, however often this is called; takers that are
        paused are left out unless `is_paused_too`. None when this side does not know the asset.
        """
        with self._database.writing() as connection:
            asset_id = connection.scalar(select(self._asset.c.id).where(self._asset.c.uri == event.uri))
            if asset_id is None:
                return None
            row = self._registered(connection, asset_id, event, mark)
            before = frozenset((row["extra"] or {}).get(QUEUED, ())) if row else frozenset()
            wanted = set(takers) - before
            fresh = wanted if is_paused_too else self._running(connection, wanted)
            for dag_id in sorted(fresh):
                self._queue(connection, asset_id, dag_id, now)
            reached = before | fresh
            extra = {**event.extra, MARK: mark, QUEUED: sorted(reached)}
            table = self._table("event")
            if row is None:
                values = {
                    self._id: asset_id,
                    "extra": extra,
                    "source_dag_id": event.dag_id,
                    "source_task_id": event.task_id,
                    "source_run_id": event.run_id,
                    "source_map_index": event.map_index,
                    "timestamp": self._database.stored(now),
                }
                connection.execute(insert(table).values(values))
            elif fresh or MARK not in (row["extra"] or {}):
                connection.execute(update(table).where(table.c.id == row["id"]).values(extra=extra))
            return frozenset(reached)

    # --- inside --------------------------------------------------------------------------------------------------

    @property
    def _id(self) -> str:
        return f"{self._noun}_id"

    @property
    def _asset(self) -> Table:
        return self._database.table(self._noun)

    def _table(self, name: str) -> Table:
        return self._database.table(f"{self._noun}_{name}")

    def _registered(self, connection: Connection, asset_id: int, event: AssetEvent, mark: str) -> RowMapping | None:
        """Find the event's row here: one that carries the mark, or one that came with the history (the same task, the same moment).

        Looks among the events of the same run; an index leads to those of the asset.
        """
        table = self._table("event")
        same_run: ColumnElement[bool] = (
            table.c.source_run_id.is_(None) if event.run_id is None else table.c.source_run_id == event.run_id
        )
        query = select(table).where(table.c[self._id] == asset_id, same_run)
        rows = connection.execute(query).mappings().all()
        marked = (row for row in rows if (row["extra"] or {}).get(MARK) == mark)
        copied = (row for row in rows if MARK not in (row["extra"] or {}) and _is_copy(row, event))
        return next(marked, None) or next(copied, None)

    def _running(self, connection: Connection, dag_ids: Collection[str]) -> set[str]:
        """Lock the DAGs against a pause in the same moment, and give those that are not paused."""
        dag = self._database.table("dag")
        query = select(dag.c.dag_id, dag.c.is_paused).where(dag.c.dag_id.in_(sorted(dag_ids)))
        if self._database.dialect != "sqlite":  # there a writer is alone anyway
            query = query.with_for_update()
        return {row.dag_id for row in connection.execute(query) if not row.is_paused}

    def _queue(self, connection: Connection, asset_id: int, dag_id: str, now: datetime) -> None:
        queue = self._table("dag_run_queue")
        stands = select(func.count()).where(queue.c[self._id] == asset_id, queue.c.target_dag_id == dag_id)
        if not connection.scalar(stands):
            values = {self._id: asset_id, "target_dag_id": dag_id, "created_at": self._database.stored(now)}
            connection.execute(insert(queue).values(values))


def _is_copy(row: RowMapping, event: AssetEvent) -> bool:
    map_index = -1 if row["source_map_index"] is None else row["source_map_index"]
    return (row["source_dag_id"], row["source_task_id"], map_index, utc(row["timestamp"])) == (
        event.dag_id, event.task_id, event.map_index, event.at,
    )  # fmt: skip
