"""A request that is sent twice with its key is done once, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import httpx2
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM
from aerodrome.kernel.clock import ManualClock
from aerodrome.store.tables.idempotency import IdempotentRequest
from aerodrome.web.api.deployments import NewDeploymentBody
from aerodrome.web.api.once import without_secrets

Connect = Callable[..., httpx2.Client]
KEY = {"Idempotency-Key": "wish-0001"}


def create(client: httpx2.Client, name: str, key: str = "wish-0001") -> httpx2.Response:
    return client.post("/api/v1/workspaces", json={"name": name}, headers={"Idempotency-Key": key})


def test_the_second_time_gives_the_first_answer(http: Connect, platform: World) -> None:
    admin = http("admin")
    first, second = create(admin, "sales"), create(admin, "sales")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert len(platform.fleet.list_workspaces(SYSTEM)) == 1
    assert create(admin, "sales", "wish-0002").status_code == 409


def test_a_key_stands_for_one_wish_of_one_person(http: Connect) -> None:
    admin, operator = http("admin"), http("operator")
    create(admin, "sales")
    other = create(admin, "marketing")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-key-reused")
    assert create(operator, "marketing").status_code == 201


def test_a_failed_request_may_be_sent_again(http: Connect) -> None:
    admin = http("admin")
    body = {"name": "nightly", "workspace": "sales"}
    assert admin.post("/api/v1/deployments", json=body, headers=KEY).status_code == 404
    create(admin, "sales", "another-key")
    assert admin.post("/api/v1/deployments", json=body, headers=KEY).status_code == 201


def test_what_a_dead_server_left_is_taken_over_after_a_minute(
    http: Connect, platform: World, clock: ManualClock
) -> None:
    admin = http("admin")
    create(admin, "sales")
    with platform.store.writing() as session:
        row = session.query(IdempotentRequest).one()
        row.answer = None  # as if the server had died before it could write the answer down
    waiting = create(admin, "sales")
    assert (waiting.status_code, waiting.json()["code"]) == (503, "request-running")
    assert waiting.headers["retry-after"] == "1"
    clock.advance(timedelta(seconds=61))
    assert create(admin, "sales").json()["code"] == "workspace-name-taken"


def test_many_at_once_do_it_once(http: Connect, platform: World) -> None:
    clients = [http("admin") for _ in range(6)]
    with ThreadPoolExecutor(6) as pool:
        statuses = list(pool.map(lambda client: create(client, "sales").status_code, clients))
    assert 201 in statuses
    assert set(statuses) <= {201, 503}
    assert len(platform.fleet.list_workspaces(SYSTEM)) == 1


def test_no_secret_is_kept_with_the_key(http: Connect, platform: World) -> None:
    admin = http("admin")
    create(admin, "sales", "another-key")
    body = {"name": "nightly", "workspace": "sales", "secret_env": {"PW": "canary-31"}}
    assert admin.post("/api/v1/deployments", json=body, headers=KEY).status_code == 201
    with platform.store.reading() as session:
        rows = session.query(IdempotentRequest).all()
        assert len(rows) == 2
        assert "canary-31" not in str([row.answer for row in rows])


def test_no_digest_is_kept_from_which_a_secret_could_be_guessed() -> None:
    wish = {"name": "shop", "workspace": "sales", "database": "existing"}
    first, second = (
        NewDeploymentBody.model_validate({**wish, "database_url": f"postgresql://x:{password}@h/a"})
        for password in ("sesame", "abracadabra")
    )
    assert without_secrets(first) == without_secrets(second)
    assert without_secrets(first) != without_secrets(NewDeploymentBody.model_validate(wish))
