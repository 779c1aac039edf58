"""Jobs: nothing asked for is forgotten, nothing runs twice at a time, a dead worker loses its job."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Stale, Unavailable
from aerodrome.store import Store, jobs
from aerodrome.store.jobs import JobView, LeasedJob


def _ask(store: Store, key: str = "1", **more: object) -> str:
    with store.writing() as session:
        return jobs.enqueue(session, more.pop("kind", "look"), key, **more)  # type: ignore[arg-type]


def _lease(store: Store, owner: str = "w1", lease_s: float = 30, **more: object) -> LeasedJob:
    job = jobs.lease(store, store.clock, owner, lease_s, **more)  # type: ignore[arg-type]
    assert job is not None
    return job


def _all(store: Store) -> list[JobView]:
    with store.reading() as session:
        return jobs.view(session)


def test_a_job_is_leased_once_and_gone_when_finished(store: Store) -> None:
    asked = _ask(store, payload={"x": 1})
    job = _lease(store)
    assert (job.id, job.kind, job.key, job.payload, job.attempt) == (asked, "look", "1", {"x": 1}, 1)
    assert jobs.lease(store, store.clock, "w2", 30) is None
    jobs.finish(store, job)
    assert _all(store) == []


def test_asking_twice_before_it_runs_is_one_job_at_the_earlier_moment(store: Store, clock: ManualClock) -> None:
    later = clock.now() + timedelta(hours=2)
    first = _ask(store, run_at=later, payload={"x": 1})
    assert _ask(store, run_at=later + timedelta(hours=1)) == first
    assert _all(store)[0].run_at == later
    assert jobs.lease(store, clock, "w", 30) is None
    assert _ask(store, payload={"x": 2}) == first
    assert _lease(store).payload == {"x": 2}


def test_asking_while_it_runs_makes_it_run_again(store: Store) -> None:
    _ask(store)
    job = _lease(store)
    _ask(store)
    _ask(store)
    assert jobs.lease(store, store.clock, "w2", 30) is None
    jobs.finish(store, job)
    again = _lease(store)
    assert again.attempt == 1
    jobs.finish(store, again)
    assert _all(store) == []


def test_finish_says_when_to_look_again(store: Store, clock: ManualClock) -> None:
    _ask(store)
    jobs.finish(store, _lease(store), look_again_at=clock.now() + timedelta(seconds=10))
    assert jobs.lease(store, clock, "w", 30) is None
    with store.reading() as session:
        assert jobs.next_due(session) == clock.now() + timedelta(seconds=10)
    clock.advance(timedelta(seconds=10))
    assert _lease(store).attempt == 1


def test_the_earlier_wish_wins_at_the_end(store: Store, clock: ManualClock) -> None:
    _ask(store)
    job = _lease(store)
    _ask(store, run_at=clock.now() + timedelta(minutes=5))
    jobs.finish(store, job, look_again_at=clock.now() + timedelta(hours=1))
    assert _all(store)[0].run_at == clock.now() + timedelta(minutes=5)


def test_a_failed_job_is_tried_again_and_counts(store: Store, clock: ManualClock) -> None:
    _ask(store)
    error = Unavailable("The runtime does not answer.", code="runtime-silent")
    jobs.fail(store, _lease(store), error, clock.now() + timedelta(seconds=5))
    assert jobs.lease(store, clock, "w", 30) is None
    clock.advance(timedelta(seconds=5))
    job = _lease(store)
    assert job.attempt == 2
    assert (_all(store)[0].last_error or {})["code"] == "runtime-silent"
    jobs.finish(store, job, look_again_at=clock.now())
    assert _lease(store).attempt == 1
    assert _all(store)[0].last_error is None


def test_a_parked_job_waits_for_somebody_to_ask(store: Store, clock: ManualClock) -> None:
    _ask(store)
    jobs.fail(store, _lease(store), {"code": "broken"}, None)
    assert [job.state for job in _all(store)] == ["parked"]
    clock.advance(timedelta(days=400))
    assert jobs.lease(store, clock, "w", 30) is None
    _ask(store)
    assert _lease(store).attempt == 2


def test_a_parked_job_that_was_asked_for_meanwhile_runs(store: Store) -> None:
    _ask(store)
    job = _lease(store)
    _ask(store)
    jobs.fail(store, job, {"code": "broken"}, None)
    assert _lease(store).attempt == 2


def test_a_dead_worker_loses_its_job(store: Store, clock: ManualClock) -> None:
    _ask(store)
    dead = _lease(store, "w1", 30)
    clock.advance(timedelta(seconds=29))
    assert jobs.lease(store, clock, "w2", 30) is None
    clock.advance(timedelta(seconds=2))
    taken = _lease(store, "w2", 30)
    assert taken.attempt == 2
    for act in (
        lambda: jobs.finish(store, dead),
        lambda: jobs.fail(store, dead, {"code": "x"}, None),
        lambda: jobs.renew(store, clock, dead, 30),
    ):
        with pytest.raises(Stale) as caught:
            act()
        assert caught.value.code == "lease-lost"
    jobs.finish(store, taken)
    with pytest.raises(Stale):
        jobs.finish(store, taken)


def test_the_same_worker_after_a_restart_is_another_holder(store: Store, clock: ManualClock) -> None:
    _ask(store)
    before = _lease(store, "w1", 30)
    clock.advance(timedelta(seconds=31))
    _lease(store, "w1", 30)
    with pytest.raises(Stale):
        jobs.finish(store, before)


def test_renewing_keeps_it(store: Store, clock: ManualClock) -> None:
    _ask(store)
    job = _lease(store, "w1", 30)
    for _ in range(5):
        clock.advance(timedelta(seconds=20))
        job = jobs.renew(store, clock, job, 30)
        assert jobs.lease(store, clock, "w2", 30) is None
    jobs.finish(store, job)


def test_one_lane_runs_one_job_at_a_time(store: Store, clock: ManualClock) -> None:
    for key in "123":
        _ask(store, key, lane="deployment/1")
    _ask(store, "4", lane="deployment/2")
    one, other = _lease(store), _lease(store)
    assert {one.lane, other.lane} == {"deployment/1", "deployment/2"}
    assert jobs.lease(store, clock, "w", 30) is None
    jobs.finish(store, one)
    assert _lease(store).lane == one.lane


def test_a_dead_holder_gives_its_lane_back(store: Store, clock: ManualClock) -> None:
    _ask(store, "1", lane="x")
    _lease(store)
    _ask(store, "2", lane="x", run_at=clock.now() - timedelta(days=30))
    clock.advance(timedelta(seconds=31))
    keys = {_lease(store).key}
    assert jobs.lease(store, clock, "w", 30) is None
    with store.reading() as session:
        (held,) = [job for job in jobs.view(session) if job.state == "leased"]
    assert keys == {held.key}


def test_jobs_without_a_lane_do_not_wait_for_each_other(store: Store) -> None:
    for key in "12":
        _ask(store, key)
    assert {_lease(store).key, _lease(store).key} == {"1", "2"}


def test_a_worker_takes_only_its_kinds_and_the_oldest_wish_first(store: Store, clock: ManualClock) -> None:
    _ask(store, "new", kind="a", run_at=clock.now() - timedelta(seconds=1))
    _ask(store, "old", kind="a", run_at=clock.now() - timedelta(seconds=9))
    _ask(store, "x", kind="b", run_at=clock.now() - timedelta(days=1))
    assert _lease(store, kinds=["a"]).key == "old"
    assert _lease(store, kinds=["a"]).key == "new"
    assert jobs.lease(store, clock, "w", 30, ["a"]) is None
    assert jobs.lease(store, clock, "w", 30, []) is None


def test_a_rolled_back_wish_is_no_wish(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing() as session:  # noqa: PT012
        jobs.enqueue(session, "look", "1")
        raise ZeroDivisionError
    assert _all(store) == []


def test_a_job_that_waits_for_its_lane_is_not_due(store: Store, clock: ManualClock) -> None:
    """Else an idle worker would look again and again until the lane is free."""
    for key in "12":
        _ask(store, key, lane="x")
    held = _lease(store)
    with store.reading() as session:
        assert jobs.next_due(session) is None
    jobs.finish(store, held)
    with store.reading() as session:
        assert jobs.next_due(session) == jobs.AS_SOON_AS_POSSIBLE
