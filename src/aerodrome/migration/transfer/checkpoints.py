"""Where a history transfer remembers how far it is, so that a killed one goes on instead of starting over.

The service keeps the state in its journal; a file serves tools and tests. Losing a checkpoint costs time, never rows:
what already stands in the target is recognised and left untouched.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

from aerodrome.kernel.files import write_text


class Checkpoint(Protocol):
    """Keeps one small JSON object."""

    def load(self) -> dict[str, Any] | None:
        """Give what was saved last, None before the first save."""
        ...

    def save(self, state: dict[str, Any]) -> None:
        """Keep the state durably."""
        ...


class NoCheckpoint:
    """Remembers nothing: a transfer starts over."""

    def load(self) -> dict[str, Any] | None:
        return None

    def save(self, state: dict[str, Any]) -> None:
        pass


class FileCheckpoint:
    """Keeps the state in one file, replaced atomically."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> dict[str, Any] | None:
        try:
            state: dict[str, Any] = json.loads(self._path.read_text())
        except FileNotFoundError:
            return None
        return state

    def save(self, state: dict[str, Any]) -> None:
        write_text(self._path, json.dumps(state))
