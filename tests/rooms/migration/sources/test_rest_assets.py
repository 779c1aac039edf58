"""Events and queues of assets over REST, page by page. If these break, an event that moves between pages is lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from tests.rooms.migration.service.conftest import NAME, Desk, desk  # noqa: F401 - a fixture
from tests.rooms.migration.sources.rest_answers import served
from tests.rooms.web.conftest import platform, url  # noqa: F401 - fixtures

from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import AssetKey, PendingAsset
from aerodrome.migration.sources.airflow_rest.assets import PASSES, RestAssets, knows_queue
from aerodrome.migration.sources.airflow_rest.client import RestReader


def test_an_api_without_a_queue_of_datasets_says_so() -> None:
    assert [knows_queue(version) for version in ("2.8.4", "2.9.0", "2.11.2", "3.0.6", "3.3.2")] == [
        False, True, True, True, True,
    ]  # fmt: skip


class Events:
    """The events of an Airflow's assets as their routes give them (2.11.2, 3.3.2): filters, order, pages and what they count."""

    def __init__(
        self, version: str, events: Sequence[dict[str, Any]], *, loses: int | None = None, takes_moment: bool = True
    ) -> None:
        self.version, self.events, self.loses, self.takes_moment = version, list(events), loses, takes_moment
        self.asked: list[httpx2.QueryParams] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path, asked, word = request.url.path, request.url.params, "asset" if self.version[0] == "3" else "dataset"
        if path.endswith("/version"):
            return httpx2.Response(
                200, json={"version": self.version} if f"v{int(self.version[0]) - 1}" in path else {}
            )
        if path.endswith(f"/{word}s"):
            readers = "scheduled_dags" if word == "asset" else "consuming_dags"
            rows = [{"id": number, "uri": f"s3://{number}", readers: [{"dag_id": f"d{number}"}]} for number in (1, 2)]
            return httpx2.Response(200, json={f"{word}s": rows, "total_entries": 2})
        self.asked.append(asked)
        found = sorted(self.events, key=lambda each: each["timestamp"])
        for name in ("asset_id", "dataset_id", "source_dag_id"):
            if name in asked:
                found = [each for each in found if str(each[name]) == asked[name]]
        if "timestamp_gte" in asked and self.takes_moment:
            found = [each for each in found if each["timestamp"] >= asked["timestamp_gte"]]
        start, limit = int(asked.get("offset", 0)), int(asked["limit"])
        page = found[start : start + limit]
        if self.loses is not None and start == 0 and limit > 1:  # one goes as soon as the first page was read
            self.events = [each for each in self.events if each["id"] != self.loses]
        return httpx2.Response(200, json={f"{word}_events": page, "total_entries": len(found)})

    def reader(self) -> RestReader:
        return RestReader("http://x", "", Secret(""), Secret("t"), transport=httpx2.MockTransport(self))


def event(number: int, asset: int, second: int, dag_id: str = "elsewhere") -> dict[str, Any]:
    at = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": number, "asset_id": asset, "dataset_id": asset, "uri": f"s3://{asset}", "timestamp": at,
            "source_dag_id": dag_id, "source_task_id": "t", "source_run_id": str(number), "source_map_index": -1,
            "extra": {}, "created_dagruns": []}  # fmt: skip


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_the_events_of_all_assets_are_read_page_by_page(version: str) -> None:
    """More of one moment than a page holds, and many DAGs: each event once, without a question for each DAG."""
    events = [event(number, 1 + number % 3, min(number, 250) // 2) for number in range(600)]
    events += [event(number, 9, 400, f"p{number}") for number in range(600, 610)]
    server = Events(version, events)
    dag_ids = ["d1", *(f"p{number}" for number in range(605, 1_000))]
    found = [each.source_run_id for batch in RestAssets(server.reader()).events(dag_ids) for each in batch]
    assert sorted(map(str, found)) == sorted(
        str(each["id"]) for each in events if each["asset_id"] == 1 or each["source_dag_id"] in dag_ids
    )
    assert len(server.asked) < 15
    if version == "3.3.2":
        assert max(int(asked["offset"]) for asked in server.asked if "offset" in asked) < 400


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_few_dags_among_many_events_are_asked_for_alone(version: str) -> None:
    events = [event(number, 3, number) for number in range(900)]
    events += [event(1_000, 1, 3), event(1_001, 1, 4, "p"), event(1_002, 3, 5, "p")]
    server = Events(version, events)
    found = [each.source_run_id for batch in RestAssets(server.reader()).events(["d1", "p"]) for each in batch]
    assert found == ["1000", "1001", "1002"]
    assert len(server.asked) == 4


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_an_event_that_goes_while_pages_are_read_hides_no_other(version: str) -> None:
    events = [event(number, 1, number) for number in range(150)]
    server = Events(version, events, loses=0)
    dag_ids = ["d1", "d2"]
    found = [each.source_run_id for batch in RestAssets(server.reader()).events(dag_ids) for each in batch]
    assert sorted(found, key=lambda name: int(name or -1)) == [str(number) for number in range(150)]


def test_a_version_that_takes_no_moment_is_read_by_number() -> None:
    """Else the first page would come again and again."""
    server = Events("3.0.0", [event(number, 1, number) for number in range(350)], takes_moment=False)
    dag_ids = ["d1", "d2", "d3"]
    found = [each.source_run_id for batch in RestAssets(server.reader()).events(dag_ids) for each in batch]
    assert sorted(found, key=lambda name: int(name or -1)) == [str(number) for number in range(350)]


def test_assets_of_version_2_are_told_with_what_they_started() -> None:
    """Made after the answers of 3.3.2: events have name and URI, the queue has the number of an asset."""
    asset = {"id": 7, "name": "orders", "uri": "s3://lake/orders", "scheduled_dags": [{"dag_id": "d"}]}
    happened = {
        "id": 1, "asset_id": 7, "uri": "s3://lake/orders", "name": "orders", "group": "asset", "extra": {"rows": 3},
        "source_task_id": "t", "source_dag_id": "p", "source_run_id": "r", "source_map_index": -1,
        "created_dagruns": [{"run_id": "asset__1", "dag_id": "d"}, {"run_id": "asset__2", "dag_id": "other"}],
        "timestamp": "2026-03-01T04:05:06.789000Z",
    }  # fmt: skip
    once = [httpx2.Response(200, json={"asset_events": [happened], "total_entries": 1}) for _ in range(2)]
    assets = httpx2.Response(200, json={"assets": [asset], "total_entries": 1})
    version = httpx2.Response(200, json={"version": "3.3.2"})
    reader, _, asked = served(version, assets, *once)
    ((events, links),) = RestAssets(reader).history(["d"])
    assert [key for key, _ in links] == [("d", "asset__1")]
    assert [event for _, event in links] == events
    assert events[0].asset == AssetKey("orders", "s3://lake/orders")
    assert asked[1].url.params["only_active"] == "false"


def test_events_that_come_differently_each_time_are_an_error() -> None:
    version, assets = (
        httpx2.Response(200, json={"version": "2.11.2"}),
        httpx2.Response(
            200,
            json={"datasets": [{"id": 7, "uri": "s3://x", "consuming_dags": [{"dag_id": "d"}]}], "total_entries": 1},
        ),
    )
    same = [
        httpx2.Response(200, json={"dataset_events": [event(1, 7, 1)], "total_entries": 2})
        for _ in range(1 + 2 * PASSES)
    ]
    reader, _, _ = served(httpx2.Response(404), version, assets, *same)
    with pytest.raises(Broken) as unsteady:
        list(RestAssets(reader).started(["d"]))
    assert unsteady.value.code == "source-unsteady"


def test_what_is_pending_is_asked_of_scheduled_dags_only() -> None:
    asset = {"id": 7, "name": "orders", "uri": "s3://lake/orders", "scheduled_dags": [{"dag_id": "d"}]}
    assets = httpx2.Response(200, json={"assets": [asset], "total_entries": 1})
    version = httpx2.Response(200, json={"version": "3.3.2"})
    pending = {"dag_id": "d", "asset_id": 7, "created_at": "2026-03-01T04:05:06Z", "dag_display_name": "d"}
    queue = httpx2.Response(200, json={"queued_events": [pending], "total_entries": 1})
    reader, _, asked = served(version, assets, queue)
    assert RestAssets(reader).pending(["d", "unscheduled"]) == [
        PendingAsset(AssetKey("orders", "s3://lake/orders"), "d", datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC))
    ]
    assert asked[-1].url.path == "/air/api/v2/dags/d/assets/queuedEvents"
    reader, _, _ = served(version, assets, httpx2.Response(404))
    assert RestAssets(reader).pending(["d"]) == []
