"""What an act may ask for. Acts are generators: they yield requests and are sent the answers.

So one act reads like the story of one DAG, while whoever drives it (`driving.py`) answers the requests of thousands of
DAGs together, in a few round trips. An act keeps nothing between two requests that it must not lose in a crash.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.cutover.target import TargetDag
from aerodrome.migration.estate.calendars import Interval
from aerodrome.migration.sources.contract import DagState


@dataclass(frozen=True)
class Hindrances:
    """What stands against moving a DAG."""

    problem: AerodromeError | None = None
    remarks: tuple[str, ...] = ()  # what the plan accepts


@dataclass(frozen=True)
class View:
    """Both sides of one DAG, as they are now; None: that side does not have it (or was not asked for)."""

    source: DagState | None
    target: TargetDag | None
    now: datetime | None = None  # the target's own clock, where it was looked at
    import_errors: tuple[tuple[str, str], ...] = ()  # (file, traceback) of the target, only when asked for
    hindrances: Hindrances = field(default_factory=Hindrances)  # what else stands against it, only when asked for
    version: str | None = None  # of the DAG in the source, only when asked for and where it can be told


@dataclass(frozen=True)
class Look:
    """Read a DAG's state; answer: View."""

    dag_id: str
    with_target: bool = True
    with_errors: bool = False
    with_version: bool = False


@dataclass(frozen=True)
class Pause:
    """Pause the DAG in the source under our mark."""

    dag_id: str


@dataclass(frozen=True)
class GiveBack:
    """Undo our pause in the source."""

    dag_id: str


@dataclass(frozen=True)
class HoldBack:
    """Keep a DAG that we let go from starting scheduled runs."""

    dag_id: str


@dataclass(frozen=True)
class Sync:
    """Move what the target lacks of the DAG's history and hand its schedule over; answer: what was moved."""

    dag_id: str
    since: datetime | None = None  # only runs that changed after it; None: all


@dataclass(frozen=True)
class Ahead:
    """Move what has ended in the source so far, while the DAG still runs there: less is left for Sync when it is held."""

    dag_id: str


@dataclass(frozen=True)
class Start:
    """Unpause the DAG in the target, if `judge` finds nothing wrong; answer: TargetDag.

    The source's row is locked meanwhile where the source can do that, and both sides are read within the lock: nobody
    can unpause the source between the judgement and the start.
    """

    dag_id: str
    judge: Callable[[View], AerodromeError | None]


@dataclass(frozen=True)
class StopRuns:
    """Stop what runs of the DAG in the source, for the target to run it again."""

    dag_id: str


@dataclass(frozen=True)
class Stopped:
    """Read which runs were stopped in the source; answer: StoppedRuns, None for none."""

    dag_id: str


@dataclass(frozen=True)
class RunAgain:
    """Run in the target again what was stopped of these runs; each at most once. Answer: how many were not yet."""

    dag_id: str
    run_ids: tuple[str, ...]


@dataclass(frozen=True)
class Resume:
    """Let stopped runs go on in the source; `outcomes`: how those ended that the target ran again."""

    dag_id: str
    outcomes: Mapping[str, str]


@dataclass(frozen=True)
class Stop:
    """Pause the DAG in the target."""

    dag_id: str


@dataclass(frozen=True)
class Runs:
    """Read the target's scheduled runs whose interval starts after that of `last`, the oldest first."""

    dag_id: str
    last: Interval | None


@dataclass(frozen=True)
class OwnRuns:
    """Read the target's runs that did not come from the source, the oldest first."""

    dag_id: str


@dataclass(frozen=True)
class RunStates:
    """Read the states of the target's runs of these logical dates: a mapping."""

    dag_id: str
    moments: frozenset[datetime]


@dataclass(frozen=True)
class Backfill:
    """Ask the target for runs of the intervals that start from `first` to `last`."""

    dag_id: str
    first: datetime
    last: datetime


@dataclass(frozen=True)
class AskToParse:
    """Ask the target to read the DAG's file soon."""

    dag_id: str


@dataclass(frozen=True)
class Carry:
    """Write the runs that the target made into the source as finished ones, so that it does not repeat them."""

    dag_id: str


@dataclass(frozen=True)
class Events:
    """Let the bridge bring a DAG that waits for assets, or makes them, what it needs at this point of its hand-over."""

    dag_id: str
    point: Literal["before_start", "after_start", "take_back"]


@dataclass(frozen=True)
class Sleep:
    """Wait; `text` says for what."""

    seconds: float
    text: str = ""


Request = (
    Look | Pause | GiveBack | HoldBack | Sync | Start | Stop | Runs | OwnRuns | RunStates | Backfill | AskToParse
    | Ahead | Carry | Events | StopRuns | Stopped | RunAgain | Resume | Sleep
)  # fmt: skip
Act = Generator[Request, Any, dict[str, Any]]
