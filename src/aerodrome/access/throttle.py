"""Slows down guessing: counts failures per name within a sliding window. Kept in memory, per server process."""

from __future__ import annotations

import threading
from collections import deque
from datetime import datetime, timedelta

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import Unavailable

_MAX_NAMES = 10_000


class Throttle:
    """At most `limit` failures per name in `window`. Thread-safe."""

    def __init__(self, clock: Clock, limit: int, window: timedelta) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window
        self._failures: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def check(self, name: str) -> None:
        """Raise Unavailable (with the seconds to wait) when the name had too many failures just now."""
        with self._lock:
            failures = self._recent(name)
            if len(failures) < self._limit:
                return
            wait = failures[0] + self._window - self._clock.now()
        raise Unavailable(
            "There were too many failed attempts for this name.",
            code="login-throttled",
            hint=f"Wait {max(1, round(wait.total_seconds()))} seconds, or use a login link.",
            retry_after_s=max(1.0, wait.total_seconds()),
        )

    def failed(self, name: str) -> None:
        """Count a failure."""
        with self._lock:
            failures = self._recent(name)
            failures.append(self._clock.now())
            if len(self._failures) >= _MAX_NAMES:
                self._failures = {other: times for other in self._failures if (times := self._recent(other))}
            self._failures[name] = failures

    def _recent(self, name: str) -> deque[datetime]:
        failures = self._failures.get(name) or deque(maxlen=self._limit)
        oldest = self._clock.now() - self._window
        while failures and failures[0] <= oldest:
            failures.popleft()
        return failures
