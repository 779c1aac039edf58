"""What a bridge remembers between its looks: one small JSON file, read and replaced under a lock."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from aerodrome.kernel.files import write_text


@dataclass
class Stream:
    """How far one side's events were looked at: all up to `settled`, and above it those in `recent`.

    Ids are given before a transaction commits, so a lower id may become visible after a higher one: `settled` stays behind.
    """

    settled: int = 0
    recent: list[int] = field(default_factory=list)

    def is_new(self, event_id: int) -> bool:
        return event_id > self.settled and event_id not in self.recent


@dataclass
class Consumer:
    """A DAG that is scheduled by assets and lives in the target now."""

    floor: int  # the newest event of the source when the DAG was paused there: later ones are carried to the target
    start: int  # the newest event of the target shortly before the DAG was unpaused there


@dataclass
class BridgeMemory:
    """Positions are ids of event rows of the side in question."""

    consumers: dict[str, Consumer] = field(default_factory=dict)  # in the target
    producers: dict[str, int] = field(default_factory=dict)  # in the target -> its newest event before it started there
    owed: dict[str, list[str]] = field(
        default_factory=dict
    )  # DAG still in the source, paused -> assets to queue where it goes
    source: Stream = field(default_factory=Stream)
    target: Stream = field(default_factory=Stream)
    carried: dict[str, int] = field(default_factory=dict)  # "to-target <asset>" | "to-source <asset>" -> events
    unknown: dict[str, int] = field(
        default_factory=dict
    )  # the same, for events whose asset the other side does not know
    last_at: str | None = None  # when an event was carried last
    problem: str | None = None  # why the last look failed
    states: dict[str, str] = field(
        default_factory=dict
    )  # DAG that others wait for -> how far its run states were carried

    @classmethod
    def of(cls, data: dict[str, Any]) -> BridgeMemory:
        """Read what `as_data` gave."""
        known = dict(data)
        known["consumers"] = {dag_id: Consumer(**item) for dag_id, item in known.get("consumers", {}).items()}
        for name in ("source", "target"):
            known[name] = Stream(**known.get(name, {}))
        return cls(**known)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class MemoryFile:
    """The file; whoever changes it holds its lock, whatever process it is. The folder exists."""

    path: Path

    def read(self) -> BridgeMemory:
        """Give what is remembered; an empty memory before the first change."""
        try:
            return BridgeMemory.of(json.loads(self.path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return BridgeMemory()

    @contextmanager
    def changing(self) -> Iterator[tuple[BridgeMemory, Saver]]:
        """Give the memory and a function that keeps it; nothing is kept without calling that."""
        with self.path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            memory = self.read()
            yield memory, Saver(self.path, memory)


@dataclass(frozen=True)
class Saver:
    path: Path
    memory: BridgeMemory

    def __call__(self) -> None:
        """Replace the file as a whole."""
        write_text(self.path, json.dumps(self.memory.as_data(), indent=2) + "\n")
