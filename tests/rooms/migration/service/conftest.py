"""A platform without a worker: a test leases and runs the jobs itself, so it can look between any two of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from tests.conftest import Legacy
from tests.rooms.web.conftest import platform  # noqa: F401 - a fixture
from tests.rooms.web.world import World

from aerodrome.access.actor import Actor
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.jobs import WATCHES, MigrationJobs
from aerodrome.migration.service.service import Migrations
from aerodrome.migration.service.source_input import SourceInput
from aerodrome.migration.service.views import MigrationView
from aerodrome.store import jobs

NAME = "legacy"


@dataclass
class Desk:
    """The migration room and its users."""

    platform: World
    legacy: Legacy
    stop_before: set[str] = field(default_factory=set)  # keys of steps that are not begun any more

    @property
    def migrations(self) -> Migrations:
        return self.platform.migrations

    def actor(self, name: str = "operator") -> Actor:
        return self.platform.access.authenticate_session(self.platform.session_of(name).reveal())

    def source(self, **changes: str | Secret | None) -> SourceInput:
        project = self.legacy.project
        values = {
            "database_url": Secret(self.legacy.url),
            "fernet_keys": Secret(self.legacy.fernet_key),
            "dags_folder": str(project / "dags"),
            "plugins_folder": str(project / "plugins"),
            "include_folder": str(project / "include"),
            "requirements_file": str(project / "requirements.txt"),
            "config_file": str(project / "airflow.cfg"),
            "env_file": str(project / "scheduler.env"),
        }
        return SourceInput(**{**values, **changes})  # type: ignore[arg-type]

    def connect(self) -> MigrationView:
        self.platform.fleet.create_workspace(self.actor("admin"), "data")
        return self.migrations.connect(self.actor(), NAME, "data", self.source())

    def assessed(self) -> MigrationView:
        self.connect()
        self.migrations.assess(self.actor(), NAME)
        self.work()
        return self.view

    @property
    def view(self) -> MigrationView:
        return self.migrations.get(self.actor(), NAME)

    def is_stopping(self) -> bool:
        waiting = next((step.key for track in self.view.tracks for step in track.steps if step.status != "done"), None)
        return waiting in self.stop_before

    def deployment(self, name: str) -> NewDeployment:
        return NewDeployment(name, "data", airflow_version="3.3.2")

    def work(self, is_stopping: Callable[[], bool] | None = None) -> None:
        """Run the job that is due, as the worker does; nothing happens when none is. Jobs that only watch wait."""
        store, clock = self.platform.store, self.platform.clock
        all_kinds = MigrationJobs(self.migrations, "3.3.2", is_stopping=is_stopping or self.is_stopping).handlers()
        handlers = {kind: look for kind, look in all_kinds.items() if kind not in WATCHES}
        job = jobs.lease(store, clock, "test", 60, handlers)
        if job is not None:
            jobs.finish(store, job, look_again_at=handlers[job.kind](job))


@pytest.fixture
def desk(platform: World, legacy: Legacy) -> Desk:  # noqa: F811
    return Desk(platform, legacy)
