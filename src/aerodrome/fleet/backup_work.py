"""The work behind backups, done by the worker: take, try by restoring into a scratch database, schedule, let go of old ones."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.fleet import backups, cron, wishes
from aerodrome.fleet.acts import queries as acts
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.store import jobs, outbox
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.snapshot import SnapshotRow

_WAIT = timedelta(seconds=5)
_ATTEMPTS = 3
_LATEST = timedelta(hours=12)  # a scheduled backup that the platform missed is taken later, but not twice
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class BackupWork:
    """Handles the two jobs of backups."""

    context: FleetContext

    def ask_all(self) -> None:
        """Ask for the schedules of all deployments and for what was being taken; called at start."""
        with self.context.store.writing() as session:
            for row in session.scalars(select(DeploymentRow)):
                if row.backup_schedule:
                    jobs.enqueue(session, backups.SCHEDULE, row.id, lane=f"{backups.SCHEDULE}:{row.id}")
            query = select(SnapshotRow).where(SnapshotRow.status == "taking", SnapshotRow.kind.in_(backups.OURS))
            for backup in session.scalars(query):
                jobs.enqueue(session, backups.TAKE, backup.id, lane=f"{backups.TAKE}:{backup.deployment_id}")

    def take(self, job: LeasedJob) -> datetime | None:
        """Take the backup `job.key` and try it, or only try it."""
        with self.context.store.reading() as session:
            backup = session.get(SnapshotRow, job.key)
            row = session.get(DeploymentRow, backup.deployment_id) if backup is not None else None
            if backup is None or row is None or row.desired == "deleted":
                return None
            if acts.is_held(session, row.id):  # the database is being moved or replaced
                return self.context.clock.now() + _WAIT
            deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
        try:
            spec = runtime_spec(self.context, row, deploy, lambda _line: None)
            if backup.status == "taking":
                if not self._take(backup, spec):
                    return None
                self.prune(row.id)
                if not self._is_to_verify(row, backup):
                    return None
            self._verify(backup, spec)
        except AerodromeError as error:
            if error.retryable and job.attempt < _ATTEMPTS:
                raise
            self._failed(backup, error)
        return None

    def take_now(self, backup: SnapshotRow, spec: RuntimeSpec) -> None:
        """Take a backup here and now; when it fails, its row says why and the error is raised."""
        try:
            self._take(backup, spec)
        except AerodromeError as error:
            self._failed(backup, error)
            raise

    def schedule(self, job: LeasedJob) -> datetime | None:
        """Queue the backup that is due, remove the ones that are too many or too old; give when the next is due."""
        now = self.context.clock.now()
        with wishes.writing(self.context) as session:
            row = session.get(DeploymentRow, job.key, with_for_update=True)
            if row is None or row.backup_schedule is None or row.desired == "deleted":
                return None
            wish = dict(row.backup_schedule)
            due = from_text(wish["next_at"])
            if due is not None and due <= now:
                if row.desired == "running" or now - due < _LATEST:
                    backups.new_row(self.context, session, row, "backup", "system", f"Scheduled: {wish['cron']}")
                wish["next_at"] = to_text(cron.next_after(wish["cron"], wish["timezone"], now))
                row.backup_schedule = wish
        self.prune(job.key)
        self.context.ring()
        return from_text(wish["next_at"])

    def prune(self, deployment_id: str) -> int:
        """Let go of backups beyond the schedule's number and days, and of what has expired; gives how many.

        Snapshots from before a change of the Airflow version are never touched here: the deploys' retention owns them.
        """
        now = self.context.clock.now()
        with self.context.store.writing() as session:
            row = session.get(DeploymentRow, deployment_id)
            gone = [] if row is None else _superfluous(session, row, now)
            places = [self.context.home / item.place for item in gone]
            for item in gone:
                session.delete(item)
        for place in places:
            shutil.rmtree(place, ignore_errors=True)
        self._sweep(deployment_id)
        return len(places)

    def _take(self, backup: SnapshotRow, spec: RuntimeSpec) -> bool:
        """Take it; False when it, or its deployment, was deleted meanwhile: then nothing of it stays."""
        folder = self.context.home / backup.place
        taken = self.context.runtime.snapshot(spec, folder, lambda _line: None)
        with self.context.store.writing() as session:
            row = session.get(SnapshotRow, backup.id, with_for_update=True)
            if row is None:
                shutil.rmtree(folder, ignore_errors=True)
                with suppress(OSError):  # other backups are in it
                    folder.parent.rmdir()
                return False
            row.status = "kept"
            row.airflow_version, row.dialect = taken.airflow_version, taken.dialect
            row.size_bytes, row.digest = taken.size_bytes, taken.digest
            row.row_counts = dict(taken.row_counts)
            row.finished_at = self.context.clock.now()
            data = {"deployment_id": row.deployment_id, "size_bytes": row.size_bytes, "kind": row.kind}
            outbox.emit(session, "backup.taken", row.id, data, row.actor)
        _log.info("backup.taken", deployment=backup.deployment_id, backup=backup.id, size_bytes=taken.size_bytes)
        return True

    def _verify(self, backup: SnapshotRow, spec: RuntimeSpec) -> None:
        self.context.runtime.databases.verify(spec, self.context.home / backup.place)
        with self.context.store.writing() as session:
            row = session.get(SnapshotRow, backup.id)
            if row is None:  # deleted meanwhile
                return
            row.verified_at, row.error = self.context.clock.now(), None
            outbox.emit(session, "backup.verified", row.id, {"deployment_id": row.deployment_id}, row.actor)

    def _is_to_verify(self, row: DeploymentRow, backup: SnapshotRow) -> bool:
        wish = (row.backup_schedule or {}).get("verify", "each")
        if wish != "daily" or backup.kind == "manual":
            return bool(wish != "never") or backup.kind == "manual"
        with self.context.store.reading() as session:
            since = self.context.clock.now() - timedelta(days=1)
            query = select(SnapshotRow.id).where(SnapshotRow.deployment_id == row.id, SnapshotRow.verified_at > since)
            return session.scalars(query.limit(1)).first() is None

    def _failed(self, backup: SnapshotRow, error: AerodromeError) -> None:
        _log.warning("backup.failed", deployment=backup.deployment_id, backup=backup.id, code=error.code)
        with self.context.store.writing() as session:
            row = session.get(SnapshotRow, backup.id)
            if row is None:  # deleted meanwhile
                return
            if row.status == "taking":
                row.status = "failed"
            row.error = error.as_data()
            row.finished_at = row.finished_at or self.context.clock.now()
            data = {"deployment_id": row.deployment_id, "error": row.error}
            outbox.emit(session, "backup.failed", row.id, data, row.actor)

    def _sweep(self, deployment_id: str) -> None:
        """Remove folders that no row names: what a kill between the commit and the removal left behind."""
        with self.context.store.reading() as session:
            query = select(SnapshotRow.place).where(SnapshotRow.deployment_id == deployment_id)
            known = {Path(place).name for place in session.scalars(query)}
        root = self.context.home / "snapshots" / deployment_id
        for folder in root.iterdir() if root.is_dir() else ():
            if folder.name not in known and _is_old(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _superfluous(session: Session, row: DeploymentRow, now: datetime) -> list[SnapshotRow]:
    wish = row.backup_schedule or {}
    keep, days = int(wish.get("keep", 0)), int(wish.get("days", 0))
    query = select(SnapshotRow).where(SnapshotRow.deployment_id == row.id, SnapshotRow.status.in_(("kept", "failed")))
    used = acts.snapshots_in_use(session)
    rows = [
        item
        for item in session.scalars(query.order_by(SnapshotRow.created_at.desc()))
        if item.kind != "before-version" and item.id not in used and item.deploy_id not in used
    ]
    scheduled = [item for item in rows if item.kind == "backup" and item.status == "kept"]
    oldest = now - timedelta(days=days) if days else None
    gone = scheduled[keep:] if keep else []
    # the newest one stays however old it is: a schedule that fails must not end with nothing
    gone += [item for item in scheduled[1:] if oldest is not None and item.created_at < oldest]
    gone += [item for item in rows if item.expires_at is not None and item.expires_at < now]
    gone += [item for item in rows if item.status == "failed" and item.created_at < now - timedelta(days=7)]
    return list({item.id: item for item in gone}.values())


def _is_old(folder: Path) -> bool:
    return time.time() - folder.stat().st_mtime > 24 * 3600
