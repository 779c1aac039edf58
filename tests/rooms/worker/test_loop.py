"""The worker runs jobs, holds leases, retries by rule and stops cleanly. Breaks for everything that happens by itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.store import Store, jobs
from aerodrome.store.jobs import LeasedJob
from aerodrome.worker.loop import Handler, Worker


def wait_until(check: Callable[[], Any], timeout_s: float = 10.0) -> None:
    end = time.monotonic() + timeout_s
    while not check():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@contextmanager
def working(store: Store, handlers: dict[str, Handler], **options: Any) -> Iterator[Worker]:
    worker = Worker(store, SystemClock(), handlers, **{"poll_s": 0.1, **options})
    worker.start()
    try:
        yield worker
    finally:
        worker.stop(5)


def enqueue(store: Store, key: str, *, kind: str = "look", lane: str | None = None) -> None:
    with store.writing() as session:
        jobs.enqueue(session, kind, key, lane=lane)


def queue(store: Store) -> list[jobs.JobView]:
    with store.reading() as session:
        return jobs.view(session)


def test_a_job_runs_and_is_gone(store: Store) -> None:
    seen: list[str] = []
    with working(store, {"look": lambda job: seen.append(job.key)}):
        enqueue(store, "a")
        wait_until(lambda: not queue(store))
    assert seen == ["a"]


def test_a_handler_says_when_to_look_again(store: Store) -> None:
    moments: list[float] = []

    def look(_job: LeasedJob) -> datetime | None:
        moments.append(time.monotonic())
        return SystemClock().now() + timedelta(seconds=0.3) if len(moments) < 3 else None

    enqueue(store, "a")
    with working(store, {"look": look}, poll_s=5):
        wait_until(lambda: not queue(store))
    assert len(moments) == 3
    assert 0.25 < moments[1] - moments[0] < 3


def test_a_ring_is_heard_at_once(store: Store) -> None:
    done = threading.Event()
    bell = threading.Event()

    def look(_job: LeasedJob) -> None:
        done.set()

    with working(store, {"look": look}, poll_s=30, bell=bell):
        time.sleep(0.2)
        enqueue(store, "a")
        started = time.monotonic()
        bell.set()
        assert done.wait(5)
        assert time.monotonic() - started < 2


def test_one_lane_runs_one_job_at_a_time(store: Store) -> None:
    running: list[str] = []
    most = {"same": 0, "all": 0}
    lock = threading.Lock()

    def look(job: LeasedJob) -> None:
        with lock:
            running.append(str(job.lane))
            most["same"] = max(most["same"], running.count("one"))
            most["all"] = max(most["all"], len(running))
        time.sleep(0.1)
        with lock:
            running.remove(str(job.lane))

    for number in range(4):
        enqueue(store, f"one-{number}", lane="one")
        enqueue(store, f"free-{number}", lane=f"free-{number}")
    with working(store, {"look": look}, threads=4):
        wait_until(lambda: not queue(store), 20)
    assert most["same"] == 1
    assert most["all"] > 1


def test_what_may_work_later_is_tried_again_with_a_pause(store: Store) -> None:
    attempts: list[int] = []

    def look(job: LeasedJob) -> None:
        attempts.append(job.attempt)
        if job.attempt == 1:
            raise Unavailable("Not now.", code="not-now", retry_after_s=0.2)

    enqueue(store, "a")
    with working(store, {"look": look}):
        wait_until(lambda: not queue(store))
    assert attempts == [1, 2]


def test_what_cannot_work_is_parked_with_its_error_until_asked_again(store: Store) -> None:
    calls: list[int] = []

    def look(_job: LeasedJob) -> None:
        calls.append(1)
        raise Invalid("Never.", code="never", hint="Change it.")

    with working(store, {"look": look}):
        enqueue(store, "a")
        wait_until(lambda: [job.state for job in queue(store)] == ["parked"])
        (job,) = queue(store)
        assert job.last_error is not None
        assert (job.last_error["code"], job.last_error["hint"]) == ("never", "Change it.")
        enqueue(store, "a")
        wait_until(lambda: len(calls) == 2)


def test_a_crash_is_recorded_without_its_text_and_tried_again(store: Store) -> None:
    def look(job: LeasedJob) -> None:
        if job.attempt == 1:
            raise ZeroDivisionError("canary-password")

    enqueue(store, "a")
    with working(store, {"look": look}):
        wait_until(lambda: any(job.last_error for job in queue(store)))
        (job,) = queue(store)
        assert job.last_error is not None
        assert job.last_error["code"] == "job-crashed"
        assert "canary" not in str(job.last_error)
        wait_until(lambda: not queue(store))


def test_a_long_job_keeps_its_lease(store: Store) -> None:
    runs: list[str] = []

    def look(job: LeasedJob) -> None:
        runs.append(job.owner)
        time.sleep(2.5)

    enqueue(store, "a")
    with working(store, {"look": look}, lease_s=1), working(store, {"look": look}, lease_s=1):
        wait_until(lambda: not queue(store))
    assert len(runs) == 1


def test_a_dead_workers_job_is_taken_over(store: Store) -> None:
    enqueue(store, "a", lane="a")
    assert jobs.lease(store, SystemClock(), "dead", 0.5) is not None
    runs: list[str] = []
    with working(store, {"look": lambda job: runs.append(job.key)}):
        wait_until(lambda: runs)


def test_stopping_waits_for_the_job_and_says_when_it_did_not_end(store: Store) -> None:
    release, started = threading.Event(), threading.Event()

    def look(_job: LeasedJob) -> None:
        started.set()
        release.wait(10)

    enqueue(store, "a")
    worker = Worker(store, SystemClock(), {"look": look}, poll_s=0.05)
    worker.start()
    assert worker.is_running
    assert started.wait(5)
    assert worker.stop(0.2) is False
    assert worker.is_stopping()
    release.set()
    wait_until(lambda: not queue(store))
    assert worker.stop(1) is True


def test_a_handler_that_gives_up_at_the_end_is_looked_at_again(store: Store) -> None:
    stopping, started = threading.Event(), threading.Event()

    class GivenUp(Exception):
        pass

    def look(_job: LeasedJob) -> None:
        started.set()
        stopping.wait(10)
        raise GivenUp

    enqueue(store, "a")
    worker = Worker(store, SystemClock(), {"look": look}, stopping=stopping)
    worker.start()
    assert started.wait(5)
    assert worker.stop(5) is True
    (job,) = queue(store)
    assert (job.state, job.last_error) == ("waiting", None)


@pytest.mark.parametrize("kind", ["look", "other"])
def test_a_worker_leases_only_what_it_can_do(store: Store, kind: str) -> None:
    seen: list[str] = []
    with working(store, {"look": lambda job: seen.append(job.kind)}):
        enqueue(store, "a", kind=kind)
        time.sleep(0.6)
    assert seen == (["look"] if kind == "look" else [])


def test_nothing_runs_any_more_after_a_stop_that_was_in_time(store: Store) -> None:
    running: list[str] = []

    def look(job: LeasedJob) -> None:
        running.append(job.key)
        time.sleep(0.02)
        running.remove(job.key)

    for number in range(12):
        enqueue(store, f"a{number}")
    while queue(store):
        worker = Worker(store, SystemClock(), {"look": look}, poll_s=0.01)
        worker.start()
        time.sleep(0.03)
        assert worker.stop(5) is True
        assert running == []
        assert not [thread for thread in threading.enumerate() if thread.name.startswith(("worker-", "job-"))]
