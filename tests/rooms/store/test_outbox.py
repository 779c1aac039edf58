"""Events: written with what they tell, in an order in which no reader misses one."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.secret import Secret
from aerodrome.store import Store, outbox


def _say(store: Store, type_: str, subject: str = "dep_1", **data: object) -> None:
    with store.writing() as session:
        outbox.emit(session, type_, subject, data, "admin")


def test_events_are_read_in_order_from_where_one_left_off(store: Store, clock: ManualClock) -> None:
    with store.reading() as session:
        assert outbox.last_seq(session) == 0
    for number in range(5):
        _say(store, f"thing.happened-{number}", f"dep_{number % 2}", number=number)
    with store.reading() as session:
        first = outbox.read(session, 0, 2)
        rest = outbox.read(session, first[-1].seq, 100)
        assert [e.data["number"] for e in first + rest] == [0, 1, 2, 3, 4]
        assert outbox.last_seq(session) == rest[-1].seq
        assert [e.data["number"] for e in outbox.read(session, subject="dep_1")] == [1, 3]
    event = first[0]
    assert (event.type, event.subject, event.actor, event.at) == ("thing.happened-0", "dep_0", "admin", clock.now())


def test_no_event_of_what_did_not_happen(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.writing() as session:  # noqa: PT012
        outbox.emit(session, "thing.happened", "x", {}, "admin")
        raise ZeroDivisionError
    with store.reading() as session:
        assert outbox.read(session) == []


def test_secrets_are_masked(store: Store) -> None:
    _say(store, "thing.happened", value={"deep": [Secret("canary-31")]})
    with store.reading() as session:
        (event,) = outbox.read(session)
    assert event.data == {"value": {"deep": ["•••"]}}


def test_a_reader_never_misses_one(store: Store) -> None:
    """Writers whose transactions overlap; a reader that follows by `seq` sees every event exactly once."""
    is_over = threading.Event()
    seen: list[str] = []

    def write(writer: int) -> None:
        for number in range(15):
            with store.writing() as session:
                outbox.emit(session, "thing.happened", f"{writer}-{number}", {}, "w")
                if store.dialect == "postgresql":  # SQLite has one writer at a time
                    time.sleep(random.random() * 0.004)

    def read() -> None:
        after = 0
        while True:
            last_round = is_over.is_set()
            with store.reading() as session:
                events = outbox.read(session, after, 10)
            seen.extend(event.subject for event in events)
            after = events[-1].seq if events else after
            if last_round and not events:
                return

    with ThreadPoolExecutor(7) as pool:
        reader = pool.submit(read)
        for writer in [pool.submit(write, n) for n in range(6)]:
            writer.result()
        is_over.set()
        reader.result()
    assert len(seen) == 90
    assert set(seen) == {f"{writer}-{number}" for writer in range(6) for number in range(15)}


def test_pruning_never_gives_a_number_twice(store: Store, clock: ManualClock) -> None:
    _say(store, "old.happened")
    with store.reading() as session:
        before = outbox.last_seq(session)
    clock.advance(timedelta(days=100))
    with store.writing() as session:
        assert outbox.prune(session, clock.now() - timedelta(days=90)) == 1
    _say(store, "new.happened")
    with store.reading() as session:
        (event,) = outbox.read(session, before)
    assert event.seq > before
