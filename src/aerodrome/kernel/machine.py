"""State machines as tables: `{(state, event): state}`; a room's `machine.py` holds one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aerodrome.kernel.errors import Conflict


@dataclass(frozen=True)
class Machine:
    """A named machine: its first state, a sentence per state, and its transitions."""

    name: str
    initial: str
    states: Mapping[str, str]
    transitions: Mapping[tuple[str, str], str]

    def next(self, state: str, event: str) -> str:
        """Give the state after the event; Conflict when the event is not allowed in this state."""
        try:
            return self.transitions[state, event]
        except KeyError:
            allowed = sorted(event for (at, event) in self.transitions if at == state)
            raise Conflict(
                f"{self.name} is {state}: {event} is not possible now.",
                code=f"{self.name}-not-{event}",
                hint=f"Possible now: {', '.join(allowed) or 'nothing'}.",
            ) from None
