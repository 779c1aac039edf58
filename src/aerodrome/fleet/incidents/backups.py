"""Reads what is known about scheduled backups: when the last one was due, when one was kept, whether the newest failed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.fleet import cron
from aerodrome.fleet.incidents.contract import Backups
from aerodrome.kernel.clock import from_text
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.snapshot import SnapshotRow

_KINDS = ("backup", "manual")


def backups_of(session: Session, rows: Sequence[DeploymentRow], now: datetime) -> dict[str, Backups]:
    """Give what is known per deployment."""
    taken: dict[str, list[SnapshotRow]] = {}
    query = select(SnapshotRow).where(SnapshotRow.kind.in_(_KINDS)).order_by(SnapshotRow.created_at.desc())
    for snapshot in session.scalars(query):
        taken.setdefault(snapshot.deployment_id, []).append(snapshot)
    return {row.id: _backups(row, taken.get(row.id, []), now) for row in rows}


def _backups(row: DeploymentRow, taken: Sequence[SnapshotRow], now: datetime) -> Backups:
    kept = next((one.created_at for one in taken if one.status == "kept"), None)
    failure = taken[0].error or {} if taken and taken[0].status == "failed" else None
    return Backups(_due_at(row, now), kept, failure)


def _due_at(row: DeploymentRow, now: datetime) -> datetime | None:
    """Give the last moment at which the schedule wanted a backup, since the deployment was changed last."""
    schedule = row.backup_schedule
    if schedule is None:
        return None
    next_at = from_text(schedule.get("next_at"))
    if next_at is not None and next_at <= now:
        return next_at  # the worker has not come to it yet
    return cron.last_until(schedule["cron"], schedule["timezone"], row.updated_at, now)
