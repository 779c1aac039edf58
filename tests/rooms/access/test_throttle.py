"""Guessing is counted per name in a sliding window, and the count stays small in memory."""

from __future__ import annotations

from datetime import timedelta

import pytest

from aerodrome.access.throttle import Throttle
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Unavailable


def test_the_window_slides(clock: ManualClock) -> None:
    throttle = Throttle(clock, limit=3, window=timedelta(seconds=60))
    for _ in range(3):
        throttle.check("ann")
        throttle.failed("ann")
        clock.advance(timedelta(seconds=10))
    with pytest.raises(Unavailable) as caught:
        throttle.check("ann")
    assert caught.value.retry_after_s == 30
    clock.advance(timedelta(seconds=30))
    throttle.check("ann")
    throttle.failed("ann")
    with pytest.raises(Unavailable):
        throttle.check("ann")
    throttle.check("bob")


def test_forgotten_names_cost_nothing(clock: ManualClock) -> None:
    throttle = Throttle(clock, limit=3, window=timedelta(seconds=60))
    for number in range(10_000):
        throttle.failed(str(number))
    clock.advance(timedelta(seconds=61))
    throttle.failed("one more")
    assert list(throttle._failures) == ["one more"]
