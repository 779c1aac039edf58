"""Environment objects over HTTP, through the client and on pages; no secret value in any answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx2
import pytest
from tests.rooms.web.world import World

from aerodrome.client.client import Client
from aerodrome.kernel.errors import Conflict, Denied, Invalid
from aerodrome.kernel.secret import MASK, Secret
from aerodrome.web.credentials import SESSION_COOKIE

Connect = Callable[..., httpx2.Client]
CANARY = "canary-over-http"


@pytest.fixture
def client(url: str, platform: World) -> Iterator[Client]:
    with Client(url, platform.token_of("admin")) as client:
        client.workspaces.create("data")
        client.deployments.create("sales", "data")
        yield client


def test_the_life_of_a_connection(client: Client, http: Connect, platform: World) -> None:
    environment = client.environment
    uri = Secret(f"postgresql://etl:{CANARY}@db.internal:5432/sales?sslmode=require&api_key={CANARY}2")
    made = environment.put("connection", "warehouse", workspace="data", uri=uri, description="Sales")
    assert made.fields == {
        "conn_type": "postgres", "host": "db.internal", "port": 5432, "schema": "sales", "login": "etl", "password": MASK,
        "extra.sslmode": "require", "extra.api_key": MASK,
    }  # fmt: skip
    linked = environment.link(made.id, "sales", {"host": "dev", "password": Secret(CANARY + "3")})
    assert linked.links[0].fields == {"host": "dev", "password": MASK}
    (effective,) = environment.effective("sales").items
    assert (effective.fields["host"], effective.overridden) == ("dev", ("host", "password"))
    environment.put("connection", "warehouse", {"host": "db2"}, workspace="data")
    assert [version.number for version in environment.history(made.id)] == [3, 2, 1]
    assert environment.restore(made.id, 1).fields["host"] == "db.internal"
    assert environment.delete(made.id).is_deleted
    assert environment.list(workspace="data") == []
    environment.restore(made.id, 2)
    assert environment.unlink(made.id, "sales").links == ()
    assert not environment.link_all(made.id, is_auto_linked=False).is_auto_linked

    # every page and every answer, also those with mistakes, shows no value
    answers = http("admin")
    page = http(None, Cookie=f"{SESSION_COOKIE}={platform.session_of('admin').reveal()}")
    paths = ("", "?kind=variable", "?q=nothing", "/new?kind=connection", "/import", f"/{made.id}")
    texts = [page.get(f"/environment{path}") for path in paths]
    texts.append(page.get("/deployments/sales/environment"))
    texts += [answers.get(f"/api/v1/{path}") for path in ("audit", "events", "jobs", "environment-objects")]
    bad = {"workspace": "data", "kind": "connection", "name": "w", "fields": {"port": CANARY, "conn_type": "http"}}
    texts.append(answers.put("/api/v1/environment-objects", json=bad))
    texts.append(answers.put("/api/v1/environment-objects", json={**bad, "secrets": {"password": [CANARY]}}))
    assert [answer.status_code for answer in texts] == [200] * 11 + [422, 422]
    assert all(CANARY not in answer.text for answer in texts)


def test_files_come_and_go(client: Client, url: str, platform: World) -> None:
    text = Secret('{"token": {"value": "' + CANARY + '", "description": "a token"}, "n": 5}')
    dry = client.environment.import_text("variable", "json", text, workspace="data", is_dry_run=True)
    assert dry.counts == {"new": 2}
    assert client.environment.list() == []
    client.environment.import_text("variable", "json", text, workspace="data")
    with pytest.raises(Conflict, match="there already"):
        client.environment.import_text("variable", "json", text, workspace="data")
    assert CANARY not in client.environment.export("variable", "json", workspace="data").reveal()
    assert CANARY in client.environment.export("variable", "json", workspace="data", with_secrets=True).reveal()
    with pytest.raises(Invalid, match="no JSON"):
        client.environment.import_text("variable", "json", Secret('{"a": '), workspace="data")
    with Client(url, platform.token_of("operator")) as operator, pytest.raises(Denied):
        operator.environment.export("variable", "json", workspace="data", with_secrets=True)
    revealed = [entry for entry in client.records.audit() if entry.action == "environment.reveal"]
    assert [entry.details["names"] for entry in revealed] == [["n", "token"]]


def test_blanks_in_a_secret_are_kept(client: Client) -> None:
    client.environment.put("variable", "padded", {"value": Secret("  x \n")}, workspace="data")
    assert "  x \\n" in client.environment.export("variable", "json", workspace="data", with_secrets=True).reveal()
