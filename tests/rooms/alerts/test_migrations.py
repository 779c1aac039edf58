"""What goes wrong in a cutover reaches a web address: a failed first cycle, a stopped and a halted wave, a broken fence.

If these break, a wave stops at night and nobody is woken.
"""

from __future__ import annotations

from typing import Any, cast

from tests.rooms.alerts.conftest import Receiver
from tests.rooms.alerts.test_alerts import deliver
from tests.rooms.alerts.test_alerts import home as home  # noqa: PLC0414 - a fixture
from tests.rooms.migration.cutover.world import DAG, World, wave
from tests.rooms.web.conftest import platform as platform  # noqa: PLC0414 - a fixture
from tests.rooms.web.world import World as Platform

from aerodrome.access.actor import SYSTEM
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.conducting import conduct
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.fencing import Fence
from aerodrome.migration.service.jobs import tell_ended
from aerodrome.store import journal
from aerodrome.store.tables.migration import MigrationRow

MIG, WAVE = "mig_1", "wave-1"


def test_a_failed_first_cycle_a_stopped_wave_and_a_broken_fence_are_told(
    platform: Platform, home: str, receiver: Receiver
) -> None:
    platform.alerts.create(SYSTEM, "data", "on-call", Secret(receiver.url))
    world = World(more={"second": {}, "third": {}}, run_s=5)
    world.pass_time(130)
    world.news["second"].result = "failed"
    row = MigrationRow(
        id=MIG, name="legacy", workspace_id=home, status="cutting-over", source={"kind": "airflow-db"}, found={},
        findings={}, waves=[WAVE], created_by="me", created_at=platform.clock.now(), updated_at=platform.clock.now(),
    )  # fmt: skip
    unused = cast("Any", None)
    planned = {"name": WAVE, "criticality": "low", "canary": 0, "error_budget": 1, "dags": [DAG, "second", "third"]}
    context = StepContext(
        migration_id=MIG, actor=unused, settings={"waves": [planned]}, folder=unused, fleet=unused, bundles=unused,
        clock=world.clock, open_source=lambda: unused, estate_digest="", source_config=unused, results={},
    )  # fmt: skip
    with platform.store.writing() as session:
        session.add(row)
        journal.open_track(session, MIG, f"cutover:{WAVE}", [step.as_data() for step in wave(world)])
        session.flush()
        session.expunge(row)
    ended = conduct(platform.store, context, f"cutover:{WAVE}", world.context())
    with platform.store.writing() as session:
        tell_ended(session, row, WAVE, ended)
    deliver(platform)
    assert receiver.types == ["migration.first-run-failed", "migration.wave-stopped"]
    assert receiver.told[0]["data"]["dag_id"] == "second"
    assert receiver.told[1]["text"] == "legacy: wave-1 stopped, 1 DAGs failed: second"

    world.olds["third"].is_paused = False  # by hand
    world.pass_time(60)
    sides = world.context()
    scope = f"workspace/{home}/migration/{MIG}"
    Fence(platform.store, MIG, scope, cast("Any", sides.source), sides.target, sides.mark, "pause").look(
        world.clock.now()
    )
    deliver(platform)
    assert receiver.types[2:] == ["migration.split-brain"]
    assert receiver.told[2]["text"] == "third of wave-1 was active on both sides"
