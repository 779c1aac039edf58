"""Streams the events of assets (datasets before 3.0), which runs they started, and what is pending: the one reader of these tables.

Tables of 2.4 to 2.11: `dataset`, `dataset_event`, `dagrun_dataset_event`, `dataset_dag_run_queue`; of 3.x: the same with
`asset`. Older versions have none.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, func, null, or_, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import to_text
from aerodrome.migration.estate.history import AssetEvent, AssetKey, PendingAsset
from aerodrome.migration.estate.records import AssetRecord
from aerodrome.migration.sources.airflow_db.rows import ID_PAGE, column_or, pages, utc

ROWS_PER_BATCH = 5_000


class AssetReader:
    """Reads assets of one database."""

    def __init__(self, database: MetadataDatabase) -> None:
        self._database = database
        self.word = "asset" if database.has("asset") else "dataset"
        self.has_assets = database.has(self.word) and database.has(f"{self.word}_event")

    def records(self) -> Iterator[AssetRecord]:
        """Give every asset by URI and name, with who makes it and waits for it, and how often it happened."""
        if not self.has_assets:
            return
        asset, event = self._table("{}"), self._table("{}_event")
        number = event.c[f"{self.word}_id"]
        happened = select(number.label("of"), func.count().label("events"), func.max(event.c.timestamp).label("last"))
        each = happened.group_by(number).subquery()
        query = (
            select(asset.c.id, *self._asset_columns(), each.c.events, each.c.last)
            .select_from(asset.outerjoin(each, each.c.of == asset.c.id))
            .order_by(asset.c.uri, asset.c.id)
        )
        readers, makers, waiting = (
            self._dags_of(name, column)
            for name, column in (
                ("dag_schedule_{}_reference", "dag_id"),
                ("task_outlet_{}_reference", "dag_id"),
                ("{}_dag_run_queue", "target_dag_id"),
            )
        )
        for row in self._rows(query):
            yield AssetRecord(
                row.name or row.uri, row.uri, readers(row.id), makers(row.id), waiting(row.id), row.events or 0,
                to_text(utc(row.last)),
            )  # fmt: skip

    def _dags_of(self, table: str, column: str) -> Callable[[int], tuple[str, ...]]:
        """Give what tells the DAGs of an asset by its number, as a table of references has them."""
        found: dict[int, set[str]] = defaultdict(set)
        if self._database.has(table.format(self.word)):
            reference = self._table(table)
            for row in self._rows(select(reference.c[f"{self.word}_id"].label("of"), reference.c[column].label("dag"))):
                found[row.of].add(row.dag)
        return lambda number: tuple(sorted(found.get(number, ())))

    def events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        """Give the events that a task of these DAGs made, or that belong to an asset by which one is scheduled; by id."""
        if not self.has_assets:
            return
        event, reference = self._table("{}_event"), self._table("dag_schedule_{}_reference")
        for page in pages(sorted(dag_ids), ID_PAGE):
            scheduling = select(reference.c[f"{self.word}_id"]).where(reference.c.dag_id.in_(page))
            wanted = or_(event.c.source_dag_id.in_(page), event.c[f"{self.word}_id"].in_(scheduling))
            for some in self._paged(wanted, 0):
                yield [event for _, event in some]

    def of_assets(self, uris: Collection[str], behind: int) -> Iterator[list[tuple[int, AssetEvent]]]:
        """Give the events of these assets with an id above `behind`, each with its id, by id."""
        if self.has_assets and uris:
            yield from self._paged(self._table("{}").c.uri.in_(sorted(uris)), behind)

    def _paged(self, wanted: ColumnElement[bool], behind: int) -> Iterator[list[tuple[int, AssetEvent]]]:
        event, asset = self._table("{}_event"), self._table("{}")
        query = select(*self._event_columns(), event.c.id).select_from(self._joined(event, asset)).where(wanted)
        while True:
            rows = self._rows(query.where(event.c.id > behind).order_by(event.c.id).limit(ROWS_PER_BATCH))
            if rows:
                behind = rows[-1].id
                yield [(row.id, _event(row)) for row in rows]
            if len(rows) < ROWS_PER_BATCH:
                return

    def started(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[tuple[str, str], AssetEvent]]]:
        """Give which events started which run of these DAGs."""
        if not self.has_assets or not self._database.has(f"dagrun_{self.word}_event"):
            return  # an archive of an older exporter has no links
        event, asset, run = self._table("{}_event"), self._table("{}"), self._database.table("dag_run")
        link = self._table("dagrun_{}_event")
        source = self._joined(event, asset).join(link, link.c.event_id == event.c.id)
        source = source.join(run, run.c.id == link.c.dag_run_id)
        for page in pages(sorted(dag_ids), ID_PAGE):
            query = select(run.c.dag_id, run.c.run_id, *self._event_columns(), run.c.id, event.c.id.label("event_id"))
            query = query.select_from(source).where(run.c.dag_id.in_(page)).order_by(run.c.id, event.c.id)
            last: tuple[int, int] = (0, 0)
            while True:
                after = or_(run.c.id > last[0], (run.c.id == last[0]) & (event.c.id > last[1]))
                rows = self._rows(query.where(after).limit(ROWS_PER_BATCH))
                if not rows:
                    break
                last = rows[-1].id, rows[-1].event_id
                yield [((row.dag_id, row.run_id), _event(row)) for row in rows]

    def pending(self, dag_ids: Sequence[str]) -> list[PendingAsset]:
        """Give what these DAGs were told of and have not run for yet."""
        if not self.has_assets:
            return []
        queue, asset = self._table("{}_dag_run_queue"), self._table("{}")
        found: list[PendingAsset] = []
        for page in pages(sorted(dag_ids), ID_PAGE):
            query = (
                select(*self._asset_columns(), queue.c.target_dag_id, queue.c.created_at)
                .select_from(queue.join(asset, asset.c.id == queue.c[f"{self.word}_id"]))
                .where(queue.c.target_dag_id.in_(page))
                .order_by(queue.c.target_dag_id, asset.c.id)
            )
            for row in self._rows(query):
                moment = utc(row.created_at)
                if moment is not None:
                    found.append(PendingAsset(AssetKey(row.name or row.uri, row.uri), row.target_dag_id, moment))
        return found

    def _table(self, name: str) -> Any:
        return self._database.table(name.format(self.word))

    def _joined(self, event: Any, asset: Any) -> Any:
        return event.join(asset, asset.c.id == event.c[f"{self.word}_id"])

    def _asset_columns(self) -> list[ColumnElement[Any]]:
        asset = self._table("{}")
        name = asset.c.name if "name" in asset.c else null()
        return [name.label("name"), asset.c.uri.label("uri")]

    def _event_columns(self) -> list[ColumnElement[Any]]:
        event = self._table("{}_event")
        map_index = column_or(self._database, f"{self.word}_event", "source_map_index", default=-1)
        return [
            *self._asset_columns(),
            event.c.extra,
            event.c.source_dag_id,
            event.c.source_task_id,
            event.c.source_run_id,
            map_index.label("source_map_index"),
            event.c.timestamp,
        ]

    def _rows(self, query: Select[Any]) -> Sequence[Any]:
        with self._database.reading() as connection:
            return connection.execute(query).all()


def _event(row: Any) -> AssetEvent:
    extra = row.extra if row.extra is None or isinstance(row.extra, str) else json.dumps(row.extra)
    return AssetEvent(
        AssetKey(row.name or row.uri, row.uri), utc(row.timestamp), row.source_dag_id, row.source_task_id,
        row.source_run_id, -1 if row.source_map_index is None else row.source_map_index, extra or "{}",
    )  # fmt: skip
