"""Where each DAG of an estate of definitions stands: who holds it in the source, and which time ran there last.

One JSON file in the migration's folder, written by people (through the service) and by the adapter, both under its lock.
It is what a database is for other sources: the mark of our hold stands here, because Oozie and Control-M have no place for one.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aerodrome.kernel.clock import from_text

FILE = "boundaries.json"


@dataclass(frozen=True)
class Boundary:
    """What is known of one DAG. Moments are ISO 8601 UTC texts."""

    last_done: str | None = (
        None  # the nominal time (Oozie) or the scheduled time of the order (Control-M) that ran last
    )
    has_never_run: bool = False  # a person said so
    confirmed_by: str = ""  # who holds it in the source, where a person does
    confirmed_at: str | None = None
    job: str = ""  # the id of the running job, where its name does not tell
    mark: str | None = None  # of our hold
    let_go: str | None = None
    is_pause_time_set: bool = False  # we told Oozie to materialize no more
    carried_until: str | None = None  # the newest time that the target ran, told on the way back
    carried_runs: int = 0

    @property
    def last_moment(self) -> datetime | None:
        return from_text(self.last_done)

    @property
    def is_told(self) -> bool:
        """Tell whether it is known where a schedule goes on."""
        return self.last_done is not None or self.has_never_run


@dataclass(frozen=True)
class BoundaryFile:
    """The file; whoever changes it holds its lock, whatever process it is. Its folder exists when something is changed."""

    path: Path

    def read(self) -> dict[str, Boundary]:
        """Give what is known by DAG; nothing before the first change."""
        try:
            found: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        return {dag_id: Boundary(**item) for dag_id, item in found.items()}

    @contextmanager
    def changing(self) -> Iterator[dict[str, Boundary]]:
        """Give what is known to be changed in place; it is written when the block ends well."""
        with self.path.with_name(self.path.name + ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = self.read()
            yield known
            draft = self.path.with_name(self.path.name + ".new")
            content = {dag_id: asdict(item) for dag_id, item in sorted(known.items())}
            draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
            draft.replace(self.path)
