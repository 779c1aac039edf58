"""/deployments/{ref}/backups and …/backup-schedule: copies of the metadata database, tried by restoring them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from aerodrome.fleet.backups import BackupSchedule
from aerodrome.web.api.databases import Act
from aerodrome.web.api.edge import NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems

router = APIRouter(tags=["backups"])


class Backup(View):
    """A copy of a metadata database at rest."""

    id: Annotated[str, Field(examples=["snp_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    deployment_id: str
    kind: Annotated[
        str, Field(description="manual, backup (scheduled), before-version, before-move or before-restore.")
    ]
    status: Literal["taking", "kept", "failed"]
    airflow_version: str
    dialect: str
    size_bytes: int
    row_counts: Annotated[Mapping[str, int], Field(description="Rows per table.")]
    description: str
    actor: str
    error: Mapping[str, Any] | None
    created_at: datetime
    finished_at: datetime | None
    verified_at: Annotated[datetime | None, Field(description="When a restore of it was last seen to work.")]
    expires_at: datetime | None


class NewBackupBody(Body):
    """A wish for a backup."""

    description: Annotated[str, Field(max_length=500)] = ""


class CloneBody(Body):
    """A new deployment out of a backup."""

    name: Annotated[str, Field(max_length=63, examples=["shop-copy"], description="Of the new deployment.")]


class BackupScheduleBody(Body):
    """When backups are taken and how long they are kept; 0 is no limit."""

    cron: Annotated[str, Field(max_length=100, examples=["30 3 * * *"])]
    timezone: Annotated[str, Field(max_length=60, examples=["Europe/Berlin"])] = "UTC"
    keep: Annotated[int, Field(ge=0, le=1000, description="How many of the newest are kept.")] = 14
    days: Annotated[int, Field(ge=0, le=3650, description="How many days they are kept; the newest always is.")] = 30
    verify: Annotated[
        Literal["each", "daily", "never"], Field(description="Which ones are tried by a restore beside the database.")
    ] = "each"


class BackupScheduleView(View):
    """The schedule, and when it is due next."""

    cron: str
    timezone: str
    keep: int
    days: int
    verify: str
    next_at: datetime | None


@router.get("/deployments/{ref}/backups", responses=NAMED)
def list_backups(the: The, actor: Caller, ref: str, limit: Limit = 100, cursor: Cursor = None) -> Page[Backup]:
    """List the backups of a deployment, and the snapshots that changes took, newest first."""
    views = the.fleet.keeping.list_backups(actor, ref)
    return page_of(views, Backup, limit, cursor, lambda view: view.id, newest=True)


@router.post("/deployments/{ref}/backups", status_code=202, responses=NAMED | problems(409))
def create_backup(the: The, actor: Caller, ref: str, body: NewBackupBody) -> Backup:
    """Take a backup in the background while Airflow runs, then try it by restoring it beside the database."""
    return Backup.model_validate(the.fleet.keeping.create_backup(actor, ref, body.description))


@router.get("/deployments/{ref}/backups/{backup_id}", responses=NAMED)
def get_backup(the: The, actor: Caller, ref: str, backup_id: str) -> Backup:
    """Show one backup."""
    return Backup.model_validate(the.fleet.keeping.get_backup(actor, ref, backup_id))


@router.post("/deployments/{ref}/backups/{backup_id}/verify", status_code=202, responses=NAMED | problems(409))
def verify_backup(the: The, actor: Caller, ref: str, backup_id: str) -> Backup:
    """Restore the backup into a scratch database and compare every table's rows, in the background."""
    return Backup.model_validate(the.fleet.keeping.verify_backup(actor, ref, backup_id))


@router.post("/deployments/{ref}/backups/{backup_id}/restore", status_code=202, responses=NAMED | problems(409))
def restore_backup(the: The, actor: Caller, ref: str, backup_id: str) -> Act:
    """Put the backup in the place of the metadata database; the present state is kept as a snapshot first."""
    return Act.model_validate(the.fleet.keeping.restore_backup(actor, ref, backup_id))


@router.post("/deployments/{ref}/backups/{backup_id}/clone", status_code=202, responses=NAMED | problems(409))
def clone_backup(the: The, actor: Caller, ref: str, backup_id: str, body: CloneBody) -> Act:
    """Make a new deployment out of the backup; all its DAGs are paused, so that no interval runs twice."""
    return Act.model_validate(the.fleet.keeping.clone_backup(actor, ref, backup_id, body.name))


@router.delete("/deployments/{ref}/backups/{backup_id}", status_code=204, responses=NAMED | problems(409))
def delete_backup(the: The, actor: Caller, ref: str, backup_id: str) -> None:
    """Delete a backup with its files."""
    the.fleet.keeping.delete_backup(actor, ref, backup_id)


@router.get("/deployments/{ref}/backup-schedule", responses=NAMED)
def get_backup_schedule(the: The, actor: Caller, ref: str) -> BackupScheduleView | None:
    """Show when backups are taken; null: only on demand."""
    found = the.fleet.keeping.backup_schedule(actor, ref)
    return None if found is None else BackupScheduleView.model_validate(found)


@router.put("/deployments/{ref}/backup-schedule", responses=NAMED | problems(409))
def set_backup_schedule(the: The, actor: Caller, ref: str, body: BackupScheduleBody) -> BackupScheduleView:
    """Set when backups are taken and how long they are kept."""
    wish = BackupSchedule(**body.model_dump())
    return BackupScheduleView.model_validate(the.fleet.keeping.set_backup_schedule(actor, ref, wish))


@router.delete("/deployments/{ref}/backup-schedule", status_code=204, responses=NAMED | problems(409))
def remove_backup_schedule(the: The, actor: Caller, ref: str) -> None:
    """Take backups only on demand from now on; those that were taken stay."""
    the.fleet.keeping.set_backup_schedule(actor, ref, None)
