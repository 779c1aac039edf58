"""How fast DAGs go, and how many stand between the sides at once. Pure but for their own counts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from math import inf
from typing import Any

from aerodrome.kernel.clock import from_text

ROOM = 25
"""To start with, and the least: what so few DAGs ask for costs no more round trips than what one asks for."""


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


class Room:
    """How many DAGs may be held at once: more while each is started soon, fewer while they stand for too long.

    A busy machine or a slow database makes each round longer; DAGs then wait for each other's history to be moved.
    """

    def __init__(self, largest: int, goal_s: float) -> None:
        self._largest, self._goal_s = largest, goal_s
        self._size = float(largest if goal_s == inf else min(ROOM, largest))
        self._held_at: dict[str, datetime] = {}
        self._shrunk_at: datetime | None = None

    @property
    def size(self) -> int:
        return int(self._size)

    def note(self, dag_id: str, act: str, result: Mapping[str, Any], now: datetime) -> None:
        """Hear that an act of a DAG ended."""
        if act == "pause":
            self._held_at[dag_id] = now
        elif act == "drain" and (busy := from_text(result.get("busy_until"))):
            self._held_at[dag_id] = busy
        elif act == "unpause" and (began := self._held_at.pop(dag_id, None)):
            if (now - began).total_seconds() <= self._goal_s:
                self._size = min(self._size + 0.5, float(self._largest))
            elif (
                self._shrunk_at is None or began > self._shrunk_at
            ):  # those held before the last change say nothing new
                self._size, self._shrunk_at = max(self._size * 0.7, float(min(ROOM, self._largest))), now
