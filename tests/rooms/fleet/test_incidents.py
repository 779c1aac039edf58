"""The watcher over real databases: incidents open and close with patience, once each, and survive restarts."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.access.actor import Actor
from aerodrome.fleet.incidents import journal
from aerodrome.fleet.incidents.contract import Limits
from aerodrome.fleet.incidents.watch import Watcher
from aerodrome.fleet.views import DeploymentView
from aerodrome.kernel.clock import ManualClock, to_text
from aerodrome.kernel.errors import NotFound
from aerodrome.store import outbox
from aerodrome.store.tables.deployment import DeploymentRow

LIMITS = Limits(disk_warning_share=0.0, disk_critical_share=0.0)  # the disk of the test machine is nobody's business

LIVELY = dict.fromkeys(("scheduler", "dag-processor", "triggerer"), "2026-03-02T00:00:00Z")


@pytest.fixture
def watcher(world: World) -> Watcher:
    return Watcher(world.context, world.root, LIMITS)


def healthy(world: World) -> DeploymentView:
    item = world.deployment("sales")
    world.look()
    return item


def measure(world: World, deployment_id: str, **pulse: Any) -> None:
    (world.runtime.root / f"{deployment_id}.measured").write_text(json.dumps({"heartbeats": LIVELY, **pulse}))


def pass_time(world: World, watcher: Watcher, seconds: float) -> None:
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(timedelta(seconds=seconds))
    watcher.look()


def codes(world: World, *, is_open: bool | None = True) -> list[str]:
    return [incident.code for incident in world.fleet.list_incidents(SYSTEM, is_open=is_open)]


def test_an_incident_opens_once_and_closes_when_calm(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id, import_error_count=1, import_errors=["/x/dags/broken.py"])
    watcher.look()
    assert codes(world) == []  # patience: it may be gone in a moment
    for _ in range(3):
        pass_time(world, watcher, 20)
    (incident,) = world.fleet.deployment_incidents(SYSTEM, "sales")
    assert (incident.code, incident.severity, incident.closed_at) == ("import-errors", "critical", None)
    assert incident.last_seen_at > incident.opened_at
    measure(world, item.id)
    pass_time(world, watcher, 20)
    assert codes(world) == ["import-errors"]
    pass_time(world, watcher, 40)
    assert codes(world) == []
    assert codes(world, is_open=False) == ["import-errors"]
    with world.store.reading() as session:
        told = [event.type for event in outbox.read(session, subject=item.id) if event.type.startswith("incident.")]
    assert told == ["incident.opened", "incident.closed"]


def test_a_watcher_that_starts_anew_opens_nothing_twice(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id, size_bytes=900 << 30)
    watcher.look()
    for _ in range(3):
        again = Watcher(world.context, world.root, LIMITS)
        pass_time(world, again, 20)
    assert codes(world, is_open=None) == ["database-large"]


def test_what_cannot_be_seen_stays_open(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id, size_bytes=900 << 30)
    watcher.look()
    measure(world, item.id, trouble="It does not answer.")
    for _ in range(5):
        pass_time(world, watcher, 20)
    assert sorted(codes(world)) == ["database-large", "database-silent"]


def test_hibernating_ends_what_was_wrong(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id, size_bytes=900 << 30)
    watcher.look()
    world.fleet.hibernate(SYSTEM, "sales")
    pass_time(world, watcher, 60)
    assert codes(world) == []


def test_a_deployment_that_went_away_takes_its_incidents_along(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id, size_bytes=900 << 30)
    watcher.look()
    world.fleet.delete_deployment(SYSTEM, "sales")
    world.look()
    watcher.look()
    assert codes(world, is_open=None) == []


def test_a_full_disk_of_the_platform_is_its_own_incident(world: World) -> None:
    Watcher(world.context, world.root, Limits(disk_warning_share=1.1)).look()
    (incident,) = world.fleet.list_incidents(SYSTEM)
    assert (incident.deployment_id, incident.code) == (None, "disk-full")


def test_a_schedule_that_nobody_keeps_is_told(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id)
    next_at = to_text(world.clock.now() - timedelta(hours=2))
    schedule = {
        "cron": "0 * * * *",
        "timezone": "Europe/Berlin",
        "keep": 3,
        "days": None,
        "verify": "each",
        "next_at": next_at,
    }
    with world.store.writing() as session:
        session.get_one(DeploymentRow, item.id).backup_schedule = schedule
    watcher.look()
    assert codes(world) == ["backup-overdue"]


def test_old_ones_go(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id, size_bytes=900 << 30)
    watcher.look()
    with world.store.writing() as session:
        assert journal.prune(session, world.clock.now() + timedelta(days=1)) == 0  # still open
    measure(world, item.id)
    pass_time(world, watcher, 60)
    with world.store.writing() as session:
        assert journal.prune(session, world.clock.now() + timedelta(days=1)) == 1
    assert codes(world, is_open=None) == []


def test_strangers_see_no_incidents(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id, size_bytes=900 << 30)
    watcher.look()
    stranger = Actor("usr_x", "stranger", "user", (("viewer", "workspace/ws_other"),))
    assert world.fleet.list_incidents(stranger) == []
    with pytest.raises(NotFound):
        world.fleet.deployment_incidents(stranger, "sales")


def test_what_was_measured_is_shown_in_words(world: World, watcher: Watcher) -> None:
    item = healthy(world)
    measure(world, item.id, task_instances={"running": 2}, dag_count=5)
    watcher.look()
    vitals = world.fleet.deployment_vitals(SYSTEM, item.id)
    assert vitals is not None
    facts = dict(vitals.facts)
    assert facts["Tasks now"] == "2 running, 0 queued, 0 scheduled"
    assert facts["DAGs"] == "5, 0 paused"
    assert [use.component for use in vitals.processes] == ["supervisor", "scheduler"]
