"""Databases, backups, sleep and settings over HTTP. Breaks for the command line and for whoever automates."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from tests.rooms.web.world import World

from aerodrome.store.tables.snapshot import SnapshotRow

Connect = Callable[..., httpx2.Client]
SHOP = "/api/v1/deployments/shop"


@pytest.fixture
def admin(http: Connect) -> httpx2.Client:
    client = http("admin")
    client.post("/api/v1/workspaces", json={"name": "sales"}).raise_for_status()
    client.post("/api/v1/deployments", json={"name": "shop", "workspace": "sales"}).raise_for_status()
    return client


def test_backups_and_their_schedule(admin: httpx2.Client) -> None:
    asked = admin.post(f"{SHOP}/backups", json={"description": "before the import"})
    assert (asked.status_code, asked.json()["status"]) == (202, "taking")
    listed = admin.get(f"{SHOP}/backups").json()["items"]
    assert [item["id"] for item in listed] == [asked.json()["id"]]
    refused = admin.post(f"{SHOP}/backups/{asked.json()['id']}/restore")
    assert (refused.status_code, refused.json()["code"]) == (409, "backup-not-kept")
    assert admin.get(f"{SHOP}/backup-schedule").json() is None
    wish = {"cron": "30 3 * * *", "timezone": "Europe/Berlin", "keep": 7}
    assert admin.put(f"{SHOP}/backup-schedule", json=wish).json()["next_at"]
    assert admin.put(f"{SHOP}/backup-schedule", json={"cron": "daily"}).json()["details"] == {"field": "cron"}
    assert admin.delete(f"{SHOP}/backup-schedule").status_code == 204
    assert admin.delete(f"{SHOP}/backups/{asked.json()['id']}").status_code == 204
    assert admin.get(f"{SHOP}/backups/{asked.json()['id']}").status_code == 404


def test_a_backup_becomes_another_deployment(admin: httpx2.Client, platform: World) -> None:
    backup = admin.post(f"{SHOP}/backups", json={}).json()["id"]
    refused = admin.post(f"{SHOP}/backups/{backup}/clone", json={"name": "shop-copy"})
    assert (refused.status_code, refused.json()["code"]) == (409, "backup-not-kept")
    with platform.store.writing() as session:
        session.get_one(SnapshotRow, backup).status = "kept"  # as the worker would
    taken = admin.post(f"{SHOP}/backups/{backup}/clone", json={"name": "shop"})
    assert taken.json()["code"] == "deployment-name-taken"
    act = admin.post(f"{SHOP}/backups/{backup}/clone", json={"name": "shop-copy"})
    assert (act.status_code, act.json()["kind"]) == (202, "clone")
    copy = admin.get("/api/v1/deployments/shop-copy").json()
    assert (copy["id"], copy["database"]) == (act.json()["deployment_id"], "sqlite")
    assert [step["title"] for step in act.json()["steps"]][-1] == "Pause all DAGs, end unfinished runs"


def test_sleep_schedules_and_overrides(admin: httpx2.Client) -> None:
    made = admin.post(f"{SHOP}/schedules", json={"hibernate": "0 19 * * 1-5", "timezone": "Europe/Berlin"})
    assert made.status_code == 201
    slept = admin.post(f"{SHOP}/hibernate", json={"for_s": 3600, "drain_s": 5}).json()
    assert (slept["desired"], slept["drain_s"]) == ("hibernated", 5)
    life = admin.get(f"{SHOP}/life").json()
    assert (life["override"], life["next_action"]) == ("hibernated", "wake")
    naive = admin.post(f"{SHOP}/wake", json={"until": "2030-01-01T00:00:00"})
    assert naive.json()["code"] == "until-without-zone"
    path = f"{SHOP}/schedules/{made.json()['id']}"
    assert admin.patch(path, json={"is_enabled": False}).json()["next_hibernate_at"] is None
    assert admin.delete(path).status_code == 204


def test_a_database_url_is_never_given_back(admin: httpx2.Client) -> None:
    url = "postgresql://u:canary-7731@127.0.0.1:9/none"
    answer = admin.post(f"{SHOP}/database", json={"kind": "existing", "url": url})
    assert (answer.status_code, answer.json()["code"]) == (503, "database-unreachable")
    body = {"name": "other", "workspace": "sales", "database": "existing", "database_url": url}
    assert admin.post("/api/v1/deployments", json=body).json()["code"] == "database-unreachable"
    assert "canary-7731" not in answer.text
    assert admin.get(f"{SHOP}/acts").json() == []
    same = admin.post(f"{SHOP}/database", json={"kind": "sqlite"})
    assert same.json()["code"] == "database-same-kind"


def test_settings_name_the_wrong_field(admin: httpx2.Client) -> None:
    changed = admin.patch(SHOP, json={"pools": {"dwh": 3}, "log_retention_days": 30, "upkeep": {"clean_days": 365}})
    assert (changed.json()["pools"], changed.json()["upkeep"]) == ({"dwh": 3}, {"clean_days": 365})
    wrong = admin.patch(SHOP, json={"config": {"core.max_active_runs_per_dag": "many"}})
    assert wrong.json()["details"] == {"field": "config.core.max_active_runs_per_dag"}
    assert [item["name"] for item in admin.get("/api/v1/deployments?status=creating").json()["items"]] == ["shop"]
    assert admin.patch("/api/v1/workspaces/sales", json={"name": "shops"}).json()["name"] == "shops"
    assert admin.delete("/api/v1/workspaces/shops").json()["code"] == "workspace-not-empty"
