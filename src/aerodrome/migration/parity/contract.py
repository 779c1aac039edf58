"""The words of a parity report: one run as it was on one side, one compared thing, the verdict over a DAG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

Aspect = Literal["structure", "run", "state", "tries", "duration", "xcom", "rendered", "logs", "data"]
ASPECTS: tuple[Aspect, ...] = (
    "structure",
    "run",
    "state",
    "tries",
    "duration",
    "xcom",
    "rendered",
    "logs",
    "data",
)
Outcome = Literal["equal", "explained", "different", "not-compared"]
Verdict = Literal["match", "explained", "mismatch", "not-compared"]
TaskKey = tuple[str, int]  # task id, map index (-1: not mapped)


@dataclass(frozen=True)
class Row:
    """One thing that was looked at on both sides. `source` and `target` are fit to be shown: no secrets, not too long."""

    aspect: Aspect
    subject: str  # a task ("load", "load[3]"), a check
    field: str  # an XCom's key, a template field; empty where there is one thing only
    outcome: Outcome
    source: str
    target: str
    code: str = ""  # why it is explained, different or not compared
    message: str = ""

    def as_data(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass(frozen=True)
class RunFacts:
    """One finished run of one side."""

    run: Mapping[str, Any]  # estate.history.RUN_COLUMNS
    tasks: Mapping[TaskKey, Mapping[str, Any]]  # estate.history.TASK_COLUMNS
    xcoms: Mapping[tuple[str, int, str], str | None] | None  # (task, map index, key) -> JSON text; None: cannot be read
    rendered: Mapping[TaskKey, Mapping[str, Any]] | None
    logs: Mapping[TaskKey, str] | None = None  # text of the last try's log
    unread: tuple[str, ...] = ()  # a sentence per part that this side cannot give

    @property
    def run_id(self) -> str:
        return str(self.run["run_id"])


@dataclass(frozen=True)
class Side:
    """What differs between the sides for known reasons: names that stand in values and mean the same."""

    run_id: str
    began_at: datetime | None
    ended_at: datetime | None
    folders: tuple[str, ...] = ()  # of the project: DAGs folder, home
    names: Mapping[str, str] = field(
        default_factory=dict
    )  # text -> placeholder ("warehouse.internal" -> "{warehouse.host}")


def label(key: TaskKey) -> str:
    """Write a task instance as people do."""
    return key[0] if key[1] < 0 else f"{key[0]}[{key[1]}]"


def counts_of(rows: Iterable[Row]) -> dict[str, dict[str, int]]:
    """Count outcomes by aspect, in the order of ASPECTS."""
    found: dict[str, Counter[str]] = {aspect: Counter() for aspect in ASPECTS}
    for row in rows:
        found[row.aspect][row.outcome] += 1
    return {aspect: dict(counter) for aspect, counter in found.items() if counter}


def verdict_of(rows: Sequence[Row]) -> Verdict:
    """Judge a DAG: any difference is a mismatch; without a compared run it is not compared; else match or explained.

    A part that could not be read on a side (XComs over REST) leaves the verdict at `explained`: the report names it.
    """
    outcomes = {row.outcome for row in rows}
    if "different" in outcomes:
        return "mismatch"
    if not any(row.aspect == "state" and row.outcome != "not-compared" for row in rows):
        return "not-compared"
    return "explained" if outcomes & {"explained", "not-compared"} else "match"
