"""What every act of a cutover is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.migration.cutover.target import TargetSide
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.contract import DagState, SourceAdapter


@dataclass(frozen=True)
class CutoverContext:
    """Both sides of a hand-over. Acts read both sides afresh each time; they keep nothing here."""

    source: SourceAdapter
    target: TargetSide
    sync: Callable[[str], Mapping[str, Any]]  # moves the rest of one DAG's history and hands its schedule over
    dags: Mapping[str, DagRecord]  # the estate's records of the DAGs of this wave
    clock: Clock
    sleep: Callable[[float], None]  # may raise to stop: every act is safe to repeat
    mark: str  # left in the source by pause, found again by retries: "aerodrome:<migration id>"
    progress: Callable[[str], None] = field(default=lambda _text: None)
    poll_s: float = 2.0
    catchup_by_default: bool = True  # the source's [scheduler] catchup_by_default: a DAG that does not say follows it
    settle_s: float = 3.0  # how long the source must stay empty before it counts as drained

    def state(self, dag_id: str) -> DagState:
        """Read the source's state of a DAG now; NotFound when the source no longer has it."""
        states = self.source.dag_states([dag_id])
        if dag_id not in states:
            raise NotFound(
                f"The source no longer has the DAG {dag_id}.",
                code="source-dag-missing",
                hint="Assess the source again and make a new plan.",
                details={"dag_id": dag_id},
            )
        return states[dag_id]

    def catches_up(self, dag_id: str) -> bool:
        """Tell whether the DAG runs every interval; Airflow 2 serializes `catchup` only where it is not the default."""
        catchup = self.dags[dag_id].catchup
        return self.catchup_by_default if catchup is None else catchup

    def held(self, dag_id: str) -> DagState:
        """Read the source's state; Conflict `source-not-held` when somebody unpaused the DAG or it was never ours."""
        state = self.state(dag_id)
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
