"""Moves the events of assets (datasets of 2.x), which runs they started, and at cutover what is pending.

Called by migration.service. Without the pending queue a DAG that waits for two assets, of which one was there already,
would wait for that one again. Safe to repeat: an event is recognised by asset, moment and the task that made it. An asset
is found by name and URI; a dataset of 2.x by its URI, for the upgraded code may name it otherwise. A target of 2.x has the
same tables under the names of datasets, and a dataset is its URI (airflow/models/dataset.py, 2.11.2).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Connection, Table, insert, select

from aerodrome.kernel.clock import Clock
from aerodrome.migration.estate.history import AssetEvent, AssetKey, PendingAsset
from aerodrome.migration.sources.contract import OffersAssets, SourceAdapter, asset_history
from aerodrome.migration.transfer.outcomes import Rejected
from aerodrome.migration.transfer.target import TargetDatabase

Row = tuple[int, datetime | None, str | None, str | None, str | None, int]


@dataclass
class AssetsMoved:
    """What became of events, of the links from runs to the events that started them, and of the pending queue."""

    events_found: int = 0
    events_moved: int = 0
    links_found: int = 0
    links_moved: int = 0
    pending_found: int = 0
    pending_moved: int = 0
    failed: list[Rejected] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        numbers = {name: value for name, value in vars(self).items() if name != "failed"}
        return {**numbers, "failed": [item.as_data() for item in self.failed]}


def move_assets(
    source: SourceAdapter, target: TargetDatabase, dag_ids: Sequence[str], clock: Clock, *, with_pending: bool
) -> AssetsMoved:
    """Move events and links of these DAGs, and with `with_pending` the queue: only while both sides are paused."""
    outcome = AssetsMoved()
    if not isinstance(source, OffersAssets):
        return outcome
    mover = _Mover(target, clock.now())
    for events, links in asset_history(source, dag_ids):
        outcome.events_found += len(events)
        outcome.links_found += len(links)
        with target.writing() as connection:
            outcome.events_moved += mover.add_events(connection, events) if events else 0
            outcome.links_moved += mover.add_links(connection, links) if links else 0
    if with_pending:
        pending = source.asset_queue(dag_ids)
        outcome.pending_found = len(pending)
        with target.writing() as connection:
            outcome.pending_moved = mover.add_pending(connection, pending, outcome.failed)
    return outcome


class _Mover:
    def __init__(self, target: TargetDatabase, now: datetime) -> None:
        self._target = target
        self._now = now
        self._event = self._table("asset_event")
        self._asset_id = self._word("asset_id")

    def _word(self, name: str) -> str:
        return name.replace("asset", "dataset") if self._target.is_airflow2 else name

    def _table(self, name: str) -> Table:
        return self._target.table(self._word(name))

    def add_events(self, connection: Connection, events: Sequence[AssetEvent]) -> int:
        ids = self._asset_ids(connection, {event.asset for event in events})
        standing = self._standing(connection, events, ids)
        new: dict[Row, AssetEvent] = {}
        for event in events:
            row = _row(event, ids)
            if row not in standing:
                new[row] = event
        if new:
            names = (
                self._asset_id,
                "timestamp",
                "source_dag_id",
                "source_task_id",
                "source_run_id",
                "source_map_index",
            )
            values = [
                {
                    **dict(zip(names, row, strict=True)),
                    "timestamp": self._stored(row[1]),
                    "extra": _stored_object(self._event, _object(event.extra)),
                }
                for row, event in new.items()
            ]
            connection.execute(insert(self._event), values)
        return len(new)

    def add_links(self, connection: Connection, links: Sequence[tuple[tuple[str, str], AssetEvent]]) -> int:
        events = [event for _, event in links]
        ids = self._asset_ids(connection, {event.asset for event in events})
        standing = self._standing(connection, events, ids)
        run, link = self._target.table("dag_run"), self._table("dagrun_asset_event")
        wanted = {key for key, _ in links}
        found = select(run.c.dag_id, run.c.run_id, run.c.id).where(
            run.c.dag_id.in_({key[0] for key in wanted}), run.c.run_id.in_({key[1] for key in wanted})
        )
        runs = {(row.dag_id, row.run_id): row.id for row in connection.execute(found)}
        pairs = {
            (runs[key], standing[row]) for key, event in links if key in runs and (row := _row(event, ids)) in standing
        }
        there = select(link.c.dag_run_id, link.c.event_id).where(link.c.dag_run_id.in_({pair[0] for pair in pairs}))
        pairs -= {(row.dag_run_id, row.event_id) for row in connection.execute(there)}
        if pairs:
            values = [{"dag_run_id": of_run, "event_id": of_event} for of_run, of_event in sorted(pairs)]
            connection.execute(insert(link), values)
        return len(pairs)

    def add_pending(self, connection: Connection, pending: Sequence[PendingAsset], failed: list[Rejected]) -> int:
        queue = self._table("asset_dag_run_queue")
        reference, dag = self._table("dag_schedule_asset_reference"), self._target.table("dag")
        queued_id, scheduling_id = queue.c[self._asset_id], reference.c[self._asset_id]
        dag_ids = {item.dag_id for item in pending}
        ids = self._asset_ids(connection, {item.asset for item in pending})
        paused = set(connection.scalars(select(dag.c.dag_id).where(dag.c.dag_id.in_(dag_ids), dag.c.is_paused)))
        scheduled = {
            (row[0], row[1])
            for row in connection.execute(
                select(scheduling_id, reference.c.dag_id).where(reference.c.dag_id.in_(dag_ids))
            )
        }
        there = {
            (row[0], row[1])
            for row in connection.execute(
                select(queued_id, queue.c.target_dag_id).where(queue.c.target_dag_id.in_(dag_ids))
            )
        }
        values = []
        for item in pending:
            place = ids[item.asset], item.dag_id
            key = f"{item.dag_id}/{item.asset.uri}"
            if item.dag_id not in paused:
                failed.append(Rejected(key, "target-dag-not-paused", "The target's DAG is not there or not paused."))
            elif place not in scheduled:
                failed.append(Rejected(key, "asset-not-scheduling", "The target's DAG is not scheduled by this asset."))
            elif place not in there:
                moment = self._stored(item.created_at)
                values.append({self._asset_id: place[0], "target_dag_id": item.dag_id, "created_at": moment})
        if values:
            connection.execute(insert(queue), values)
        return len(values)

    def _asset_ids(self, connection: Connection, keys: set[AssetKey]) -> dict[AssetKey, int]:
        """Give the target's id of each asset; one that it does not know is made, as parsing makes it."""
        asset = self._table("asset")
        name = asset.c.uri if self._target.is_airflow2 else asset.c.name
        query = select(asset.c.id, name.label("name"), asset.c.uri).where(asset.c.uri.in_({key.uri for key in keys}))
        rows = connection.execute(query.order_by(asset.c.id.desc())).all()
        by_uri = {row.uri: row.id for row in rows}
        known = {(row.name, row.uri): row.id for row in rows}
        found: dict[AssetKey, int] = {}
        for key in sorted(keys, key=lambda key: (key.uri, key.name)):
            number = known.get((key.name, key.uri)) or (
                by_uri.get(key.uri) if key.name == key.uri or self._target.is_airflow2 else None
            )
            if number is None:
                moment = self._stored(self._now)
                values = {"uri": key.uri, "extra": _stored_object(asset, {})}
                if not self._target.is_airflow2:
                    values |= {"name": key.name, "group": "asset"}
                made = connection.execute(insert(asset).values(**values, created_at=moment, updated_at=moment))
                number = int((made.inserted_primary_key or (0,))[0])
            found[key] = number
        return found

    def _standing(
        self, connection: Connection, events: Sequence[AssetEvent], ids: dict[AssetKey, int]
    ) -> dict[Row, int]:
        """Give the ids of the target's events between the first and the last of these."""
        event = self._event
        moments = [item.timestamp for item in events if item.timestamp is not None]
        if not moments:
            return {}
        query = select(event).where(
            event.c[self._asset_id].in_({ids[item.asset] for item in events}),
            event.c.timestamp >= self._stored(min(moments)),
            event.c.timestamp <= self._stored(max(moments)),
        )
        return {
            (
                row[self._asset_id], _aware(row["timestamp"]), row["source_dag_id"], row["source_task_id"],
                row["source_run_id"], -1 if row["source_map_index"] is None else row["source_map_index"],
            ): row["id"]
            for row in connection.execute(query).mappings()
        }  # fmt: skip

    def _stored(self, moment: datetime | None) -> datetime | None:
        if moment is None or self._target.dialect != "sqlite":
            return moment
        return moment.astimezone(UTC).replace(tzinfo=None)


def _row(event: AssetEvent, ids: dict[AssetKey, int]) -> Row:
    return (
        ids[event.asset], event.timestamp, event.source_dag_id, event.source_task_id, event.source_run_id,
        event.source_map_index,
    )  # fmt: skip


def _stored_object(table: Table, value: Any) -> Any:
    """Give a JSON object as the column `extra` takes it: 2.x declares it as text in SQLite."""
    return value if isinstance(table.c.extra.type, JSON) else json.dumps(value)


def _object(text: str) -> Any:
    value = json.loads(text)
    return value if isinstance(value, dict) else {}


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
