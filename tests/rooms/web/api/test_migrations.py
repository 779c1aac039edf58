"""A migration over HTTP and the client, up to what needs a running target."""

from __future__ import annotations

from collections.abc import Callable

import httpx2
import pytest
from tests.rooms.migration.service.conftest import NAME, Desk, desk  # noqa: F401 - a fixture

from aerodrome.client.client import Client
from aerodrome.client.migrations import NewSource
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound

pytestmark = pytest.mark.airflow


@pytest.fixture
def client(desk: Desk, url: str) -> Client:  # noqa: F811
    desk.platform.fleet.create_workspace(desk.actor("admin"), "data")
    return Client(url, desk.platform.token_of("operator"))


def new_source(desk: Desk) -> NewSource:  # noqa: F811
    source = desk.source()
    return NewSource(
        database_url=source.database_url,
        dags_folder=source.dags_folder,
        fernet_keys=source.fernet_keys,
        plugins_folder=source.plugins_folder,
    )


def test_a_client_goes_from_connect_to_a_saved_plan(desk: Desk, client: Client) -> None:  # noqa: F811
    with client:
        made = client.migrations.connect(NAME, "data", new_source(desk))
        assert made.status == "connected"
        assert client.migrations.assess(NAME).is_busy
        desk.work()
        seen = client.migrations.watch(NAME, lambda _seen: None, timeout_s=5)
        assert (seen.status, seen.source_version) == ("planned", "2.11.2")
        plan = client.migrations.plan(NAME)
        assert isinstance(plan["notes"], list)
        kept = client.migrations.save_plan(NAME, plan["text"].replace("parallelism: 4", "parallelism: 2"))
        assert kept["digest"] != plan["digest"]
        with pytest.raises(Conflict) as stale:
            client.migrations.apply(NAME, plan["digest"])
        assert stale.value.code == "plan-stale"
        with pytest.raises(Invalid, match="parallelism"):
            client.migrations.save_plan(NAME, plan["text"].replace("parallelism: 4", "parallelism: x"))
        assert next(client.migrations.dry_run(NAME))["track"] == "apply"
        assert client.migrations.assessment(NAME)["findings"]
        assert client.migrations.report(NAME)["status"] == "planned"
        with pytest.raises(NotFound) as never:
            client.migrations.difference(NAME)
        with pytest.raises(NotFound) as unknown:
            client.migrations.ask_difference(NAME, ["no_such_dag"])
        with pytest.raises(Conflict) as early:
            client.migrations.ask_difference(NAME)
        assert [error.value.code for error in (never, unknown, early)] == [
            "comparison-missing", "dag-unknown", "target-unknown",
        ]  # fmt: skip


def test_a_client_looks_at_the_code_and_rejects_a_file(desk: Desk, client: Client) -> None:  # noqa: F811
    with client:
        client.migrations.connect(NAME, "data", new_source(desk))
        client.migrations.assess(NAME)
        desk.work()
        assert client.migrations.review_code(NAME)["status"] == "asked"
        desk.work()
        assert client.migrations.code_review(NAME) == {"status": "done", "error": None}
        changed = [file["path"] for file in client.migrations.code(NAME)["files"] if file["diff"]]
        plan = client.migrations.decide_code(NAME, changed[:1])
        assert plan["digest"] == client.migrations.plan(NAME)["digest"]
        assert client.migrations.code(NAME)["rejected"] == changed[:1]
        with pytest.raises(Invalid) as caught:
            client.migrations.decide_code(NAME, ["nowhere.py"])
        assert caught.value.code == "code-file-unknown"


def test_the_way_back_says_what_it_cannot_do(desk: Desk, client: Client) -> None:  # noqa: F811
    with client:
        client.migrations.connect(NAME, "data", new_source(desk))
        client.migrations.assess(NAME)
        desk.work()
        wave = client.migrations.get(NAME).waves[0]
        for ask in (
            lambda: client.migrations.roll_back(NAME, wave),
            lambda: list(client.migrations.roll_back_steps(NAME, wave, None)),
        ):
            with pytest.raises(Conflict) as caught:
                ask()
            assert caught.value.code == "nothing-to-roll-back"
        with pytest.raises(Invalid):
            client.migrations.roll_back(NAME, "")


def test_nothing_secret_leaves_and_viewers_only_read(
    desk: Desk,  # noqa: F811
    client: Client,
    url: str,
    http: Callable[..., httpx2.Client],
) -> None:
    with client:
        client.migrations.connect(NAME, "data", new_source(desk))
    assert desk.legacy.fernet_key not in http("admin").get("/api/v1/migrations").text
    with Client(url, desk.platform.token_of("viewer")) as viewer:
        assert viewer.migrations.get(NAME).status == "connected"
        for forbidden in (viewer.migrations.assess, viewer.migrations.apply):
            with pytest.raises(Denied):
                forbidden(NAME)
        with pytest.raises(Denied):
            viewer.migrations.roll_back(NAME, "wave-1")
