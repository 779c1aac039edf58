"""A whole wave over the model of two Airflows, with faults. If these break, an interval runs twice or is lost."""

from __future__ import annotations

from itertools import pairwise
from math import inf
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.rooms.migration.cutover.side import DAG
from tests.rooms.migration.cutover.walking import MemoryLedger, conduct, wave
from tests.rooms.migration.cutover.world import Killed, World

from aerodrome.kernel.errors import Conflict, Unavailable
from aerodrome.migration.cutover import Limits
from aerodrome.migration.estate.calendars import between, calendar_of

SCHEDULES = (("*/10 * * * *", "cron"), ("* * * * *", "cron"), ("@hourly", "preset"), ("timedelta:600", "timedelta"),
             ("timedelta:20", "timedelta"))  # fmt: skip


def how() -> st.SearchStrategy[dict[str, Any]]:
    return st.builds(
        lambda schedule, catchup, run_s: {
            "schedule": schedule[0],
            "kind": schedule[1],
            "catchup": catchup,
            "run_s": run_s,
        },
        st.sampled_from(SCHEDULES),
        st.booleans(),
        st.sampled_from([1.0, 15.0]),
    )


def owners(world: World) -> tuple[int, int, int]:
    """Count intervals, those with two owners, and those of catching-up DAGs that nobody ran, over both sides."""
    intervals = doubled = lost = 0
    for dag_id, record in world.records.items():
        source, target = world.olds[dag_id].own, world.news[dag_id].own
        assert len(set(source)) == len(source)
        assert len(set(target)) == len(target)
        intervals += len(source) + len(target)
        doubled += len(set(source) & set(target))
        calendar = calendar_of(record)
        assert calendar is not None
        if world.olds[dag_id].catchup:
            ran = sorted({*source, *target})
            lost += sum(1 for first, later in pairwise(ran) for _ in between(calendar, first, later))
    return intervals, doubled, lost


def walk(world: World, ledger: MemoryLedger, limits: Limits, tries: int = 40) -> str:
    """Walk until it ends by itself: a killed platform starts again, and so does a person after a failure."""
    steps = wave(world)
    for _ in range(tries):
        try:
            ended = conduct(world, ledger, steps, limits)
        except Killed:
            world.pass_time(7)
            continue
        if ended.how == "done":
            return "done"
        world.pass_time(60)
    return "stuck"


@given(
    dags=st.lists(how(), min_size=1, max_size=6),
    kills=st.lists(st.integers(1, 120), max_size=3),
    outage=st.one_of(st.none(), st.tuples(st.integers(1, 80), st.integers(1, 12))),
    skew_s=st.sampled_from([0, 0, -90, 90]),
    our_skew_s=st.sampled_from([0, 0, -600, 600]),
    held=st.integers(1, 4),
)
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])
def test_every_interval_has_one_owner_whatever_happens(
    dags: list[dict[str, Any]],
    kills: list[int],
    outage: tuple[int, int] | None,
    skew_s: int,
    our_skew_s: int,
    held: int,
) -> None:
    more = {f"dag_{number}": dag for number, dag in enumerate(dags)}
    world = World(more=more, skew_s=skew_s, our_skew_s=our_skew_s, run_s=5, catchup=True)
    world.pass_time(130)
    calls = sorted(kills)

    def fault(name: str) -> None:
        if calls and world.calls >= calls[0]:
            calls.pop(0)
            raise Killed
        if name != "sleep" and outage and outage[0] <= world.calls < outage[0] + outage[1]:
            raise Unavailable("The database does not answer.", code="database-unreachable")

    world.on_call = fault
    assert walk(world, MemoryLedger(), Limits(held=held, error_budget=99)) == "done"
    world.pass_time(1300)
    intervals, doubled, lost = owners(world)
    assert intervals > 0
    assert (doubled, lost) == (0, 0)
    assert all(side.is_paused for side in world.olds.values())
    assert not any(side.is_paused for side in world.news.values())


@pytest.mark.parametrize("number", range(1, 40))
def test_a_kill_between_any_two_writes_of_the_journal_is_harmless(number: int) -> None:
    world = World(more={"other": {"schedule": "* * * * *", "catchup": True, "run_s": 3.0}}, catchup=True, run_s=5)
    world.pass_time(130)
    written = 0

    def kill() -> None:
        nonlocal written
        written += 1
        if written == number:
            raise Killed

    assert walk(world, MemoryLedger(on_write=kill), Limits()) == "done"
    world.pass_time(700)
    assert owners(world)[1:] == (0, 0)


def failing(world: World, dag_id: str) -> None:
    world.problems[dag_id] = Conflict("A blocking finding stands against it.", code="finding-open")


def three(**more: Any) -> World:
    return World(more={"second": {}, "third": {}, **more}, run_s=5)


def test_nothing_is_touched_when_one_dag_cannot_move() -> None:
    world, ledger = three(), MemoryLedger()
    failing(world, "second")
    ended = conduct(world, ledger, wave(world))
    assert (ended.how, list(ended.errors)) == ("failed", ["second"])
    assert not any(side.is_paused for side in world.olds.values())


def test_the_error_budget_lets_the_others_go() -> None:
    world, ledger = three(), MemoryLedger()
    failing(world, "second")
    ended = conduct(world, ledger, wave(world), Limits(error_budget=1))
    assert (ended.how, list(ended.errors)) == ("failed", ["second"])
    assert [world.news[dag_id].is_paused for dag_id in (DAG, "second", "third")] == [False, True, False]
    assert not world.olds["second"].is_paused
    world.problems.clear()
    assert conduct(world, ledger, wave(world), Limits(error_budget=1)).how == "done"


def test_a_wave_that_went_over_its_budget_lets_no_more_in_and_leaves_nothing_between_the_sides() -> None:
    world = World(more={f"dag_{number}": {} for number in range(6)}, run_s=5)
    ledger = MemoryLedger()
    world.news[DAG].result = "failed"
    world.pass_time(700)
    ended = conduct(world, ledger, wave(world), Limits(held=1, canary=1))
    assert ended.errors[DAG].code == "first-run-failed"
    held = [dag_id for dag_id, side in world.olds.items() if side.is_paused]
    assert held == [DAG]  # the canary went alone; nobody followed


def test_whoever_halts_a_wave_gets_it_at_rest() -> None:
    world = World(more={f"dag_{number}": {} for number in range(6)}, run_s=5)
    ledger = MemoryLedger()

    def halt(name: str) -> None:
        if name == "start.after":
            ledger.halts = True

    world.on_call = halt
    assert conduct(world, ledger, wave(world), Limits(held=2)).how == "halted"
    moved = [dag_id for dag_id, side in world.news.items() if not side.is_paused]
    assert 0 < len(moved) < 7
    assert sorted(moved) == sorted(dag_id for dag_id, side in world.olds.items() if side.is_paused)
    ledger.halts = False
    world.on_call = lambda _name: None
    assert conduct(world, ledger, wave(world), Limits(held=2)).how == "done"


def test_a_dag_that_is_unpaused_by_hand_in_the_middle_is_not_started() -> None:
    world, ledger = three(), MemoryLedger()

    def unpause(name: str) -> None:
        if name == "locked":
            world.olds["second"].is_paused = False

    world.on_call = unpause
    ended = conduct(world, ledger, wave(world), Limits(error_budget=5))
    assert {dag_id: error.code for dag_id, error in ended.errors.items()} == {"second": "source-not-held"}
    assert world.news["second"].is_paused
    assert owners(world)[1] == 0


def test_a_dag_that_moved_on_in_the_source_begins_its_cutover_anew() -> None:
    world, ledger = three(), MemoryLedger()
    world.pass_time(130)

    def unpause(name: str) -> None:
        if name == "locked" and world.olds["second"].is_paused:
            world.olds["second"].is_paused = False
            world.pass_time(700)  # it runs the interval that the target was to run
            world.olds["second"].is_paused = True
            world.on_call = lambda _name: None

    world.on_call = unpause
    assert not conduct(world, ledger, wave(world), Limits(error_budget=5)).errors.keys() - {"second"}
    world.pass_time(60)
    assert conduct(world, ledger, wave(world), Limits(error_budget=5)).how == "done"
    assert owners(world)[1] == 0


def test_a_target_that_somebody_else_unpaused_is_told() -> None:
    world, ledger = three(), MemoryLedger()

    assert conduct(world, ledger, wave(world, "check", "pause", "drain", "sync", "prove")).how == "done"
    world.news["second"].is_paused = False
    ended = conduct(world, ledger, wave(world), Limits(error_budget=5))
    assert ended.errors["second"].code == "target-unpaused-by-others"


def test_thousands_cost_few_calls_each() -> None:
    """The calls to the sides grow with the rounds, not with the DAGs."""
    calls: dict[int, int] = {}
    for size in (10, 200):
        world = World(more={f"dag_{number}": {"schedule": "@weekly", "kind": "preset"} for number in range(size)})
        limits = Limits(held=1000, source_per_s=1e6, target_per_s=1e6, gap_goal_s=inf)
        counted: list[str] = []
        world.on_call = counted.append
        assert conduct(world, MemoryLedger(), wave(world), limits).how == "done"
        calls[size] = sum(name not in ("sync.row", "sync.hand_off") for name in counted)  # those are rows, not calls
    assert calls[200] < 2 * calls[10] + 8 * 10  # a sync moves at most 50 DAGs a round


def test_pauses_keep_the_pace_of_the_source() -> None:
    world = World(more={f"dag_{number}": {"schedule": "@weekly", "kind": "preset"} for number in range(30)})
    began = world.clock.now()
    seen: list[tuple[float, int]] = []

    def note(name: str) -> None:
        if name == "pause_dags.after":
            count = sum(side.is_paused for side in world.olds.values())
            seen.append(((world.clock.now() - began).total_seconds(), count))

    world.on_call = note
    assert conduct(world, MemoryLedger(), wave(world), Limits(source_per_s=2)).how == "done"
    assert all(count <= 2 * (seconds + 1) + 2 for seconds, count in seen)
