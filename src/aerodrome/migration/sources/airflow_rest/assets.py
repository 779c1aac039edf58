"""The events of assets (datasets before 3.0) over REST, which runs they started, and what is pending.

The events of all assets are read page by page, and those of other DAGs left out; only where there are more pages than
questions, each scheduling asset and each DAG is asked for its own, and an event that both name comes once. Version 2 takes a
moment to begin at (timestamp_gte, seen in 3.0.6 to 3.3.2: routes/public/assets.py), so that no page is far from the first. Which run an
event started is told for assets that schedule one of the DAGs now, or that one of them makes. Version 1 tells what is pending
since Airflow 2.9 (airflow/api_connexion/endpoints/dataset_endpoint.py), version 2 always.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Broken, NotFound
from aerodrome.migration.estate.history import AssetEvent, AssetKey, PendingAsset
from aerodrome.migration.estate.records import AssetRecord
from aerodrome.migration.sources.airflow_rest.client import PAGE, RestReader, quoted
from aerodrome.migration.sources.contract import AssetHistory
from aerodrome.migration.sources.lanes import RunKey

ROWS_PER_BATCH = 1_000
PASSES = 3
QUEUE_SINCE = (2, 9)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Asset:
    number: int
    key: AssetKey
    readers: frozenset[str]  # DAGs that it schedules
    makers: frozenset[str]
    last: datetime | None


class RestAssets:
    """Reads assets of one Airflow; what assets there are is asked for at each call."""

    def __init__(self, reader: RestReader) -> None:
        self._reader = reader
        self._word = "asset" if reader.is_v2 else "dataset"

    @property
    def tells_queue(self) -> bool:
        """Tell whether what is pending can be asked for."""
        return knows_queue(self._reader.version)

    def records(self) -> Iterator[AssetRecord]:
        """Give every asset by URI and name. Version 1 tells of no asset when it happened last; neither counts (2.11.2, 3.3.2)."""
        unread = ("waiting", "events") if self._word == "asset" else ("waiting", "events", "last_event_at")
        for asset in sorted(self._assets(), key=lambda each: (each.key.uri, each.key.name)):
            yield AssetRecord(
                asset.key.name, asset.key.uri, tuple(sorted(asset.readers)), tuple(sorted(asset.makers)), (), None,
                to_text(asset.last), unread,
            )  # fmt: skip

    def history(self, dag_ids: Sequence[str]) -> Iterator[AssetHistory]:
        """Give the events that a task of these DAGs made, or that belong to an asset by which one is scheduled, and the runs they started."""
        wanted = set(dag_ids)
        for rows in self._batches(dag_ids):
            events = [_event(row) for row in rows]
            links = [
                ((run["dag_id"], run.get("dag_run_id") or run["run_id"]), event)
                for row, event in zip(rows, events, strict=True)
                for run in row.get("created_dagruns") or ()
                if run["dag_id"] in wanted
            ]
            yield events, links

    def events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        """Give the events alone."""
        return (events for events, _ in self.history(dag_ids))

    def started(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[RunKey, AssetEvent]]]:
        """Give which of these events started which run of these DAGs."""
        return (links for _, links in self.history(dag_ids) if links)

    def pending(self, dag_ids: Sequence[str]) -> list[PendingAsset]:
        """Give what these DAGs were told of and have not run for yet; nothing where the API does not tell."""
        if not self.tells_queue:
            return []
        assets = {asset.number: asset for asset in self._assets()}
        scheduled = {dag_id for asset in assets.values() for dag_id in asset.readers}
        found: list[PendingAsset] = []
        for dag_id in sorted(set(dag_ids) & scheduled):
            path = (
                f"/dags/{quoted(dag_id)}/{'assets/queuedEvents' if self._word == 'asset' else 'datasets/queuedEvent'}"
            )
            with suppress(NotFound):  # the answer to an empty queue
                for row in self._reader.get(path)["queued_events"]:
                    key = assets[row["asset_id"]].key if "asset_id" in row else AssetKey(row["uri"], row["uri"])
                    created_at = from_text(row["created_at"])
                    if created_at is not None:
                        found.append(PendingAsset(key, dag_id, created_at))
        return found

    def _assets(self) -> Iterator[_Asset]:
        readers = "scheduled_dags" if self._word == "asset" else "consuming_dags"
        parameters = {"only_active": "false"} if self._word == "asset" else {}
        with suppress(NotFound):  # before 2.4
            for row in self._reader.pages(f"/{self._word}s", f"{self._word}s", order_by="id", **parameters):
                dags, makers = (
                    frozenset(each["dag_id"] for each in row.get(name) or ()) for name in (readers, "producing_tasks")
                )
                last = from_text((row.get("last_asset_event") or {}).get("timestamp"))
                yield _Asset(row["id"], AssetKey(row.get("name") or row["uri"], row["uri"]), dags, makers, last)

    def _batches(self, dag_ids: Sequence[str]) -> Iterator[list[Row]]:
        """Give the rows of events, each once."""
        wanted = set(dag_ids)
        assets = list(self._assets())
        if not assets:
            return
        scheduling = {asset.number for asset in assets if asset.readers & wanted}
        waiting: list[Row] = []
        for row in self._rows(wanted, scheduling):
            waiting.append(row)
            if len(waiting) >= ROWS_PER_BATCH:
                yield waiting
                waiting = []
        if waiting:
            yield waiting

    def _rows(self, wanted: set[str], scheduling: set[int]) -> Iterator[Row]:
        """Give the rows of events, each once, in the way that takes fewer questions."""
        by_asset = f"{self._word}_id"
        total = int(self._page({}, limit=1)["total_entries"])
        if total <= PAGE * (len(wanted) + len(scheduling)):
            for row in self._everything({}):
                if row.get("source_dag_id") in wanted or row[by_asset] in scheduling:
                    yield row
            return
        for number in sorted(scheduling):
            yield from self._everything({by_asset: number})
        for dag_id in sorted(wanted):
            for row in self._everything({"source_dag_id": dag_id}):
                if row[by_asset] not in scheduling:  # else it came with its asset
                    yield row

    def _page(self, wish: Mapping[str, Any], **place: Any) -> dict[str, Any]:
        return self._reader.get(f"/{self._word}s/events", order_by="timestamp", **wish, **place)

    def _everything(self, wish: Mapping[str, Any]) -> Iterator[Row]:
        return self._by_moment(wish) if self._reader.is_v2 else self._by_number(wish)

    def _by_moment(self, wish: Mapping[str, Any]) -> Iterator[Row]:
        """Give the events of one question, each once: the next page begins at the moment of the last event."""
        since: Mapping[str, Any] = {}
        offset = 0
        edge: set[Any] = set()  # the ids of what came of the last moment
        while True:
            answer = self._page(wish, **since, limit=PAGE, offset=offset)
            rows = answer["asset_events"]
            if rows and since and _moment(rows[0]) < _moment({"timestamp": since["timestamp_gte"]}):
                # a version that does not take the moment: this is the first page again, which was given
                given = {row["id"] for row in rows}
                yield from (row for row in self._by_number(wish) if row["id"] not in given)
                return
            yield from (row for row in rows if row["id"] not in edge)
            if offset + len(rows) >= int(answer["total_entries"]) or not rows:
                return
            last = rows[-1]["timestamp"]
            at_last = {row["id"] for row in rows if row["timestamp"] == last}
            if since.get("timestamp_gte") == last:
                edge |= at_last
                offset += len(rows)  # more of one moment than a page holds
            else:
                since, offset, edge = {"timestamp_gte": last}, 0, at_last

    def _by_number(self, wish: Mapping[str, Any]) -> Iterator[Row]:
        """Give the events of one question, each once; events that come or go meanwhile may shift the pages."""
        seen: set[Any] = set()
        key = f"{self._word}_events"
        for _ in range(PASSES):
            here: set[Any] = set()
            offset, total, most = 0, 1, 0
            while offset < total:
                answer = self._page(wish, limit=PAGE, offset=offset)
                rows = answer[key]
                total = int(answer["total_entries"]) if rows else 0
                most = max(most, int(answer["total_entries"]))
                offset += len(rows)
                yield from (row for row in rows if row["id"] not in seen)
                here.update(row["id"] for row in rows)
                seen |= here
            if len(here) >= most:  # none went while the pages were read, and moved others before the next page
                return
        raise Broken(
            f"The source gives the events of its {self._word}s differently each time.",
            code="source-unsteady",
            hint="Read it from its metadata database, or from an archive (`aerodrome export`).",
        )


def knows_queue(version: str) -> bool:
    """Tell whether an Airflow of this version tells over REST what is pending."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) >= QUEUE_SINCE


def _moment(row: Row) -> datetime:
    moment = from_text(row["timestamp"])
    assert moment is not None  # noqa: S101 - a column that is never empty
    return moment


def _event(row: Row) -> AssetEvent:
    uri = row.get("uri") or row.get("dataset_uri") or ""
    map_index = row.get("source_map_index")
    return AssetEvent(
        AssetKey(row.get("name") or uri, uri), from_text(row["timestamp"]), row.get("source_dag_id"),
        row.get("source_task_id"), row.get("source_run_id"), -1 if map_index is None else map_index,
        json.dumps(row.get("extra") or {}),
    )  # fmt: skip
