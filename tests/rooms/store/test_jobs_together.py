"""Many workers at once: every job runs, none twice at a time, a lane holds one, and a killed worker loses nothing."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Stale
from aerodrome.store import Store, jobs, open_store

_WORKERS = 8
_CLOCK = SystemClock()


def _work(store: Store, owner: str, seen: list[str], busy: Counter[str], guard: threading.Lock) -> None:
    idle = 0
    while idle < 20:
        job = jobs.lease(store, _CLOCK, owner, 30)
        if job is None:
            idle += 1
            time.sleep(0.005)
            continue
        idle = 0
        lane = job.lane or job.id
        with guard:
            busy[lane] += 1
            assert busy[lane] == 1, f"two jobs of lane {lane} run together"
            seen.append(job.key)
        time.sleep(0.001)
        with guard:
            busy[lane] -= 1
        jobs.finish(store, job)


def test_no_double_lease_and_lanes_are_exclusive(store: Store) -> None:
    with store.writing() as session:
        for number in range(120):
            jobs.enqueue(session, "look", str(number), lane=f"lane{number % 5}" if number % 3 else None)
    seen: list[str] = []
    guard = threading.Lock()
    busy: Counter[str] = Counter()
    with ThreadPoolExecutor(_WORKERS) as pool:
        for future in [pool.submit(_work, store, f"w{n}", seen, busy, guard) for n in range(_WORKERS)]:
            future.result()
    assert Counter(seen) == Counter(str(number) for number in range(120))


def test_nothing_asked_for_is_forgotten(store: Store) -> None:
    """Askers raise a number and ask for a look; whenever all is quiet, the last number has been looked at."""
    numbers = Counter[str]()
    looked = Counter[str]()
    guard = threading.Lock()
    is_over = threading.Event()

    def ask(key: str) -> None:
        for _ in range(15):
            with guard:
                numbers[key] += 1
            with store.writing() as session:
                jobs.enqueue(session, "look", key)

    def look(owner: str) -> None:
        while True:
            stop_after_this = is_over.is_set()
            job = jobs.lease(store, _CLOCK, owner, 30)
            if job is None:
                if stop_after_this:
                    return
                time.sleep(0.002)
                continue
            with guard:
                looked[job.key] = numbers[job.key]
            jobs.finish(store, job)

    with ThreadPoolExecutor(_WORKERS) as pool:
        lookers = [pool.submit(look, f"w{n}") for n in range(4)]
        for asker in [pool.submit(ask, key) for key in "abab"]:
            asker.result()
        is_over.set()
        for looker in lookers:
            looker.result()
    assert looked == numbers == Counter({"a": 30, "b": 30})
    with store.reading() as session:
        assert jobs.view(session) == []


_HOLDER = """
import sys, time
from aerodrome.kernel.clock import SystemClock
from aerodrome.store import jobs, open_store
store = open_store(sys.stdin.readline().strip())
job = jobs.lease(store, SystemClock(), "killed", 1.5)
print(job.key, flush=True)
time.sleep(60)
"""


def test_a_killed_worker_process_loses_its_job_to_another(store_url: str) -> None:
    store = open_store(store_url)
    with store.writing() as session:
        jobs.enqueue(session, "look", "1", lane="x")
    holder = subprocess.Popen([sys.executable, "-c", _HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(store_url + "\n")
        holder.stdin.flush()
        assert holder.stdout.readline().strip() == "1"
        assert jobs.lease(store, _CLOCK, "heir", 30) is None
        holder.kill()
        holder.wait()
    deadline = _CLOCK.now() + timedelta(seconds=10)
    while (job := jobs.lease(store, _CLOCK, "heir", 30)) is None:
        assert _CLOCK.now() < deadline
        time.sleep(0.05)
    assert (job.key, job.attempt) == ("1", 2)
    jobs.finish(store, job)
    store.close()


def test_of_many_who_finish_one_lease_one_wins(store: Store) -> None:
    with store.writing() as session:
        jobs.enqueue(session, "look", "1")
    job = jobs.lease(store, _CLOCK, "w", 30)
    assert job is not None

    def finish(_: int) -> bool:
        try:
            jobs.finish(store, job, look_again_at=_CLOCK.now() + timedelta(hours=1))
        except Stale:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(finish, range(6))) == 1


@pytest.mark.parametrize("is_waiting", [True, False])
def test_of_many_who_ask_at_once_one_job_comes_out(store: Store, is_waiting: bool) -> None:
    if is_waiting:
        with store.writing() as session:
            jobs.enqueue(session, "look", "1", run_at=_CLOCK.now() + timedelta(hours=1))

    def ask(_: int) -> str:
        with store.writing() as session:
            return jobs.enqueue(session, "look", "1")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(24)))) == 1
    assert jobs.lease(store, _CLOCK, "w", 30) is not None
    assert jobs.lease(store, _CLOCK, "w", 30) is None
