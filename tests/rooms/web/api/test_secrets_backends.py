"""Secrets backends over HTTP, on both databases: values and credentials go in and never come out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from tests.rooms.secretstores.servers.vault import ROOT, VaultServer, vault_server
from tests.rooms.web.world import World

from aerodrome.kernel.secret import Secret

Connect = Callable[..., httpx2.Client]
API = "/api/v1/secrets-backends"


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with vault_server() as server:
        yield server


@pytest.fixture
def admin(http: Connect, vault: VaultServer) -> httpx2.Client:
    client = http("admin")
    for workspace in ("sales", "other"):
        client.post("/api/v1/workspaces", json={"name": workspace}).raise_for_status()
    client.post("/api/v1/deployments", json={"name": "nightly", "workspace": "sales"}).raise_for_status()
    client.post(API, json=wish(vault)).raise_for_status()
    return client


def wish(vault: VaultServer, **more: str) -> dict[str, Any]:
    known: dict[str, Any] = {"workspace": "sales", "name": "team", "kind": "vault"}
    return {**known, "settings": {"url": vault.url}, "credentials": {"token": ROOT}, **more}


def test_a_backend_is_registered_probed_changed_and_forgotten(
    admin: httpx2.Client, vault: VaultServer, platform: World
) -> None:
    shown = admin.get(f"{API}/team").json()
    assert (shown["kind"], shown["credentials"], shown["probe"]) == ("vault", ["token"], None)
    probe = admin.post(f"{API}/team/probe").json()
    assert probe["is_ok"]
    assert admin.get(f"{API}/team").json()["probe"]["is_ok"]
    vault.policies["hvs.canary-weak"] = {"secret/metadata/*": ("list",)}
    change = {"credentials": {"token": "hvs.canary-weak"}, "settings": {"auth_mount": None}}
    assert admin.patch(f"{API}/team", json=change).json()["probe"] is None
    checks = admin.post(f"{API}/team/probe").json()["checks"]
    assert [check["is_ok"] for check in checks[:2]] == [True, False]
    assert checks[1]["permission"] == 'the capability "read"'
    assert checks[1]["resource"] == "secret/data/connections/aerodrome-probe"
    assert admin.delete(f"{API}/team").status_code == 204
    assert admin.get(f"{API}/team").status_code == 404
    events = admin.get("/api/v1/audit").text
    assert "secrets-backend.deleted" in events
    assert "canary" not in events + admin.get("/api/v1/events").text


def test_values_are_written_listed_by_name_and_deleted(admin: httpx2.Client, vault: VaultServer) -> None:
    value = {"kind": "connection", "name": "warehouse", "value": '{"conn_type": "postgres", "password": "canary-v"}'}
    assert admin.put(f"{API}/team/values", json=value).status_code == 204
    assert admin.put(f"{API}/team/values", json={"kind": "variable", "name": "a b", "value": "x"}).status_code == 422
    nonsense = admin.put(f"{API}/team/values", json={**value, "value": "canary nonsense"})
    assert (nonsense.status_code, nonsense.json()["code"]) == (422, "connection-unreadable")
    names = admin.get(f"{API}/team/names")
    assert names.json() == {"connections": ["warehouse"], "variables": []}
    assert vault.versions["secret", "connections/warehouse"] == [{"conn_type": "postgres", "password": "canary-v"}]
    everything = names.text + nonsense.text + admin.get("/api/v1/audit").text + admin.get(API).text
    assert "canary" not in everything
    for _ in range(2):
        gone = admin.delete(f"{API}/team/values", params={"kind": "connection", "name": "warehouse"})
        assert gone.status_code == 204
    assert admin.get(f"{API}/team/names").json()["connections"] == []


def test_a_deployment_asks_a_backend_of_its_own_workspace(admin: httpx2.Client, vault: VaultServer) -> None:
    path = "/api/v1/deployments/nightly/secrets-backend"
    before = admin.get("/api/v1/deployments/nightly").json()["generation"]
    assert admin.get(path).json() == {"backend": None}
    assert admin.put(path, json={"backend": "team"}).json()["backend"]["deployments"] == ["nightly"]
    assert admin.get("/api/v1/deployments/nightly").json()["generation"] == before + 1
    in_use = admin.delete(f"{API}/team")
    assert (in_use.status_code, in_use.json()["code"]) == (409, "backend-in-use")
    elsewhere = admin.post(API, json=wish(vault, workspace="other", name="theirs"))
    refused = admin.put(path, json={"backend": elsewhere.json()["id"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "backend-other-workspace")
    assert admin.delete(path).status_code == 204
    assert admin.delete(f"{API}/team").status_code == 204


def test_mistakes_name_the_field(admin: httpx2.Client, vault: VaultServer) -> None:
    taken = admin.post(API, json=wish(vault))
    assert (taken.status_code, taken.json()["code"]) == (409, "backend-name-taken")
    unknown = admin.post(API, json=wish(vault, kind="shoebox", name="x"))
    assert (unknown.status_code, unknown.json()["code"]) == (422, "backend-kind-unknown")
    wrong = admin.post(API, json={**wish(vault, name="x"), "settings": {"url": vault.url, "token": "canary"}})
    assert (wrong.status_code, wrong.json()["details"]["field"]) == (422, "token")
    assert "canary" not in wrong.text
    kinds = {kind["name"]: kind for kind in admin.get(f"{API}/kinds").json()}
    assert len(kinds) == 5
    vault.is_sealed = True
    assert admin.get(f"{API}/team/names").status_code == 503


def test_who_may_only_look_changes_nothing(admin: httpx2.Client, http: Connect, vault: VaultServer) -> None:
    viewer = http("viewer")
    assert viewer.get(f"{API}/team").status_code == 200
    for answer in (
        viewer.post(API, json=wish(vault, name="x")),
        viewer.patch(f"{API}/team", json={}),
        viewer.post(f"{API}/team/probe"),
        viewer.put(f"{API}/team/values", json={"kind": "variable", "name": "a", "value": "x"}),
        viewer.delete(f"{API}/team"),
        viewer.put("/api/v1/deployments/nightly/secrets-backend", json={"backend": "team"}),
    ):
        assert answer.status_code == 403, answer.text


def test_a_request_sent_again_registers_once(admin: httpx2.Client, vault: VaultServer, platform: World) -> None:
    headers = {"Idempotency-Key": "key-00000001"}
    first = admin.post(API, json=wish(vault, name="again"), headers=headers)
    second = admin.post(API, json=wish(vault, name="again"), headers=headers)
    assert first.json() == second.json()
    assert Secret(ROOT).reveal() not in first.text
    with platform.store.reading() as session:
        from sqlalchemy import text

        kept = str(session.execute(text("select * from idempotent_request")).all())
    assert ROOT not in kept
