"""Stopping what runs in the source and running it again in the target. If these break, a run is lost or made twice."""

from __future__ import annotations

from itertools import pairwise

import pytest
from tests.rooms.migration.cutover.side import DAG
from tests.rooms.migration.cutover.walking import MemoryLedger, conduct, wave
from tests.rooms.migration.cutover.world import Killed, World

from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.migration import cutover
from aerodrome.migration.cutover import run
from aerodrome.migration.estate.calendars import between, calendar_of

RERUN = {"on_deadline": "rerun", "drain_deadline": 30}


def busy() -> World:
    """A source in the middle of a run that takes hours."""
    world = World(catchup=True, run_s=100_000)
    world.pass_time(10)
    assert [each.state(world.clock.now()) for each in world.old.runs] == ["running"]
    world.new.run_s = 5
    return world


def assert_each_interval_ran_once(world: World) -> None:
    source, target = world.old.own, world.new.own
    assert len(set(target)) == len(target)
    assert not set(source) & set(target)
    calendar = calendar_of(world.record)
    assert calendar is not None
    ran = sorted({*source, *target})
    assert [lost for first, later in pairwise(ran) for lost in between(calendar, first, later)] == []


@pytest.mark.parametrize("kill_at", [None, *range(1, 75, 3)])
def test_a_run_that_was_stopped_runs_again_exactly_once_whenever_the_platform_dies(kill_at: int | None) -> None:
    world, ledger = busy(), MemoryLedger()
    first = world.old.runs[0].interval
    world.kill_at = world.calls + kill_at if kill_at else None
    for _ in range(3):
        try:
            ended = conduct(world, ledger, wave(world, **RERUN))
        except Killed:
            world.pass_time(7)
            continue
        assert ended.how == "done", ended.errors
        break
    world.pass_time(1300)
    assert world.new.own.count(first) == 1
    assert ledger.results[f"cutover.drain:{DAG}"]["stopped_runs"] == [world.old.runs[0].run_id]
    assert ledger.results[f"cutover.unpause:{DAG}"]["run_again"] == [world.old.runs[0].run_id]
    assert all(each.state(world.target_clock.now()) == "success" for each in world.new.runs if each.is_ours)
    assert_each_interval_ran_once(world)


def test_a_run_that_ends_before_the_deadline_is_not_stopped() -> None:
    world, ledger = World(catchup=True, run_s=20), MemoryLedger()
    world.pass_time(3)
    assert conduct(world, ledger, wave(world, on_deadline="rerun")).how == "done"
    assert ledger.results[f"cutover.drain:{DAG}"]["stopped_runs"] == []
    world.pass_time(1300)
    assert_each_interval_ran_once(world)


@pytest.mark.parametrize("kill_at", [None, *range(1, 20, 2)])
def test_on_the_way_back_a_stopped_run_goes_on_in_the_source(kill_at: int | None) -> None:
    world = busy()
    first = world.old.runs[0].interval
    run(world.context(), cutover.pause(world.context(), DAG))
    run(world.context(), cutover.drain(world.context(), DAG, deadline_s=10, on_deadline="rerun"))
    assert world.old.runs[0].is_stopped
    world.kill_at = world.calls + kill_at if kill_at else None
    for _ in range(3):
        try:
            run(world.context(), cutover.roll_back(world.context(), DAG))
            break
        except Killed:
            world.pass_time(7)
    world.pass_time(60)
    assert world.old.own.count(first) == 1
    assert (world.old.is_paused, world.new.own) == (False, [])


def test_on_the_way_back_a_run_that_the_target_ran_again_is_not_repeated() -> None:
    world, ledger = busy(), MemoryLedger()
    first = world.old.runs[0].interval
    assert conduct(world, ledger, wave(world, **RERUN)).how == "done"
    world.pass_time(60)
    world.old.run_s = 5
    run(world.context(), cutover.roll_back(world.context(), DAG))
    world.pass_time(1300)
    assert (world.new.own.count(first), world.old.own.count(first)) == (1, 0)
    assert_each_interval_ran_once(world)


def test_a_source_whose_runs_cannot_be_stopped_is_told_before_anything_is_touched() -> None:
    world = World(can_stop=False)
    with pytest.raises(Invalid) as raised:
        run(world.context(), cutover.check(world.context(), DAG, was_paused=False, on_deadline="rerun"))
    assert (raised.value.code, world.old.is_paused) == ("rerun-impossible", False)


def test_a_source_that_does_not_step_on_keeps_its_dag_held_and_is_asked_again() -> None:
    world = busy()
    world.old.parse_every_s = 10**9  # its DAG processor is gone: nobody works out what follows the stopped run
    run(world.context(), cutover.pause(world.context(), DAG))
    with pytest.raises(Unavailable, match=r"still names .* as the next run of daily_sales") as caught:
        run(world.context(), cutover.drain(world.context(), DAG, deadline_s=10, on_deadline="rerun"))
    assert caught.value.code == "source-next-unknown"
    assert (world.old.is_paused, world.new.own) == (True, [])
    world.old.parse_every_s = 30
    drained = run(world.context(), cutover.drain(world.context(), DAG, deadline_s=10, on_deadline="rerun"))
    assert drained["stopped_runs"] == [world.old.runs[0].run_id]
