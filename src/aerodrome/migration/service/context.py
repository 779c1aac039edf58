"""What a step handler is given. Handlers never open database sessions; they act through rooms and return plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from aerodrome.access.actor import Actor
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.builds.bundles import BundleStore
from aerodrome.fleet.service import Fleet
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import Broken
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.service.folder import MigrationFolder
from aerodrome.migration.sources.contract import AnySourceConfig, SourceAdapter
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.runtimes.contract import AirflowAccess


class Stopped(Exception):
    """The walk was interrupted; it goes on where it was."""


class Later(Exception):
    """A step waits for something else that goes on; look again after so many seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass
class StepContext:
    """One walk over a track: what the steps share. Opened and closed by the runner."""

    migration_id: str
    actor: Actor
    settings: Mapping[str, Any]  # the plan's checked settings
    folder: MigrationFolder
    fleet: Fleet
    bundles: BundleStore
    clock: Clock
    open_source: Callable[[], SourceAdapter]
    estate_digest: str
    source_config: AnySourceConfig
    results: dict[str, Mapping[str, Any]]  # step key -> result of every step that is done
    progress: Callable[[str], None] = field(default=lambda _text: None)  # the runner sets it for each step
    is_stopping: Callable[[], bool] = field(default=lambda: False)

    @cached_property
    def source(self) -> SourceAdapter:
        return self.open_source()

    @cached_property
    def estate(self) -> Estate:
        return Estate.open(self.folder.estate(self.estate_digest))

    @cached_property
    def dags(self) -> dict[str, DagRecord]:
        """The estate's DAGs by id."""
        return {dag.dag_id: dag for dag in self.estate.records("dag")}

    def sleep(self, seconds: float) -> None:
        """Wait inside a step; raises Stopped when the server goes down meanwhile (the step is repeated later)."""
        if self.is_stopping():
            raise Stopped
        time.sleep(seconds)

    @property
    def deployment_id(self) -> str:
        """The target deployment, known once environment.deployment is done."""
        try:
            return str(self.results["environment.deployment"]["deployment_id"])
        except KeyError:
            raise Broken(
                "The target deployment is not known yet.",
                code="target-unknown",
                hint="Run `aerodrome migrate apply` first.",
            ) from None

    @cached_property
    def access(self) -> AirflowAccess:
        return self.fleet.access(self.actor, self.deployment_id)

    @cached_property
    def target(self) -> TargetDatabase:
        return TargetDatabase(self.access)

    @cached_property
    def rest(self) -> AirflowRest:
        return AirflowRest.of(self.access)

    def close(self) -> None:
        """Close what was opened."""
        for name in ("source", "target", "rest"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()
