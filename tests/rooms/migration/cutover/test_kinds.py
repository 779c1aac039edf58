"""Each kind of DAG through the whole hand-over. If these break, one kind runs an interval twice, skips one, or is never started."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from tests.rooms.migration.cutover.side import DAG, START, Run
from tests.rooms.migration.cutover.walking import MemoryLedger, conduct, wave
from tests.rooms.migration.cutover.world import World

from aerodrome.migration.estate.calendars import between


def moved(world: World, **settings: Any) -> dict[str, Any]:
    """Hand everything over; the results by step."""
    ledger = MemoryLedger()
    ended = conduct(world, ledger, wave(world, **settings))
    assert ended.how == "done", ended.errors
    assert world.old.is_paused
    assert not world.new.is_paused
    return ledger.results


def assert_each_interval_ran_once(world: World, *, catchup: bool) -> None:
    source, target = world.old.own, world.new.own
    assert not set(source) & set(target)
    assert len(set(target)) == len(target)
    ran = sorted({*source, *target})
    if catchup:
        assert [lost for first, later in pairwise(ran) for lost in between(world.old.calendar, first, later)] == []


@pytest.mark.parametrize("catchup", [True, False])
@pytest.mark.parametrize(
    ("schedule", "kind"),
    [
        ("*/5 * * * *", "cron"),
        ("@hourly", "preset"),
        ("timedelta:600", "timedelta"),
        ("timedelta:20", "timedelta"),
        ("timedelta:7.5", "timedelta"),
    ],
)
def test_schedules_go_on_where_the_source_stopped(schedule: str, kind: str, catchup: bool) -> None:
    world = World(schedule, kind, catchup=catchup, run_s=3)
    world.pass_time(400)
    moved(world)
    world.pass_time(4000)
    assert world.new.own
    assert_each_interval_ran_once(world, catchup=catchup)


@pytest.mark.parametrize("catchup", [True, False])
def test_a_custom_timetable_is_proved_by_what_the_target_computes_itself(catchup: bool) -> None:
    """Its arithmetic is not known here: only the target's own parse is a witness."""
    world = World("*/10 * * * *", catchup=catchup, run_s=3)
    world.records[DAG] = replace(
        world.record, schedule=None, schedule_kind="timetable", timetable="company.timetables.WorkingHours"
    )
    world.pass_time(700)
    results = moved(world)
    assert results[f"cutover.prove:{DAG}"]["proved_by"] == "parse"
    world.pass_time(2000)
    assert world.new.own
    assert_each_interval_ran_once(world, catchup=True)  # it stood for less than an interval: nothing is left out


def test_a_continuous_dag_goes_on_where_its_last_run_ended() -> None:
    world = World(
        "timedelta:1", "timedelta", catchup=True, run_s=20
    )  # one run after the other, each from the last's end
    world.records[DAG] = replace(world.record, schedule="@continuous", schedule_kind="continuous", catchup=False)
    world.pass_time(100)
    moved(world)
    world.pass_time(200)
    assert min(world.new.own)[0] == max(world.old.own)[1]
    assert_each_interval_ran_once(world, catchup=True)


def without_schedule(kind: str, **more: Any) -> World:
    world = World(run_s=3)
    world.records[DAG] = replace(world.record, schedule=None, schedule_kind=kind, **more)
    world.old.next = world.new.next = None
    return world


def test_a_manual_dag_has_nothing_to_wait_for() -> None:
    world = without_schedule("none")
    world.old.runs.append(Run((START, START), START + timedelta(seconds=30), "manual"))
    results = moved(world)
    assert results[f"cutover.watch:{DAG}"]["first_target_state"] == "none"
    assert [run.run_type for run in world.new.runs] == ["manual"]  # its run had ended, and moved
    assert world.new.own == []


class EventsSeen:
    """Notes what the bridge is asked for, and how both sides stood then."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.seen: list[tuple[str, bool, bool]] = []

    def concerns(self, dag_id: str) -> bool:
        return dag_id == DAG

    def _note(self, point: str) -> None:
        self.seen.append((point, self.world.old.is_paused, self.world.new.is_paused))

    def before_start(self, _dag_id: str) -> None:
        self._note("before_start")

    def after_start(self, _dag_id: str) -> None:
        self._note("after_start")

    def take_back(self, _dag_id: str) -> None:
        self._note("take_back")


def test_pending_events_of_assets_come_while_the_dag_stands_and_once_it_runs() -> None:
    world, ledger = without_schedule("dataset", datasets_in=("s3://sales",)), MemoryLedger()
    bridge = EventsSeen(world)
    ended = conduct(world, ledger, wave(world), events=bridge)
    assert ended.how == "done", ended.errors
    assert bridge.seen == [("before_start", True, True), ("after_start", True, False)]


def test_a_backfill_that_goes_on_is_awaited_and_moves() -> None:
    world = World("@daily", "preset", run_s=3, catchup=True)
    world.pass_time(60)
    day = timedelta(days=1)
    for number in range(2, 5):
        start = START.replace(hour=0) - number * day
        world.old.runs.append(Run((start, start + day), world.clock.now() + timedelta(seconds=40), "backfill"))
    results = moved(world)
    drained = results[f"cutover.drain:{DAG}"]
    assert drained["last_source_interval"] is not None
    assert drained["stopped_runs"] == []
    assert sum(run.run_type == "backfill" and not run.is_ours for run in world.new.runs) == 3
    world.pass_time(100)
    assert_each_interval_ran_once(world, catchup=True)


def test_what_the_last_run_came_to_moves_for_dags_that_depend_on_it() -> None:
    """`depends_on_past` looks at the state of the run before: the target has it as the source had, failed."""
    world = World(run_s=3, catchup=True)
    world.old.result = "failed"
    world.pass_time(700)
    moved(world)
    newest = max((run for run in world.new.runs if not run.is_ours), key=lambda run: run.interval)
    assert (newest.interval, newest.result) == (max(world.old.own), "failed")
    assert_each_interval_ran_once(world, catchup=True)


def test_a_dag_with_one_run_at_a_time_never_has_two() -> None:
    world = World(
        "* * * * *", catchup=True, run_s=100
    )  # each run takes longer than its interval: one waits for the other
    world.pass_time(250)
    moved(world, drain_deadline=900)
    world.pass_time(900)
    ends = sorted((run.interval, run.ends_at) for side in (world.old, world.new) for run in side.runs if run.is_ours)
    assert all(later - earlier >= timedelta(seconds=100) for (_, earlier), (_, later) in pairwise(ends))
    assert_each_interval_ran_once(world, catchup=True)
