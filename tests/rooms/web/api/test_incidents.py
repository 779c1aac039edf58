"""Incidents over HTTP and through the typed client: filters, pages and permissions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM
from aerodrome.client.client import Client
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.ids import new_id
from aerodrome.store.tables.incident import IncidentRow

Http = Callable[..., httpx2.Client]


@pytest.fixture
def deployment(platform: World) -> str:
    """A deployment with five incidents, one of which is open, and one open one of the platform."""
    platform.fleet.create_workspace(SYSTEM, "data")
    item = platform.fleet.create_deployment(SYSTEM, NewDeployment("sales", "data"))
    now = platform.clock.now()
    with platform.store.writing() as session:
        for index, scope in enumerate([item.id] * 5 + ["platform"]):
            row = IncidentRow(
                id=new_id("inc"),
                scope=scope,
                deployment_id=item.id if scope == item.id else None,
                code="import-errors" if scope == item.id else "disk-full",
                subject="",
                severity="critical",
                reason=f"Number {index}.",
                hint="Mend it.",
                opened_at=now - timedelta(hours=index // 2),  # two at the same moment
                last_seen_at=now,
                closed_at=None if index in (0, 5) else now,
            )
            session.add(row)
    return item.id


def test_incidents_are_listed_newest_first_and_filtered(deployment: str, url: str, platform: World) -> None:
    with Client(url, platform.token_of("viewer")) as client:
        assert [item.reason for item in client.incidents.list("sales")] == ["Number 0."]
        assert {item.reason for item in client.incidents.list("sales", state="all", limit=2)} == {
            "Number 0.",
            "Number 1.",
        }
        assert len(client.incidents.list(deployment, state="closed")) == 4
        assert {(item.deployment_name, item.code) for item in client.incidents.list()} == {
            ("sales", "import-errors"),
            (None, "disk-full"),
        }


def test_pages_neither_skip_nor_repeat(deployment: str, http: Http) -> None:
    client, seen = http("viewer"), list[str]()
    cursor: str | None = None
    while True:
        params: dict[str, str | int] = {"state": "all", "limit": 2}
        if cursor is not None:
            params["cursor"] = cursor
        page = client.get(f"/api/v1/deployments/{deployment}/incidents", params=params).json()
        seen += [item["id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert len(seen) == len(set(seen)) == 5


def test_a_made_up_cursor_and_an_unknown_deployment_are_problems(http: Http, deployment: str) -> None:
    client = http("viewer")
    assert client.get("/api/v1/incidents", params={"cursor": "bm9wZQ"}).status_code == 422
    assert client.get("/api/v1/deployments/nothing/incidents").status_code == 404
    assert http(None).get(f"/api/v1/deployments/{deployment}/incidents").status_code == 401


def test_the_pages_show_them(deployment: str, url: str, platform: World) -> None:
    cookies = {"aerodrome_session": platform.session_of("viewer").reveal()}
    with httpx2.Client(base_url=url, cookies=cookies, trust_env=False) as browser:
        health = browser.get(f"/deployments/{deployment}/health")
        assert health.status_code == 200
        assert health.text.count("Number 0.") == 1
        assert "Number 4." in health.text
        assert "Number 0." in browser.get(f"/deployments/{deployment}").text
        listed = browser.get("/deployments").text
        assert "1 incident" in listed
        assert "Number 5." in listed
