"""Backups of metadata databases: taken while Airflow runs, tried by restoring them beside it, kept as long as wished.

A backup is a snapshot of the kind `manual` or `backup` (scheduled). Snapshots that changes take before they begin (`before-version`,
`before-move`, `before-restore`) are listed too and may be restored; those of a change of version belong to the deploys.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.fleet import cron, lookup, wishes
from aerodrome.fleet.acts import queries as acts
from aerodrome.fleet.acts.queries import ActView
from aerodrome.fleet.acts.restoring import require_same_version
from aerodrome.fleet.acts.walk import queue
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.store import jobs, outbox
from aerodrome.store.tables.act import ActRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.snapshot import SnapshotRow

TAKE = "deployment.backup"
SCHEDULE = "deployment.backup-schedule"
OURS = ("manual", "backup")
_VERIFY = ("each", "daily", "never")


@dataclass(frozen=True)
class BackupView:
    """One copy of a metadata database at rest."""

    id: str
    deployment_id: str
    kind: str  # manual | backup | before-version | before-move | before-restore
    status: str  # taking | kept | failed
    airflow_version: str
    dialect: str
    size_bytes: int
    row_counts: Mapping[str, int]
    description: str
    actor: str
    error: Mapping[str, Any] | None
    created_at: datetime
    finished_at: datetime | None
    verified_at: datetime | None
    expires_at: datetime | None


@dataclass(frozen=True)
class BackupSchedule:
    """When backups are taken, and how long they are kept."""

    cron: str
    timezone: str = "UTC"
    keep: int = 14  # so many of the newest; 0: no limit by number
    days: int = 30  # so long; 0: no limit by age
    verify: str = "each"  # each | daily | never: which ones are tried by restoring them
    next_at: datetime | None = None


def create(context: FleetContext, actor: Actor, ref: str, description: str = "") -> BackupView:
    """Ask for a backup; it is taken, and tried, in the background."""
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "backup.create")
        if row.desired == "deleted":
            raise Conflict(f"{row.name} is being deleted.", code="deployment-deleting")
        made = new_row(context, session, row, "manual", actor.name, description.strip()[:500])
        audit.record(session, actor, "backup.create", lookup.deployment_scope(row), {"backup": made.id})
        view = _view(made)
    context.ring()
    return view


def list_all(context: FleetContext, actor: Actor, ref: str) -> list[BackupView]:
    """Give the backups of a deployment and the snapshots that changes took, newest first."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "backup.read")
        query = select(SnapshotRow).where(SnapshotRow.deployment_id == row.id, SnapshotRow.status != "deleted")
        return [
            _view(item)
            for item in session.scalars(query.order_by(SnapshotRow.created_at.desc(), SnapshotRow.id.desc()))
        ]


def get(context: FleetContext, actor: Actor, ref: str, backup_id: str) -> BackupView:
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "backup.read")
        return _view(_find(session, row, backup_id))


def verify(context: FleetContext, actor: Actor, ref: str, backup_id: str) -> BackupView:
    """Ask for a restore of the backup into a scratch database, in the background."""
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "backup.create")
        found = _kept(_find(session, row, backup_id))
        found.verified_at = None
        jobs.enqueue(session, TAKE, found.id, lane=f"{TAKE}:{row.id}", payload={"verify": True})
        view = _view(found)
    context.ring()
    return view


def restore(context: FleetContext, actor: Actor, ref: str, backup_id: str) -> ActView:
    """Ask for a restore: Airflow stops, the present state is kept, the backup takes its place, Airflow starts."""
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "backup.restore")
        found = _kept(_find(session, row, backup_id))
        require_same_version(found, row.airflow_version)
        if (found.dialect == "sqlite") != (row.database_kind == "sqlite"):
            raise Conflict(
                f"The backup is of {found.dialect}, and the deployment uses {row.database_kind} now.",
                code="backup-other-database",
                hint=f"Move the deployment first: `aerodrome deployment database {row.name} --to …`.",
            )
        title = f"Restore the backup of {found.created_at:%Y-%m-%d %H:%M} UTC"
        view = acts.view(session, queue(context, session, actor, row, "restore", title, {"snapshot": found.id}))
    context.ring()
    return view


def delete(context: FleetContext, actor: Actor, ref: str, backup_id: str) -> None:
    """Remove a backup with its files. Conflict for one that an act uses, or that a way back to another version needs."""
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "backup.delete")
        found = _find(session, row, backup_id)
        if found.kind == "before-version":
            raise Conflict(
                "A way back to another Airflow version needs it.",
                code="backup-needed",
                hint="It goes when the deploy that it belongs to is older than deploys are kept.",
            )
        _refuse_used(session, found)
        audit.record(session, actor, "backup.delete", lookup.deployment_scope(row), {"backup": found.id})
        place = context.home / found.place
        session.delete(found)
    shutil.rmtree(
        place, ignore_errors=True
    )  # after the commit: files without a row are swept, a row without files lies


def schedule(context: FleetContext, actor: Actor, ref: str) -> BackupSchedule | None:
    with context.store.reading() as session:
        return _schedule(lookup.deployment(session, actor, ref, "backup.read"))


def set_schedule(context: FleetContext, actor: Actor, ref: str, wish: BackupSchedule | None) -> BackupSchedule | None:
    """Set when backups are taken; None: only on demand."""
    now = context.clock.now()
    data = None if wish is None else _checked(wish, now)
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "backup.create")
        row.backup_schedule = data
        row.updated_at = now
        wishes.record(session, actor, row, "backups_scheduled", {"schedule": data})
        if data is not None:
            jobs.enqueue(session, SCHEDULE, row.id, lane=f"{SCHEDULE}:{row.id}", run_at=from_text(data["next_at"]))
        view = _schedule(row)
    context.ring()
    return view


def new_row(
    context: FleetContext,
    session: Session,
    row: DeploymentRow,
    kind: str,
    actor: str,
    description: str,
    *,
    is_queued: bool = True,
) -> SnapshotRow:
    """Write a backup that is to be taken, and its job unless the caller takes it."""
    backup_id = new_id("snp")
    made = SnapshotRow(
        id=backup_id,
        deployment_id=row.id,
        kind=kind,
        status="taking",
        airflow_version=row.airflow_version,
        dialect="sqlite" if row.database_kind == "sqlite" else "postgresql",
        place=f"snapshots/{row.id}/{backup_id}",
        description=description,
        actor=actor,
        size_bytes=0,
        row_counts={},
        created_at=context.clock.now(),
    )
    session.add(made)
    session.flush()
    if is_queued:
        jobs.enqueue(session, TAKE, made.id, lane=f"{TAKE}:{row.id}")
    outbox.emit(session, "backup.queued", made.id, {"deployment_id": row.id, "kind": kind}, actor)
    return made


def _checked(wish: BackupSchedule, now: datetime) -> dict[str, Any]:
    text, zone = cron.check_cron(wish.cron, "cron"), cron.check_zone(wish.timezone)
    for field, value, most in (("keep", wish.keep, 1000), ("days", wish.days, 3650)):
        if not 0 <= value <= most:
            raise Invalid(
                f"{field} cannot be {value}.",
                code="backup-schedule-invalid",
                hint=f"Choose 0 to {most}.",
                details={"field": field},
            )
    if wish.verify not in _VERIFY:
        raise Invalid(
            f"verify cannot be {wish.verify[:20]!r}.",
            code="backup-schedule-invalid",
            hint=f"Choose one of {', '.join(_VERIFY)}.",
            details={"field": "verify"},
        )
    next_at = to_text(cron.next_after(text, zone, now))
    return {
        "cron": text,
        "timezone": zone,
        "keep": wish.keep,
        "days": wish.days,
        "verify": wish.verify,
        "next_at": next_at,
    }


def _schedule(row: DeploymentRow) -> BackupSchedule | None:
    data = row.backup_schedule
    if data is None:
        return None
    return BackupSchedule(
        data["cron"], data["timezone"], data["keep"], data["days"], data["verify"], from_text(data["next_at"])
    )


def kept(session: Session, row: DeploymentRow, backup_id: str) -> SnapshotRow:
    """Give a backup that can be restored; NotFound or Conflict."""
    return _kept(_find(session, row, backup_id))


def _find(session: Session, row: DeploymentRow, backup_id: str) -> SnapshotRow:
    found = session.get(SnapshotRow, backup_id)
    if found is None or found.deployment_id != row.id or found.status == "deleted":
        raise NotFound(
            f"{row.name} has no backup {backup_id[:60]!r}.",
            code="backup-not-found",
            hint=f"`aerodrome backup list --deployment {row.name}` shows them.",
        )
    return found


def _kept(row: SnapshotRow) -> SnapshotRow:
    if row.status != "kept":
        raise Conflict(
            f"The backup is {row.status}.", code="backup-not-kept", hint="Wait until it is taken, or take another one."
        )
    return row


def _refuse_used(session: Session, found: SnapshotRow) -> None:
    query = select(ActRow).where(ActRow.status.in_(acts.UNFINISHED))  # a clone is an act of another deployment
    for act in session.scalars(query):
        if found.id == act.params.get("snapshot") or found.deploy_id == act.id:
            raise Conflict(f"{act.title} uses it now.", code="backup-in-use", hint="Wait until that has ended.")


def _view(row: SnapshotRow) -> BackupView:
    return BackupView(
        row.id,
        row.deployment_id,
        row.kind,
        row.status,
        row.airflow_version,
        row.dialect,
        row.size_bytes,
        dict(row.row_counts),
        row.description,
        row.actor,
        row.error,
        row.created_at,
        row.finished_at,
        row.verified_at,
        row.expires_at,
    )
