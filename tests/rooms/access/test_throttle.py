"""Guessing is counted per name in a sliding window, by all servers together; the count stays small."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from aerodrome.access.throttle import Throttle
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Unavailable
from aerodrome.store import Store
from aerodrome.store.tables.sign_in_failure import SignInFailure

MINUTE = timedelta(seconds=60)


def test_the_window_slides(store: Store, clock: ManualClock) -> None:
    throttle = Throttle(store, limit=3, window=MINUTE)
    for _ in range(3):
        throttle.attempt("ann")
        clock.advance(timedelta(seconds=10))
    with pytest.raises(Unavailable) as caught:
        throttle.attempt("ann")
    assert caught.value.retry_after_s == 30
    clock.advance(timedelta(seconds=30))
    throttle.attempt("ann")
    with pytest.raises(Unavailable):
        throttle.attempt("ann")
    throttle.attempt("bob")


def test_two_servers_count_together(store: Store) -> None:
    one, two = (Throttle(store, limit=2, window=MINUTE) for _ in range(2))
    one.attempt("ann")
    two.attempt("ann")
    with pytest.raises(Unavailable):
        one.attempt("ann")


def test_guesses_at_the_same_moment_count_each(store: Store) -> None:
    throttle = Throttle(store, limit=3, window=MINUTE)

    def guess(_number: int) -> bool:
        try:
            throttle.attempt("ann")
        except Unavailable:
            return False
        return True

    with ThreadPoolExecutor(8) as hands:
        assert sum(hands.map(guess, range(16))) == 3


def test_what_was_right_is_not_counted(store: Store) -> None:
    throttle = Throttle(store, limit=1, window=MINUTE)
    for _ in range(3):
        throttle.succeeded(throttle.attempt("ann"))


def test_names_are_not_kept_and_old_ones_cost_nothing(store: Store, clock: ManualClock) -> None:
    throttle = Throttle(store, limit=3, window=MINUTE)
    for number in range(20):
        throttle.attempt(f"hunter2-{number}")
    with store.reading() as session:
        assert not [row for row in session.scalars(select(SignInFailure)) if "hunter2" in row.name_digest]
    clock.advance(timedelta(seconds=61))
    throttle.attempt("one more")
    with store.reading() as session:
        assert session.scalar(select(func.count()).select_from(SignInFailure)) == 1
