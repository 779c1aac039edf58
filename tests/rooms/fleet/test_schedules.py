"""When deployments sleep and wake. Breaks with an Airflow that sleeps at the wrong hour twice a year, or does not wake."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rooms.fleet.world import World

from aerodrome.access import SYSTEM
from aerodrome.fleet import cron, schedules
from aerodrome.fleet.schedules import NewSchedule, Scheduler
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.store import jobs, outbox

BERLIN = "Europe/Berlin"
OFFICE = NewSchedule("0 19 * * 1-5", "0 7 * * 1-5", BERLIN)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "since", "expected"),
    [
        (
            "0 7 * * *",
            "2026-03-28T12:00",
            "2026-03-29T05:00",
        ),  # the clock went forward in the night: 7:00 is 5:00 UTC now
        ("0 7 * * *", "2026-03-27T12:00", "2026-03-28T06:00"),
        ("30 2 * * *", "2026-03-28T12:00", "2026-03-29T01:30"),  # 2:30 does not exist: 3:30 on the wall
        ("30 2 * * *", "2026-10-24T12:00", "2026-10-25T00:30"),  # 2:30 comes twice: the first counts
        ("30 2 * * *", "2026-10-25T00:30", "2026-10-26T01:30"),  # and not the second
        ("0 19 * * 1-5", "2026-10-23T18:00", "2026-10-26T18:00"),
    ],
)
def test_the_wall_clock_counts_also_when_it_is_changed(text: str, since: str, expected: str) -> None:
    assert cron.next_after(text, BERLIN, at(since)) == at(expected)
    assert cron.last_until(text, BERLIN, at(since), at(expected)) == at(expected)
    assert cron.last_until(text, BERLIN, at(since), at(expected) - timedelta(seconds=1)) is None


@given(
    moment=st.datetimes(
        at("2025-01-01").replace(tzinfo=None), at("2027-12-31").replace(tzinfo=None), timezones=st.just(UTC)
    ),
    text=st.sampled_from(["*/5 * * * *", "30 2 * * *", "0 0 1 * *", "15 3 * * 0", "59 23 31 12 *"]),
    zone=st.sampled_from(["UTC", BERLIN, "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]),
)
def test_next_and_last_agree(moment: datetime, text: str, zone: str) -> None:
    following = cron.next_after(text, zone, moment)
    assert following > moment
    assert cron.last_until(text, zone, moment, following) == following


@pytest.mark.parametrize("text", ["", "x", "* * * *", "61 * * * *", "0 0 30 2 *", "* * * * * *", "@daily"])
def test_what_is_no_cron_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        cron.check_cron(text, "hibernate")
    assert caught.value.details == {"field": "hibernate"}


def pass_time(world: World, moment: str) -> None:
    """Let the platform be up at that moment, after having been down."""
    assert isinstance(world.clock, ManualClock)
    world.clock.advance(at(moment) - world.clock.now())
    handler = Scheduler(world.context)
    while (job := jobs.lease(world.store, world.clock, "test", 60, [schedules.KIND])) is not None:
        jobs.finish(world.store, job, look_again_at=handler.look(job))


def test_a_deployment_sleeps_and_wakes_by_its_schedule(world: World) -> None:
    world.deployment()  # Sunday, 1 March, noon
    entry = schedules.add(world.context, SYSTEM, "shop", OFFICE)
    assert entry.next_wake_at == at("2026-03-02T06:00")
    assert world.show().desired == "running"  # what lies in the past does not count
    pass_time(world, "2026-03-02T17:59")
    assert world.show().desired == "running"
    pass_time(world, "2026-03-02T18:00:01")
    assert world.show().desired == "hibernated"
    pass_time(world, "2026-03-05T12:00")  # the platform was down for days: the newest event wins, once
    assert world.show().desired == "running"
    world.fleet.hibernate(SYSTEM, "shop")
    pass_time(world, "2026-03-05T12:30")
    assert world.show().desired == "hibernated"  # a person's word counts until the next event
    pass_time(world, "2026-03-06T06:00:01")
    assert world.show().desired == "running"
    life = schedules.life(world.context, SYSTEM, "shop")
    assert (life.next_action, life.next_at) == ("hibernate", at("2026-03-06T18:00"))


def test_an_override_lasts_until_its_moment_and_then_the_schedules_count(world: World) -> None:
    world.deployment()
    schedules.add(world.context, SYSTEM, "shop", OFFICE)
    pass_time(world, "2026-03-02T10:00")
    schedules.set_until(world.context, SYSTEM, "shop", "hibernated", at("2026-03-04T20:00"), 5)
    assert world.show().drain_s == 5
    pass_time(world, "2026-03-03T08:00")
    assert world.show().desired == "hibernated"  # the schedule would have woken it
    assert schedules.life(world.context, SYSTEM, "shop").override == "hibernated"
    pass_time(world, "2026-03-04T20:00:01")
    assert world.show().desired == "hibernated"  # evening: the schedule says so
    assert schedules.life(world.context, SYSTEM, "shop").override is None
    pass_time(world, "2026-03-05T06:00:01")
    assert world.show().desired == "running"


def test_an_override_without_schedules_ends_where_it_began(world: World) -> None:
    world.deployment()
    schedules.set_until(world.context, SYSTEM, "shop", "hibernated", at("2026-03-01T14:00"))
    schedules.set_until(world.context, SYSTEM, "shop", "hibernated", at("2026-03-01T16:00"))
    pass_time(world, "2026-03-01T15:00")
    assert world.show().desired == "hibernated"
    pass_time(world, "2026-03-01T16:00:01")
    assert world.show().desired == "running"
    with pytest.raises(Invalid):
        schedules.set_until(world.context, SYSTEM, "shop", "hibernated", at("2026-03-01T14:00"))


def test_schedules_are_switched_off_and_removed(world: World) -> None:
    world.deployment()
    entry = schedules.add(world.context, SYSTEM, "shop", OFFICE)
    schedules.change(world.context, SYSTEM, "shop", entry.id, is_enabled=False)
    pass_time(world, "2026-03-02T18:00:01")
    assert world.show().desired == "running"
    schedules.remove(world.context, SYSTEM, "shop", entry.id)
    assert schedules.life(world.context, SYSTEM, "shop").schedules == ()
    with pytest.raises(NotFound):
        schedules.remove(world.context, SYSTEM, "shop", entry.id)
    with pytest.raises(Invalid):
        schedules.add(world.context, SYSTEM, "shop", NewSchedule(None, None))
    with pytest.raises(Invalid):
        schedules.add(world.context, SYSTEM, "shop", NewSchedule("0 1 * * *", None, "Mars/Base"))


def test_tasks_that_are_cut_off_by_sleep_are_listed(world: World) -> None:
    world.deployment()
    world.look()
    world.runtime.set_trouble(running_tasks=["sales manual__1 load"])
    schedules.set_until(world.context, SYSTEM, "shop", "hibernated", None, 0)
    for _ in range(5):
        world.look()
        world.clock.advance(timedelta(seconds=2))  # type: ignore[attr-defined]
    assert world.show().status == "hibernated"
    with world.store.reading() as session:
        told = [event.data for event in outbox.read(session) if event.type == "deployment.tasks_cut_off"]
    assert [item["tasks"] for item in told] == [["sales manual__1 load"]]
