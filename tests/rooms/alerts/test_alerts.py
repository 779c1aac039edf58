"""Channels end to end: what happens is told to a real web address, once, in order, and again when it does not answer.

If these break, a wave stops at night and nobody is woken.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from tests.rooms.alerts.conftest import Receiver
from tests.rooms.web.conftest import http as http  # noqa: PLC0414 - a fixture
from tests.rooms.web.conftest import platform as platform  # noqa: PLC0414 - a fixture
from tests.rooms.web.conftest import url as url  # noqa: PLC0414 - a fixture
from tests.rooms.web.world import World

from aerodrome.access.actor import SYSTEM
from aerodrome.alerts.contract import DEFAULT_EVENTS, EVENTS
from aerodrome.alerts.delivery import JOB, LOOK_EVERY, PAUSES_S, Delivery, sentence
from aerodrome.client.client import Client
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.store import jobs, outbox


@pytest.fixture
def home(platform: World) -> str:
    return platform.fleet.create_workspace(SYSTEM, "data").id


def happen(platform: World, type_: str, subject: str, **data: Any) -> None:
    with platform.store.writing() as session:
        outbox.emit(session, type_, subject, data, "system")


def deliver(platform: World) -> None:
    """Look, as the worker does, until nothing is due."""
    secrets = platform.migrations.secrets
    delivery = Delivery(platform.store, secrets, platform.clock)
    delivery.ask()
    for _ in range(3):
        job = jobs.lease(platform.store, platform.clock, "test", 60, {JOB})
        if job is None:
            return
        jobs.finish(platform.store, job, look_again_at=delivery.look(job))


def test_what_needs_somebody_is_told_and_only_that_of_the_workspace(
    platform: World, home: str, receiver: Receiver
) -> None:
    happen(platform, "migration.failed", f"workspace/{home}/migration/mig_0", name="old", code="before")
    platform.alerts.create(SYSTEM, "data", "on-call", Secret(receiver.url))
    mine = f"workspace/{home}/migration/mig_1"
    happen(platform, "migration.wave-stopped", mine, name="legacy", wave="wave-1", failed=2, dags=["a", "b"])
    happen(platform, "migration.track-done", mine, name="legacy", track="apply")  # nobody has to do anything
    happen(platform, "migration.plan-saved", mine, name="legacy")
    happen(platform, "migration.failed", "workspace/ws_other/migration/mig_2", name="theirs", code="x")
    happen(platform, "incident.opened", "dep_1", workspace_id=home, reason="The scheduler is silent.")
    deliver(platform)
    assert receiver.types == ["migration.wave-stopped", "incident.opened"]
    assert receiver.told[0]["text"] == "legacy: wave-1 stopped, 2 DAGs failed: a, b"
    assert receiver.told[0]["data"]["wave"] == "wave-1"
    assert "The scheduler is silent." in receiver.told[1]["text"]
    deliver(platform)
    assert len(receiver.told) == 2  # once
    assert [item.status for item in platform.alerts.deliveries(SYSTEM, "on-call")] == ["sent", "sent"]


def test_a_receiver_that_does_not_answer_is_tried_again_and_then_given_up(
    platform: World, home: str, receiver: Receiver, clock: ManualClock
) -> None:
    platform.alerts.create(SYSTEM, "data", "chat", Secret(receiver.url), ["migration.*"])
    receiver.status = 503
    happen(platform, "migration.track-done", f"workspace/{home}/migration/mig_1", name="legacy", track="apply")
    deliver(platform)
    (waiting,) = platform.alerts.deliveries(SYSTEM, "chat")
    assert (waiting.status, waiting.attempts, waiting.error) == ("waiting", 1, "It answered 503.")
    clock.advance(timedelta(seconds=PAUSES_S[0]) + LOOK_EVERY)
    receiver.status = 204
    deliver(platform)
    assert receiver.types == ["migration.track-done"]
    receiver.status = 500
    happen(platform, "migration.track-done", f"workspace/{home}/migration/mig_1", name="legacy", track="cutover:w")
    for pause in (0, *PAUSES_S):
        clock.advance(timedelta(seconds=pause) + LOOK_EVERY)
        deliver(platform)
    newest = platform.alerts.deliveries(SYSTEM, "chat")[0]
    assert (newest.status, newest.attempts) == ("failed", len(PAUSES_S) + 1)


def test_the_way_over_api_and_client_and_the_address_stays_hidden(
    platform: World, url: str, home: str, receiver: Receiver, http: Callable[..., httpx2.Client]
) -> None:
    with Client(url, platform.token_of("operator")) as client:
        made = client.alerts.create("data", "on-call", Secret(receiver.url))
        assert tuple(made.events) == DEFAULT_EVENTS
        assert "canary" not in made.label
        with pytest.raises(Conflict):
            client.alerts.create("data", "on-call", Secret(receiver.url))
        for name, address, events, code in (
            ("other", "ftp://example.org", (), "alert-url-invalid"),
            ("other", "http://[", (), "alert-url-invalid"),
            ("other", receiver.url, ("nothing.*",), "alert-event-unknown"),
            ("a b", receiver.url, (), "alert-name-invalid"),
        ):
            with pytest.raises(Invalid) as caught:
                client.alerts.create("data", name, Secret(address), events)
            assert caught.value.code == code
        client.alerts.test("on-call")
        deliver(platform)
        assert receiver.types == ["alert.test"]
        assert [item.status for item in client.alerts.deliveries("on-call")] == ["sent"]
    with Client(url, platform.token_of("viewer")) as viewer:
        assert [item.name for item in viewer.alerts.list()] == ["on-call"]
        with pytest.raises(Denied):
            viewer.alerts.delete("on-call")
    said = http("admin").get("/api/v1/audit").text + http("admin").get("/api/v1/alert-channels").text
    assert "on-call" in said
    assert "canary-hook" not in said
    with Client(url, platform.token_of("operator")) as client:
        client.alerts.delete(made.id)
        with pytest.raises(NotFound):
            client.alerts.deliveries(made.id)
    with pytest.raises(NotFound):
        platform.migrations.secrets.get(f"alert/{made.id}/url")


def test_the_migration_room_knows_the_channels_of_its_target(platform: World, home: str, receiver: Receiver) -> None:
    deployment = platform.fleet.create_deployment(SYSTEM, NewDeployment("etl", home, airflow_version="3.3.2"))
    platform.alerts.create(SYSTEM, "data", "waves", Secret(receiver.url), ["migration.wave-*"])
    assert list(platform.migrations.alert_channels(deployment.id)) == []
    platform.alerts.create(SYSTEM, "data", "on-call", Secret(receiver.url))
    assert list(platform.migrations.alert_channels(deployment.id)) == ["on-call"]


def test_every_event_has_a_sentence_whatever_it_tells() -> None:
    for type_ in EVENTS:
        assert sentence(type_, {})
        filled = sentence(type_, {"name": "x", "reason": "{y}", "dags": ["a", "b"]})
        assert "{" not in filled.replace("{y}", "")  # what an event tells is no template
