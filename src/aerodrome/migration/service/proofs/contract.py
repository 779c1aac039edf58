"""What a proof is asked for and what others see of it, and what its step handlers are given."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from aerodrome.access.actor import Actor
from aerodrome.fleet.service import Fleet
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.service.context import Stopped
from aerodrome.migration.service.folder import MigrationFolder
from aerodrome.migration.service.views import StepView
from aerodrome.migration.sources.contract import AnySourceConfig, SourceAdapter
from aerodrome.store.tables.migration import MigrationRow

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations

ProofKind = Literal["compare", "checklist", "decommission", "promotion"]
PROOF_JOB = "migration.prove"


@dataclass(frozen=True)
class CompareWish:
    """What to compare, and where. `deployment` is made when there is none of that name in the migration's workspace."""

    deployment: str
    dag_ids: tuple[str, ...] = ()  # empty: all that the plan moves
    wave: str | None = None
    file: str | None = None  # text of a comparison file
    with_shadow: bool = True  # False: structure and data checks only
    allow_connections: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    source_logs: str | None = None  # folder of the source's task logs, on the server's machine
    timeout_s: float = 900.0  # for the shadow runs of one step


@dataclass(frozen=True)
class PromoteWish:
    """How a wave goes from a development deployment to production. The comparison file also declares the tests."""

    compare: CompareWish
    with_compare: bool = True
    error_budget: int | None = None  # DAGs or data checks that may go wrong, at each gate; None: as the plan says
    watch_s: float = 0.0  # so long the target's runs are watched after the first cycles
    at_once: bool = False  # do not wait for the wave's window


@dataclass(frozen=True)
class ProofView:
    """A proof and how far it is."""

    id: str
    migration_id: str
    kind: str
    status: Literal["queued", "running", "done", "failed"]
    params: Mapping[str, Any]
    result: Mapping[str, Any]
    error: Mapping[str, Any] | None
    actor: str
    created_at: datetime
    finished_at: datetime | None
    steps: tuple[StepView, ...]

    @property
    def done_count(self) -> int:
        return sum(step.status == "done" for step in self.steps)

    @property
    def is_busy(self) -> bool:
        return self.status in ("queued", "running")


@dataclass(frozen=True)
class ParityView:
    """The newest parity report of a DAG, in short."""

    dag_id: str
    verdict: Literal["match", "explained", "mismatch", "not-compared"]
    summary: str
    counts: Mapping[str, Mapping[str, int]]  # aspect -> outcome -> number
    deployment: str
    proof_id: str
    digest: str
    made_at: datetime


@dataclass
class ProofContext:
    """One walk of a proof: what its steps share."""

    migrations: Migrations
    row: MigrationRow
    proof_id: str
    params: Mapping[str, Any]
    actor: Actor
    results: dict[str, Mapping[str, Any]]
    progress: Callable[[str], None] = field(default=lambda _text: None)
    is_stopping: Callable[[], bool] = field(default=lambda: False)

    @property
    def fleet(self) -> Fleet:
        return self.migrations.fleet

    @cached_property
    def folder(self) -> MigrationFolder:
        return self.migrations.folder_of(self.row)

    @cached_property
    def estate(self) -> Estate:
        return self.migrations.estate_of(self.row)

    @cached_property
    def dags(self) -> dict[str, DagRecord]:
        return {dag.dag_id: dag for dag in self.estate.records("dag")}

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        return self.migrations.frozen(self.row).settings

    @cached_property
    def config(self) -> AnySourceConfig:
        return self.migrations.config_of(self.row)

    @cached_property
    def source(self) -> SourceAdapter:
        return self.migrations.open_source(self.row)

    def sleep(self, seconds: float) -> None:
        """Wait inside a step; raises Stopped when the server goes down meanwhile (the step is repeated later)."""
        if self.is_stopping():
            raise Stopped
        time.sleep(seconds)

    def close(self) -> None:
        if (opened := self.__dict__.pop("source", None)) is not None:
            opened.close()
