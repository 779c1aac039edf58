"""What an act is made of: steps that are safe to repeat, in the order in which they are walked, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from aerodrome.fleet.context import FleetContext
from aerodrome.store.tables.act import ActRow
from aerodrome.store.tables.deployment import DeploymentRow


class NotYet(Exception):
    """The step is to be looked at again soon."""


@dataclass(frozen=True)
class Scene:
    """What a step is given. The rows are detached; a step writes through `context`."""

    context: FleetContext
    act: ActRow
    deployment: DeploymentRow
    results: Mapping[str, Mapping[str, Any]]  # of the steps that are done
    begun: frozenset[str]  # keys of the forward steps that were begun at least
    waited_s: float  # since the step first began
    say: Callable[[str], None]


Run: TypeAlias = Callable[[Scene], Mapping[str, Any] | None]
"""Does one step; safe to repeat. Gives what later steps and readers need to know (JSON, no secrets)."""


@dataclass(frozen=True)
class Step:
    key: str
    title: str
    run: Run
    is_after: bool = False  # the act has succeeded already: when this step fails it is tried again, nothing goes back


@dataclass(frozen=True)
class ActKind:
    """One kind of act."""

    forward: tuple[Step, ...]
    back: tuple[Step, ...]  # walked when a step of `forward` failed; each asks what was done before it undoes it
    done_event: str  # suffix of the event and the audit entry: database_moved
