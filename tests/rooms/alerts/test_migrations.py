"""What goes wrong in a cutover reaches a web address: first cycles late or failed, waves stopped and halted, a broken fence, a DAG
that differs, an error budget that is spent.

If these break, a wave stops at night and nobody is woken.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest
from tests.rooms.alerts.conftest import Receiver
from tests.rooms.alerts.test_alerts import deliver
from tests.rooms.alerts.test_alerts import home as home  # noqa: PLC0414 - a fixture
from tests.rooms.migration.cutover.walking import wave
from tests.rooms.migration.cutover.world import World
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.migration.service.conftest import desk as desk  # noqa: PLC0414 - a fixture
from tests.rooms.web.conftest import platform as platform  # noqa: PLC0414 - a fixture
from tests.rooms.web.world import World as Platform

from aerodrome.access.actor import SYSTEM
from aerodrome.kernel.errors import Conflict
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.conducting import conduct
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.fencing import Fence
from aerodrome.migration.service.jobs import tell_ended
from aerodrome.migration.service.proofs import comparing, promoting
from aerodrome.migration.service.proofs.contract import ProofContext
from aerodrome.store import journal
from aerodrome.store.tables.migration import MigrationRow

MIG, WAVE = "mig_1", "wave-1"


def migration(platform: Platform, home: str) -> MigrationRow:
    row = MigrationRow(
        id=MIG, name="legacy", workspace_id=home, status="cutting-over", source={"kind": "airflow-db"}, found={},
        findings={}, waves=[WAVE], created_by="me", created_at=platform.clock.now(), updated_at=platform.clock.now(),
    )  # fmt: skip
    with platform.store.writing() as session:
        session.add(row)
        session.flush()
        session.expunge(row)
    return row


def walked(platform: Platform, world: World, row: MigrationRow, **policies: Any) -> StepContext:
    """Ask for the cutover of every DAG of a world."""
    unused = cast("Any", None)
    planned = {"name": WAVE, "criticality": "low", "canary": 0, "error_budget": 1, "dags": list(world.records)}
    with platform.store.writing() as session:
        steps = [step.as_data() for step in wave(world, **policies)]
        journal.open_track(session, row.id, f"cutover:{WAVE}", steps)
    return StepContext(
        migration_id=row.id, actor=unused, settings={"waves": [planned]}, folder=unused, fleet=unused, bundles=unused,
        clock=world.clock, open_source=lambda: unused, estate_digest="", source_config=unused, results={},
    )  # fmt: skip


def test_a_failed_first_cycle_a_stopped_wave_and_a_broken_fence_are_told(
    platform: Platform, home: str, receiver: Receiver
) -> None:
    platform.alerts.create(SYSTEM, "data", "on-call", Secret(receiver.url))
    world = World(more={"second": {}, "third": {}}, run_s=5)
    world.pass_time(130)
    world.news["second"].result = "failed"
    row = migration(platform, home)
    context = walked(platform, world, row)
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


def test_a_first_cycle_that_does_not_come_is_told(platform: Platform, home: str, receiver: Receiver) -> None:
    platform.alerts.create(SYSTEM, "data", "on-call", Secret(receiver.url))
    world = World(schedule="* * * * *", run_s=5)
    world.pass_time(70)
    world.on_call = lambda name: setattr(world.new, "is_running", name != "start.after" and world.new.is_running)
    row = migration(platform, home)
    context = walked(platform, world, row, watch_limit=90)
    ended = conduct(platform.store, context, f"cutover:{WAVE}", world.context())
    with platform.store.writing() as session:
        tell_ended(session, row, WAVE, ended)
    deliver(platform)
    assert receiver.types == ["migration.first-run-late", "migration.wave-stopped"]
    assert "has not started after 90 s" in receiver.told[0]["text"]


def test_a_dag_that_differs_and_an_error_budget_that_is_spent_are_told(
    platform: Platform, home: str, receiver: Receiver
) -> None:
    platform.alerts.create(SYSTEM, "data", "on-call", Secret(receiver.url))
    row = migration(platform, home)
    context = ProofContext(platform.migrations, row, "prf_1", {}, SYSTEM, {})
    report = {"deployment": "dev", "counts": {}, "rows": []}
    for dag_id, verdict, said in (("alike", "match", "Nothing."), ("sales", "mismatch", "load: rows 3, not 4.")):
        comparing.keep_report(context, {**report, "dag_id": dag_id, "verdict": verdict, "summary": said})
    promoting.refuse_spent(context, WAVE, 2, promoting.Watched(9, ("a",), ("a", "b")))  # two of two
    with pytest.raises(Conflict) as spent:
        promoting.refuse_spent(context, WAVE, 1, promoting.Watched(9, ("a",), ("a", "b")))
    assert spent.value.code == "promotion-budget-spent"
    deliver(platform)
    assert receiver.types == ["migration.parity-different", "migration.error-budget-spent"]
    assert [item["text"] for item in receiver.told] == [
        "legacy: sales does not do the same as in the source. load: rows 3, not 4.",
        "legacy: after the cutover of wave-1 more DAGs failed than the error budget of 1 allows: a, b",
    ]


@pytest.mark.airflow
def test_a_wave_that_somebody_pauses_is_told_and_again_while_nobody_listens(desk: Desk, receiver: Receiver) -> None:
    planned = desk.assessed().waves[0]
    platform = desk.platform
    platform.alerts.create(SYSTEM, "data", "on-call", Secret(receiver.url))
    receiver.status = 503
    desk.migrations.waves.halt(desk.actor(), NAME, planned, "month end")
    deliver(platform)
    assert receiver.told == []
    receiver.status = 200
    platform.clock.advance(timedelta(minutes=1))  # type: ignore[attr-defined]
    deliver(platform)
    assert receiver.types == ["migration.wave-halted"]
    assert receiver.told[0]["text"] == f"{NAME}: somebody paused {planned}. month end"
