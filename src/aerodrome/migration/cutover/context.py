"""What every act of a cutover is given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import AerodromeError, Conflict, NotFound
from aerodrome.migration.cutover.requests import Hindrances, Look, View
from aerodrome.migration.cutover.target import TargetSide
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.contract import CarriedRuns, DagState, StopsRuns

Outcomes = Mapping[str, Any]
"""Per DAG what came of it; an AerodromeError for a DAG for which it failed."""


class SourceSide(Protocol):
    """What a cutover needs of the source; every SourceAdapter offers it."""

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]: ...

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]: ...

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]: ...

    def hold_back(self, dag_id: str, mark: str) -> None: ...

    def locked(self, dag_ids: Sequence[str]) -> AbstractContextManager[None]: ...

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int: ...


class EventBridge(Protocol):
    """Carries asset events between the sides; `migration.bridge.Bridge` is one. Each method is safe to repeat."""

    def concerns(self, dag_id: str) -> bool: ...

    def before_start(self, dag_id: str) -> None: ...

    def after_start(self, dag_id: str) -> None: ...

    def take_back(self, dag_id: str) -> None: ...


@dataclass(frozen=True)
class CutoverContext:
    """Both sides of a hand-over. Acts read both sides afresh each time; they keep nothing here."""

    source: SourceSide
    target: TargetSide
    sync: Callable[
        [Sequence[str], datetime | None], Outcomes
    ]  # moves histories and hands schedules over, for many DAGs
    dags: Mapping[str, DagRecord]  # the estate's records of the DAGs of this wave
    clock: Clock
    sleep: Callable[[float], None]  # may raise to stop: every act is safe to repeat
    mark: str  # left on both sides, found again by retries: "aerodrome:<migration id>"
    carried: Callable[[str], CarriedRuns] | None = None  # reads what the target ran itself, in the source's words
    ahead: Callable[[Sequence[str]], None] | None = (
        None  # moves what ended so far, for many DAGs; in a thread of its own
    )
    events: EventBridge | None = None  # None: the source's events cannot be read and written
    stopping: StopsRuns | None = None  # None: runs cannot be stopped in this source
    hindrances: Callable[[Collection[str]], Mapping[str, Hindrances]] = field(default=lambda _ids: {})
    versions: Callable[[Sequence[str]], Mapping[str, str]] | None = None  # of DAGs in the source: they change with it
    poll_s: float = 2.0
    catchup_by_default: bool = True  # the source's [scheduler] catchup_by_default: a DAG that does not say follows it
    settle_s: float = 3.0  # how long the source must stay empty before it counts as drained

    def bridges(self, dag_id: str) -> bool:
        """Tell whether events are carried for a DAG."""
        return self.events is not None and self.events.concerns(dag_id)

    def look(self, dag_id: str, *, with_target: bool = False) -> Generator[Look, View, View]:
        """Read a DAG's state now; NotFound when the source no longer has it."""
        view = yield Look(dag_id, with_target=with_target)
        self.known(dag_id, view)
        return view

    def known(self, dag_id: str, view: View) -> DagState:
        """Give the source's state; NotFound when the source no longer has the DAG."""
        if view.source is None:
            raise NotFound(
                f"The source no longer has the DAG {dag_id}.",
                code="source-dag-missing",
                hint="Assess the source again and make a new plan.",
                details={"dag_id": dag_id},
            )
        return view.source

    def catches_up(self, dag_id: str) -> bool:
        """Tell whether the DAG runs every interval; Airflow 2 serializes `catchup` only where it is not the default."""
        catchup = self.dags[dag_id].catchup
        return self.catchup_by_default if catchup is None else catchup

    def unchanged(self, dag_id: str, view: View) -> None:
        """Conflict `source-dag-changed` when the source has another version of the DAG than the plan was made for."""
        record = self.dags.get(dag_id)
        planned = record.version if record is not None else None
        if planned is None or view.version is None or planned == view.version:
            return
        raise Conflict(
            f"{dag_id} has changed in the source since the plan was made.",
            code="source-dag-changed",
            hint="Assess again, so that the target gets the new version: `aerodrome migrate assess NAME`. "
            "If the change does not matter, accept it in the plan: accept: [change].",
            details={"dag_id": dag_id},
        )

    def held(self, dag_id: str, view: View) -> DagState:
        """Give the source's state; Conflict `source-not-held` when somebody unpaused the DAG or it was never ours."""
        state = self.known(dag_id, view)
        record = self.dags.get(dag_id)
        was_paused = record is not None and record.is_paused
        if state.is_paused and (state.mark == self.mark or was_paused):
            return state
        raise Conflict(
            f"{dag_id} is not paused in the source by this cutover any more.",
            code="source-not-held",
            hint="Somebody changed it in the source. Roll this DAG back, or start its cutover again.",
            details={"dag_id": dag_id, "is_paused": state.is_paused, "mark": state.mark},
        )
