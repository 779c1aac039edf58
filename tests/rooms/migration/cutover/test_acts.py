"""The acts over a model of two Airflows. If these break, an interval runs twice or is lost, perhaps after a crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.rooms.migration.cutover.side import DAG, START, Run
from tests.rooms.migration.cutover.world import Killed, World

from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Invalid, NotFound, Unavailable
from aerodrome.migration import cutover
from aerodrome.migration.cutover import run
from aerodrome.migration.cutover.context import CutoverContext
from aerodrome.migration.estate.calendars import after, between, calendar_of

Act = Callable[[CutoverContext], dict[str, Any]]

ACTS: dict[str, Act] = {
    "check": lambda context: run(context, cutover.check(context, DAG, was_paused=False)),
    "pause": lambda context: run(context, cutover.pause(context, DAG)),
    "drain": lambda context: run(context, cutover.drain(context, DAG, deadline_s=900, on_deadline="fail")),
    "sync": lambda context: run(context, cutover.sync(context, DAG)),
    "prove": lambda context: run(context, cutover.prove(context, DAG, limit_s=120)),
    "unpause": lambda context: run(context, cutover.unpause(context, DAG)),
    "watch": lambda context: run(context, cutover.watch(context, DAG, limit_s=4000)),
}


def hand_over(world: World, acts: dict[str, Act] = ACTS) -> dict[str, dict[str, Any]]:
    """Run the acts like the journal does: an act that was cut off runs again from its start."""
    results: dict[str, dict[str, Any]] = {}
    for name, act in acts.items():
        for _ in range(3):
            try:
                results[name] = act(world.context())
                break
            except Killed:
                world.pass_time(7)
    assert set(results) == set(acts)
    return results


schedules = st.sampled_from(
    [("*/10 * * * *", "cron"), ("* * * * *", "cron"), ("@hourly", "preset"), ("timedelta:600", "timedelta")]
)


@given(
    schedule=schedules,
    catchup=st.booleans(),
    run_s=st.sampled_from([1.0, 20.0, 200.0]),
    kill_at=st.one_of(st.none(), st.integers(1, 60)),
    wait_s=st.integers(1, 1300),
    stall_s=st.sampled_from([0, 0, 700, 8000]),
    missed=st.sampled_from(["report", "backfill"]),
)
@settings(deadline=None, max_examples=50)
def test_no_interval_runs_twice_and_none_is_lost_unseen(
    schedule: tuple[str, str],
    catchup: bool,
    run_s: float,
    kill_at: int | None,
    wait_s: int,
    stall_s: int,
    missed: str,
) -> None:
    world = World(*schedule, catchup=catchup, run_s=run_s)
    world.pass_time(wait_s)
    world.kill_at = kill_at

    def unpause_late(context: CutoverContext) -> dict[str, Any]:
        world.pass_time(stall_s or 1)
        return ACTS["unpause"](context)

    def watch(context: CutoverContext) -> dict[str, Any]:
        return run(context, cutover.watch(context, DAG, limit_s=4000, missed=missed))

    stalled = {**ACTS, "unpause": unpause_late, "watch": watch}
    results = hand_over(world, stalled)
    source, target = world.old.own, world.new.own
    assert not set(source) & set(target)
    assert len(set(target)) == len(target)
    calendar = calendar_of(world.record)
    assert calendar is not None
    ran = sorted({*source, *target})
    gaps = [interval for first, second in pairwise(ran) for interval in between(calendar, first, second)]
    if catchup or (missed == "backfill" and run_s < 60):
        assert gaps == []
    elif run_s < 60:  # longer runs than the period: both sides leave intervals out by themselves
        assert results["watch"]["missed_count"] == len(gaps)
        if not gaps:
            assert min(target) == after(calendar, max(source))
    assert results["watch"]["first_target_state"] == "success"
    assert world.old.is_paused


@given(kill_at=st.integers(1, 40), done=st.integers(1, 5))
@settings(deadline=None, max_examples=30)
def test_the_way_back_gives_the_dag_to_the_source(kill_at: int, done: int) -> None:
    world = World(run_s=5)
    world.pass_time(130)
    hand_over(world, dict(list(ACTS.items())[: done + 1]))
    world.kill_at = world.calls + kill_at
    hand_over(world, {"roll_back": lambda context: run(context, cutover.roll_back(context, DAG))})
    world.pass_time(1300)
    assert not world.old.is_paused
    assert world.new.is_paused
    assert world.new.own == []
    assert list(between(calendar_of(world.record), world.old.own[0], world.old.own[-1])) == world.old.own[1:-1]  # type: ignore[arg-type]


@given(kill_at=st.integers(1, 40), lived_s=st.integers(1, 3000), catchup=st.booleans())
@settings(deadline=None, max_examples=25)
def test_what_the_target_ran_is_not_repeated_after_the_way_back(kill_at: int, lived_s: int, catchup: bool) -> None:
    world = World(run_s=20, catchup=catchup)
    world.pass_time(130)
    hand_over(world)
    world.pass_time(lived_s)
    world.kill_at = world.calls + kill_at
    results = hand_over(world, {"roll_back": lambda context: run(context, cutover.roll_back(context, DAG))})
    made = len(world.new.own)
    world.pass_time(1300)
    assert (world.old.is_paused, world.new.is_paused) == (False, True)
    assert results["roll_back"]["carried_count"] == made == len(world.new.own) > 0
    assert not set(world.old.own) & set(world.new.own)
    ran = sorted({*world.old.own, *world.new.own})
    calendar = calendar_of(world.record)
    assert calendar is not None
    assert [lost for first, later in pairwise(ran) for lost in between(calendar, first, later)] == []
    assert max(world.old.own) > max(world.new.own)


def test_the_way_back_is_closed_when_the_source_cannot_be_told_what_ran() -> None:
    world = World(can_carry=False)
    world.pass_time(700)
    hand_over(world)
    with pytest.raises(Conflict) as raised:
        run(world.context(), cutover.roll_back(world.context(), DAG))
    assert raised.value.code == "target-has-runs"
    assert len(raised.value.details["runs"]) == 1
    assert (world.new.is_paused, world.old.is_paused) == (False, True)


def test_a_target_that_keeps_running_keeps_the_dag() -> None:
    world = World(run_s=100_000)
    hand_over(world, dict(list(ACTS.items())[:6]))
    world.pass_time(700)
    with pytest.raises(Conflict) as raised:
        run(world.context(), cutover.roll_back(world.context(), DAG, deadline_s=60))
    assert raised.value.code == "target-still-running"
    assert (world.new.is_paused, world.old.is_paused) == (False, True)


def test_the_result_tells_the_whole_story() -> None:
    world = World(run_s=40)
    world.pass_time(620)
    results = hand_over(world)
    assert results["check"]["in_flight"] == {"run:running": 1}
    assert results["drain"]["last_source_interval"] == ["2026-03-01T12:00:00.000000Z", "2026-03-01T12:10:00.000000Z"]
    assert results["prove"]["reason"] == "Both sides go on with the same interval."
    assert results["prove"]["summary"].endswith("2026-03-01 12:10 to 2026-03-01 12:20 UTC.")
    assert results["watch"] | {"seconds": 0} == {
        "dag_id": DAG,
        "last_source_interval": ["2026-03-01T12:00:00.000000Z", "2026-03-01T12:10:00.000000Z"],
        "first_target_interval": ["2026-03-01T12:10:00.000000Z", "2026-03-01T12:20:00.000000Z"],
        "first_target_state": "success",
        "first_target_run_id": "scheduled__2026-03-01T12:10:00+00:00",
        "seconds": 0,
        "missed_count": 0,
        "missed": [],
        "backfilled_count": 0,
        "late_s": None,
        "run_s": None,
        "usual_p95_s": None,
        "remarks": [],
        "summary": "First run success: 2026-03-01 12:10 to 2026-03-01 12:20 UTC.",
    }


@pytest.mark.parametrize(("on_deadline", "kind", "code"), [
    ("fail", Conflict, "drain-deadline"),
    ("wait", Unavailable, "drain-still-running"),
])  # fmt: skip
def test_a_drain_names_what_still_runs(on_deadline: str, kind: type[AerodromeError], code: str) -> None:
    world = World(run_s=100_000)
    world.pass_time(10)
    run(world.context(), cutover.pause(world.context(), DAG))
    with pytest.raises(kind, match="1 run running of daily_sales") as raised:
        run(world.context(), cutover.drain(world.context(), DAG, deadline_s=60, on_deadline=on_deadline))
    assert (raised.value.code, world.old.is_paused) == (code, True)


def test_a_dag_that_someone_unpauses_in_the_source_is_not_started() -> None:
    world = World()
    world.pass_time(700)
    hand_over(world, dict(list(ACTS.items())[:5]))
    world.old.is_paused = False
    with pytest.raises(Conflict) as raised:
        run(world.context(), cutover.unpause(world.context(), DAG))
    assert (raised.value.code, world.new.is_paused) == ("source-not-held", True)


def test_a_run_triggered_in_the_source_between_the_acts_stops_the_hand_over() -> None:
    world = World()
    world.pass_time(700)
    hand_over(world, dict(list(ACTS.items())[:4]))
    world.old.runs.append(Run((START, START), world.clock.now() + timedelta(hours=1), "manual"))
    with pytest.raises(Conflict) as raised:
        run(world.context(), cutover.prove(world.context(), DAG, limit_s=60))
    assert raised.value.code == "source-not-drained"


def test_a_missing_last_run_is_a_mismatch_that_shows_both_sides() -> None:
    world = World()
    world.pass_time(1300)
    hand_over(world, dict(list(ACTS.items())[:4]))
    world.new.runs.pop()
    world.new.parse()
    with pytest.raises(Broken) as raised:
        run(world.context(), cutover.prove(world.context(), DAG, limit_s=60))
    assert raised.value.code == "interval-mismatch"
    assert raised.value.details["source_last_interval"][0] == "2026-03-01T12:10:00.000000Z"
    assert raised.value.details["target_last_interval"][0] == "2026-03-01T12:00:00.000000Z"


def test_a_target_that_never_parses_is_said_to() -> None:
    world = World(target_parse_s=10_000)
    world.pass_time(700)
    hand_over(world, dict(list(ACTS.items())[:4]))
    with pytest.raises(Unavailable) as raised:
        run(world.context(), cutover.prove(world.context(), DAG, limit_s=60))
    assert raised.value.code == "target-not-parsed"


def test_a_failed_first_run_is_told_with_its_interval() -> None:
    world = World()
    world.new.result = "failed"
    world.pass_time(700)
    with pytest.raises(Broken) as raised:
        hand_over(world)
    assert (raised.value.code, raised.value.details["first_target_state"]) == ("first-run-failed", "failed")


def test_a_dag_that_does_not_say_catches_up_as_the_source_does() -> None:
    context = World(catchup=True).context()
    silent = replace(context, dags={DAG: replace(context.dags[DAG], catchup=None)})
    assert silent.catches_up(DAG)
    assert not replace(silent, catchup_by_default=False).catches_up(DAG)


def test_a_run_that_is_due_next_week_is_not_awaited() -> None:
    world = World("@weekly", "preset")
    world.pass_time(60)
    results = hand_over(world)
    assert results["watch"]["first_target_state"] == "not-due"
    assert results["watch"]["due_at"] == "2026-03-08T00:00:00.000000Z"


def test_checks_come_before_anything_is_touched() -> None:
    world = World()
    context = world.context()
    world.in_target = False
    with pytest.raises(NotFound, match="The target has no DAG"):
        run(context, cutover.check(context, DAG, was_paused=False))
    world.in_target = True
    world.errors = [("/opt/project/dags/daily_sales.py", "Traceback\n  …\nImportError: no module named x\n")]
    with pytest.raises(Invalid, match="ImportError: no module named x"):
        run(context, cutover.check(context, DAG, was_paused=False))
    world.errors = []
    with pytest.raises(Conflict, match="unpaused in the source since the plan"):
        run(context, cutover.check(context, DAG, was_paused=True))
    world.new.is_paused = False
    with pytest.raises(Conflict, match="not paused in the target"):
        run(context, cutover.check(context, DAG, was_paused=False))
    assert world.old.is_paused is False


def test_a_dag_that_someone_else_paused_is_left_alone() -> None:
    world = World()
    world.old.is_paused = True
    with pytest.raises(Conflict) as raised:
        run(world.context(), cutover.pause(world.context(), DAG))
    assert raised.value.code == "source-paused-by-others"


def test_a_paused_dag_is_synced_without_being_held() -> None:
    world = World(was_paused=True)
    context = world.context()
    run(context, cutover.check(context, DAG, was_paused=True))
    run(context, cutover.drain(context, DAG, deadline_s=60, on_deadline="fail"))
    run(context, cutover.sync(context, DAG))
    assert (world.old.mark, world.new.is_paused) == (None, True)
