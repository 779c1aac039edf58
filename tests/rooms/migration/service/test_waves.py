"""Waves in the store, and the fence. If these break, a board tells what is not true, or double activity goes unseen."""

from __future__ import annotations

from typing import Any, cast

import pytest
from tests.rooms.migration.cutover.side import DAG
from tests.rooms.migration.cutover.walking import wave
from tests.rooms.migration.cutover.world import World

from aerodrome.kernel.clock import ManualClock
from aerodrome.migration.service import boards, controls
from aerodrome.migration.service.conducting import conduct, limits_of
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.fencing import Fence
from aerodrome.store import Store, journal
from aerodrome.store.tables.migration import MigrationRow
from aerodrome.store.tables.workspace import WorkspaceRow

MIG, WAVE = "mig_1", "wave-1"
TRACK = f"cutover:{WAVE}"
PLANNED = [{"name": WAVE, "criticality": "low", "canary": 0, "error_budget": 0, "dags": [DAG, "second", "third"]}]


@pytest.fixture
def row(store: Store, clock: ManualClock) -> MigrationRow:
    """A migration whose wave is being cut over."""
    with store.writing() as session:
        session.add(
            WorkspaceRow(
                id="wsp_1", name="data", description="", created_at=clock.now(), updated_at=clock.now(), version=1
            )
        )
        session.flush()
        row = MigrationRow(
            id=MIG, name="legacy", workspace_id="wsp_1", status="cutting-over", source={"kind": "airflow-db"}, found={},
            findings={}, waves=[WAVE], created_by="me", created_at=clock.now(), updated_at=clock.now(),
        )  # fmt: skip
        session.add(row)
    return row


def walk(store: Store, world: World, **settings: Any) -> str:
    unused = cast("Any", None)
    context = StepContext(
        migration_id=MIG, actor=unused, settings={"waves": [{**PLANNED[0], **settings}]}, folder=unused, fleet=unused,
        bundles=unused, clock=world.clock, open_source=lambda: unused, estate_digest="", source_config=unused, results={},
    )  # fmt: skip
    with store.writing() as session:
        journal.open_track(session, MIG, TRACK, [step.as_data() for step in wave(world)])
    return conduct(store, context, TRACK, world.context()).how


def three() -> World:
    world = World(more={"second": {}, "third": {}}, run_s=5)
    world.pass_time(130)
    return world


def test_the_board_and_the_timeline_tell_what_the_journal_holds(store: Store, row: MigrationRow) -> None:
    world = three()
    with store.reading() as session:
        assert boards.waves(session, row, PLANNED)[0].status == "waiting"
    world.news["second"].result = "failed"
    assert walk(store, world, error_budget=1) == "failed"
    with store.reading() as session:
        seen = boards.waves(session, row, PLANNED)[0]
        dags = {dag.dag_id: dag for dag in boards.timeline(session, row, WAVE)}
    assert (seen.live, seen.watched, seen.held, seen.failed, seen.status) == (3, 2, 0, 1, "running")
    assert (dags[DAG].state, dags["second"].state, dags["second"].act) == ("watched", "failed", "watch")
    assert dags["second"].error is not None
    assert dags["second"].error["code"] == "first-run-failed"
    gap = dags[DAG].gap_s
    assert gap is not None
    assert 0 < gap < 60
    row.status = "failed"
    with store.reading() as session:
        assert boards.waves(session, row, PLANNED)[0].status == "failed"


def test_a_halted_wave_says_who_and_goes_on_afterwards(store: Store, row: MigrationRow) -> None:
    world = three()
    with store.writing() as session:
        controls.set_halted(session, MIG, WAVE, "ann", "month end", is_halted=True)
    assert walk(store, world) == "halted"
    assert not any(side.is_paused for side in world.olds.values())
    row.status = "applied"
    with store.reading() as session:
        seen = boards.waves(session, row, PLANNED)[0]
    assert (seen.status, seen.halted_by, seen.halted_reason) == ("halted", "ann", "month end")
    with store.writing() as session:
        controls.set_halted(session, MIG, WAVE, "ann", is_halted=False)
    assert walk(store, world) == "done"
    with store.reading() as session:
        assert boards.waves(session, row, PLANNED)[0].status == "done"


def test_limits_come_from_the_plan() -> None:
    settings = {
        "lanes": {"held": 7, "source_per_s": 2, "target_per_s": 3},
        "waves": [{"name": "w", "canary": 4, "error_budget": 5}],
    }
    found = limits_of(settings, "cutover:w")
    assert (found.held, found.source_per_s, found.target_per_s, found.canary, found.error_budget) == (7, 2, 3, 4, 5)
    assert limits_of(settings, "rollback:w").error_budget > 1000  # what can go back goes back


@pytest.mark.usefixtures("row")
@pytest.mark.parametrize("policy", ["pause", "alarm"])
def test_the_fence_tells_who_was_active_on_both_sides(store: Store, policy: str) -> None:
    world = three()
    assert walk(store, world) == "done"
    sides = world.context()
    fence = Fence(store, MIG, "workspace/wsp_1", cast("Any", sides.source), sides.target, sides.mark, policy)

    def found() -> list[boards.SplitBrain]:
        with store.reading() as session:
            return list(boards.split_brains(session, MIG))

    assert fence.look(world.clock.now()) == 3
    assert found() == []
    world.olds["second"].is_paused = False  # by hand
    world.pass_time(1300)
    fence.look(world.clock.now())
    first = found()[0]
    assert (first.dag_id, first.wave, len(found())) == ("second", WAVE, 1)
    assert first.seen_whole_at < first.noticed_at
    assert len(first.source_runs) == 3
    assert first.doubled == first.source_runs  # the target ran those intervals as well: told, not hidden
    if policy == "pause":
        assert (first.action, first.ended_at) == ("paused-again", world.clock.now())
        assert world.olds["second"].is_paused
    else:
        assert (first.action, first.ended_at) == ("alarm", None)
        assert not world.olds["second"].is_paused
        world.olds["second"].is_paused = True
        world.pass_time(30)
        fence.look(world.clock.now())
        assert found()[0].ended_at == world.clock.now()
    fence.look(world.clock.now())
    assert len(found()) == 1
