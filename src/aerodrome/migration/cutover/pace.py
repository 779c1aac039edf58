"""A pace: at most so many DAGs a second, with a short burst. Pure but for its own count."""

from __future__ import annotations

from datetime import datetime


class Pace:
    """A bucket that fills by `per_s` a second and holds what one second gives."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._left = max(per_s, 1.0)
        self._seen_at: datetime | None = None

    def take(self, now: datetime) -> bool:
        """Tell whether one more may go now, and count it."""
        if self._seen_at is not None:
            passed = max((now - self._seen_at).total_seconds(), 0.0)
            self._left = min(self._left + passed * self._per_s, max(self._per_s, 1.0))
        self._seen_at = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
