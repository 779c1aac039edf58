"""The events of assets (datasets before 3.0) over REST, which runs they started, and what is pending.

Each scheduling asset and each DAG is asked for its events; an event that both name comes once. Which run an event started is
told for assets that schedule one of the DAGs now, or that one of them makes. Version 1 tells what is pending since
Airflow 2.9 (airflow/api_connexion/endpoints/dataset_endpoint.py), version 2 always.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from aerodrome.kernel.clock import from_text
from aerodrome.kernel.errors import Broken, NotFound
from aerodrome.migration.estate.history import AssetEvent, AssetKey, PendingAsset
from aerodrome.migration.sources.airflow_rest.client import PAGE, RestReader, quoted
from aerodrome.migration.sources.contract import RunKey

ROWS_PER_BATCH = 1_000
PASSES = 3
QUEUE_SINCE = (2, 9)
Row = Mapping[str, Any]


@dataclass(frozen=True)
class _Asset:
    number: int
    key: AssetKey
    readers: frozenset[str]  # DAGs that it schedules


class RestAssets:
    """Reads assets of one Airflow; what assets there are is asked for at each call."""

    def __init__(self, reader: RestReader) -> None:
        self._reader = reader
        self._word = "asset" if reader.is_v2 else "dataset"

    @property
    def tells_queue(self) -> bool:
        """Tell whether what is pending can be asked for."""
        return knows_queue(self._reader.version)

    def events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        """Give the events that a task of these DAGs made, or that belong to an asset by which one is scheduled."""
        for rows in self._batches(dag_ids):
            yield [_event(row) for row in rows]

    def started(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[RunKey, AssetEvent]]]:
        """Give which of these events started which run of these DAGs."""
        wanted = set(dag_ids)
        for rows in self._batches(dag_ids):
            links = [
                ((run["dag_id"], run.get("dag_run_id") or run["run_id"]), _event(row))
                for row in rows
                for run in row.get("created_dagruns") or ()
                if run["dag_id"] in wanted
            ]
            if links:
                yield links

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
                dags = frozenset(dag["dag_id"] for dag in row.get(readers) or ())
                yield _Asset(row["id"], AssetKey(row.get("name") or row["uri"], row["uri"]), dags)

    def _batches(self, dag_ids: Sequence[str]) -> Iterator[list[Row]]:
        """Give the rows of events, each once."""
        wanted = set(dag_ids)
        assets = list(self._assets())
        if not assets:
            return
        scheduling = {asset.number for asset in assets if asset.readers & wanted}
        wishes: list[Row] = [{f"{self._word}_id": number} for number in sorted(scheduling)]
        wishes += [{"source_dag_id": dag_id} for dag_id in sorted(wanted)]
        waiting: list[Row] = []
        for wish in wishes:
            for row in self._everything(wish):
                if "source_dag_id" in wish and row[f"{self._word}_id"] in scheduling:
                    continue  # came with its asset
                waiting.append(row)
                if len(waiting) >= ROWS_PER_BATCH:
                    yield waiting
                    waiting = []
        if waiting:
            yield waiting

    def _everything(self, wish: Mapping[str, Any]) -> Iterator[Row]:
        """Give the events of one question, each once; events that come meanwhile may shift the pages."""
        seen: set[Any] = set()
        path, key = f"/{self._word}s/events", f"{self._word}_events"
        for _ in range(PASSES):
            offset, total = 0, 1
            while offset < total:
                answer = self._reader.get(path, order_by="timestamp", **wish, limit=PAGE, offset=offset)
                total = answer["total_entries"] if answer[key] else 0
                offset += len(answer[key])
                for row in answer[key]:
                    if row["id"] not in seen:
                        seen.add(row["id"])
                        yield row
            if len(seen) >= int(answer["total_entries"]):
                return
        raise Broken(
            f"The source gives the events of its {self._word}s differently each time.",
            code="source-unsteady",
            hint="Read it from its metadata database, or from an archive (`aerodrome export`).",
        )


def knows_queue(version: str) -> bool:
    """Tell whether an Airflow of this version tells over REST what is pending."""
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) >= QUEUE_SINCE


def _event(row: Row) -> AssetEvent:
    uri = row.get("uri") or row.get("dataset_uri") or ""
    map_index = row.get("source_map_index")
    return AssetEvent(
        AssetKey(row.get("name") or uri, uri), from_text(row["timestamp"]), row.get("source_dag_id"),
        row.get("source_task_id"), row.get("source_run_id"), -1 if map_index is None else map_index,
        json.dumps(row.get("extra") or {}),
    )  # fmt: skip
