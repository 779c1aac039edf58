"""The platform's own daily job: removes events, incidents, sessions and audit entries that are older than the settings keep them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from aerodrome.access.retention import tidy
from aerodrome.environments import retention
from aerodrome.environments.contract import Secrets
from aerodrome.fleet.incidents import journal
from aerodrome.kernel.clock import Clock
from aerodrome.settings.model import Settings
from aerodrome.store import Store, jobs
from aerodrome.store.jobs import LeasedJob

KIND = "platform.tidy"
_EVERY = timedelta(days=1)
_VERSIONS_KEPT = timedelta(days=365)  # of environment objects; the newest ones of each stay for ever
_log = structlog.get_logger("aerodrome.bootstrap")


@dataclass(frozen=True)
class Housekeeper:
    """Handles the job; one for the whole platform, however many workers there are."""

    store: Store
    clock: Clock
    settings: Settings
    secrets: Secrets

    def ask(self) -> None:
        """Ask for a look; called at every start."""
        with self.store.writing() as session:
            jobs.enqueue(session, KIND, "daily", lane=KIND)

    def look(self, _job: LeasedJob) -> datetime:
        """Tidy up and come again tomorrow."""
        gone = tidy(
            self.store,
            event_days=self.settings.event_retention_days,
            audit_days=self.settings.audit_retention_days,
        )
        with self.store.writing() as session:
            over = journal.prune(session, self.clock.now() - timedelta(days=self.settings.event_retention_days))
        versions = retention.prune(self.store, self.secrets, self.clock.now() - _VERSIONS_KEPT)
        _log.info(
            "platform.tidied", events=gone.events, audit_entries=gone.audit_entries, incidents=over, versions=versions
        )
        return self.clock.now() + _EVERY
