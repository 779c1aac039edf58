"""The handler of the daily job "deploys.tidy": removes the files of deploys that nothing needs any more.

Files are bundles, a deployment's own copies of them (releases), and virtualenvs. A deploy keeps its files while it is live or
unfinished, while it is the newest one, for `deploy_retention_days` after it was superseded or had failed, and as long as a kept
snapshot or a rehearsal refers to it. Its row stays for ever and says when the files went. Reads are in bulk; every act is safe
to repeat: rows are marked first, and files go only when no unmarked row names them.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from aerodrome.builds.bundles import BundleStore
from aerodrome.builds.venvs import VenvStore
from aerodrome.environments.backends import airflow_requirements
from aerodrome.fleet import databases, ways
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.machine import UNFINISHED
from aerodrome.fleet.spec import venv_spec
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.kernel.errors import AerodromeError
from aerodrome.store import jobs
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.rehearsal import RehearsalRow
from aerodrome.store.tables.snapshot import SnapshotRow

KIND: Final = "deploys.tidy"
_EVERY: Final = timedelta(days=1)
_YOUNG: Final = timedelta(days=1)  # an upload may be about to use what no row names yet
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class Tidied:
    """What one look removed."""

    deploys: int
    bundles: int
    releases: int
    virtualenvs: int


@dataclass(frozen=True)
class Tidier:
    """Tidies up after all deployments of a fleet."""

    context: FleetContext
    bundles: BundleStore
    venvs: VenvStore

    def ask(self) -> None:
        """Ask for a look; called at every start. One job, however many workers there are."""
        with self.context.store.writing() as session:
            jobs.enqueue(session, KIND, "daily", lane=KIND)

    def look(self, _job: LeasedJob | None = None) -> datetime:
        """Tidy up and come again tomorrow."""
        if self.context.deploy_retention_days:
            gone = self.tidy()
            _log.info("deploys.tidied", **vars(gone))
        try:
            for name in databases.drop_orphans(self.context):
                _log.info("deployment.orphan_dropped", deployment=name)
        except AerodromeError as error:  # PostgreSQL is down: tomorrow
            _log.warning("deployment.orphans_kept", code=error.code, error=error.message)
        return self.context.clock.now() + _EVERY

    def tidy(self) -> Tidied:
        """Remove what is older than the settings keep and what nothing needs; give the counts."""
        now = self.context.clock.now()
        before = now - timedelta(days=self.context.deploy_retention_days)
        ways.forget_snapshots(self.context, before)
        stored = self.bundles.digests()  # before the rows are read: what comes later is not touched
        with self.context.store.writing() as session:
            count = _mark(session, before, now)
            deployments = session.scalars(select(DeploymentRow)).all()
            more = {row.id: airflow_requirements(session, row.id) for row in deployments}
            kept = _by_deployment(session.scalars(select(DeployRow).where(DeployRow.artefacts_removed_at.is_(None))))
            needed = {digest for rows in kept.values() for digest in _digests(rows)} | _rehearsed(session, before)
        young = now - _YOUNG
        gone = [name for name, used_at in stored.items() if name not in needed and used_at < young]
        bundles = sum(self.bundles.remove(digest) for digest in gone)
        self.bundles.sweep(young)
        self._sweep_fetched(young)
        releases = sum(self._releases(row, kept.get(row.id, ())) for row in deployments)
        specs = [
            venv_spec(row, deploy, more[row.id]) for row in deployments for deploy in (None, *kept.get(row.id, ()))
        ]
        keep = {self.venvs.path(spec) for spec in specs} | self.context.runtime.virtualenvs()
        return Tidied(count, bundles, releases, len(self.venvs.forget(keep, before)))

    def _releases(self, row: DeploymentRow, kept: Sequence[DeployRow]) -> int:
        try:
            url = DeploymentVault(self.context.secrets, row.id).database_url()
            return self.context.runtime.forget_releases(row.id, url, _digests(kept))
        except AerodromeError as error:  # its Airflow cannot say what is pinned: all of it stays until tomorrow
            _log.warning("deploys.releases_kept", deployment=row.id, code=error.code, error=error.message)
            return 0

    def _sweep_fetched(self, before: datetime) -> None:
        """Remove work trees that a killed fetch left behind before that moment."""
        folder = self.context.home / "fetched"
        for path in folder.iterdir() if folder.is_dir() else ():
            with suppress(FileNotFoundError):
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                    shutil.rmtree(path, ignore_errors=True)


def _mark(session: Session, before: datetime, now: datetime) -> int:
    """Write into the deploys whose time is up that their files are gone; give how many."""
    rows = _by_deployment(session.scalars(select(DeployRow).where(DeployRow.artefacts_removed_at.is_(None))))
    current = set(
        session.scalars(select(DeploymentRow.current_deploy_id).where(DeploymentRow.current_deploy_id.is_not(None)))
    )
    referred = _referred(session, rows, before)
    expired = [
        row.id
        for of_one in rows.values()
        for row, ended_at in _ends(of_one)
        if ended_at is not None and ended_at < before and row.id not in current | referred
    ]
    for start in range(0, len(expired), 500):
        chunk = expired[start : start + 500]
        session.execute(update(DeployRow).where(DeployRow.id.in_(chunk)).values(artefacts_removed_at=now))
    session.expire_all()
    return len(expired)


def _ends(rows: Sequence[DeployRow]) -> Iterable[tuple[DeployRow, datetime | None]]:
    """Give each deploy of one deployment with the moment since which it is only history; None: it is not."""
    newest = max((row.number for row in rows if row.status != "failed"), default=0)
    were_live = sorted((row.number, row.live_at) for row in rows if row.live_at is not None)
    for row in rows:
        if row.status == "live" or row.status in UNFINISHED or row.number == newest:
            yield row, None
        elif row.live_at is None:
            yield row, row.created_at
        else:  # deploys go live in the order of their numbers
            number = row.number
            yield row, next((moment for other, moment in were_live if other > number), None)


def _referred(session: Session, rows: Mapping[str, Sequence[DeployRow]], before: datetime) -> set[str]:
    """Give the deploys that a kept snapshot or a rehearsal refers to: a way back starts there."""
    asked = set(session.scalars(select(SnapshotRow.deploy_id).where(SnapshotRow.status.in_(("taking", "kept")))))
    found = {deploy_id for deploy_id in asked if deploy_id}
    for of_one in rows.values():
        for row in [row for row in of_one if row.id in asked]:
            earlier = [other for other in of_one if other.live_at is not None and other.number < row.number]
            if earlier:  # the way back leads to what was live before it
                found.add(max(earlier, key=lambda other: other.number).id)
    query = select(RehearsalRow.rollback_of).where(RehearsalRow.created_at >= before)
    return found | {deploy_id for deploy_id in session.scalars(query) if deploy_id}


def _rehearsed(session: Session, before: datetime) -> set[str]:
    query = select(RehearsalRow.bundle_digest, RehearsalRow.extra_bundles).where(RehearsalRow.created_at >= before)
    return {digest for row in session.execute(query) for digest in (row[0], *row[1].values()) if digest}


def _digests(rows: Iterable[DeployRow]) -> set[str]:
    return {digest for row in rows for digest in (row.bundle_digest, *row.extra_bundles.values()) if digest}


def _by_deployment(rows: Iterable[DeployRow]) -> dict[str, list[DeployRow]]:
    found: dict[str, list[DeployRow]] = defaultdict(list)
    for row in rows:
        found[row.deployment_id].append(row)
    return found
