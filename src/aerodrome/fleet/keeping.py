"""The part of fleet's facade that keeps deployments: backups, times to sleep and wake, cleaning. `fleet.keeping`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from aerodrome.access.actor import Actor
from aerodrome.fleet import backups, cloning, schedules, upkeep
from aerodrome.fleet.acts.queries import ActView
from aerodrome.fleet.backups import BackupSchedule, BackupView
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.schedules import Life, NewSchedule, ScheduleView
from aerodrome.fleet.upkeep import Cleaning
from aerodrome.fleet.views import DeploymentView


class Keeping:
    """Every `ref` is a deployment's id or name."""

    def __init__(self, context: FleetContext) -> None:
        self._context = context

    def create_backup(self, actor: Actor, ref: str, description: str = "") -> BackupView:
        """Ask for a backup of the metadata database; taken and tried in the background."""
        return backups.create(self._context, actor, ref, description)

    def list_backups(self, actor: Actor, ref: str) -> list[BackupView]:
        """Give the backups, and the snapshots that changes took, newest first."""
        return backups.list_all(self._context, actor, ref)

    def get_backup(self, actor: Actor, ref: str, backup_id: str) -> BackupView:
        return backups.get(self._context, actor, ref, backup_id)

    def verify_backup(self, actor: Actor, ref: str, backup_id: str) -> BackupView:
        """Ask for a restore into a scratch database; `verified_at` tells when it was seen to work."""
        return backups.verify(self._context, actor, ref, backup_id)

    def restore_backup(self, actor: Actor, ref: str, backup_id: str) -> ActView:
        """Ask for a restore in the place of the metadata database. Conflict for another Airflow version or database."""
        return backups.restore(self._context, actor, ref, backup_id)

    def clone_backup(self, actor: Actor, ref: str, backup_id: str, name: str) -> ActView:
        """Make a new deployment out of a backup, in the same workspace; its DAGs are paused. The act is the new one's."""
        return cloning.clone(self._context, actor, ref, backup_id, name)

    def delete_backup(self, actor: Actor, ref: str, backup_id: str) -> None:
        return backups.delete(self._context, actor, ref, backup_id)

    def backup_schedule(self, actor: Actor, ref: str) -> BackupSchedule | None:
        return backups.schedule(self._context, actor, ref)

    def set_backup_schedule(self, actor: Actor, ref: str, wish: BackupSchedule | None) -> BackupSchedule | None:
        """Set when backups are taken and how long they are kept; None: only on demand."""
        return backups.set_schedule(self._context, actor, ref, wish)

    def life(self, actor: Actor, ref: str) -> Life:
        """Give the hibernation schedules, the next event, and what overrides them."""
        return schedules.life(self._context, actor, ref)

    def add_schedule(self, actor: Actor, ref: str, wish: NewSchedule) -> ScheduleView:
        return schedules.add(self._context, actor, ref, wish)

    def enable_schedule(self, actor: Actor, ref: str, schedule_id: str, *, is_enabled: bool) -> ScheduleView:
        return schedules.change(self._context, actor, ref, schedule_id, is_enabled=is_enabled)

    def remove_schedule(self, actor: Actor, ref: str, schedule_id: str) -> None:
        schedules.remove(self._context, actor, ref, schedule_id)

    def set_life(
        self,
        actor: Actor,
        ref: str,
        desired: Literal["running", "hibernated"],
        until: datetime | None = None,
        drain_s: int | None = None,
    ) -> DeploymentView:
        """Hibernate or wake now; with `until` schedules rest till then. `drain_s` changes the deployment's drain window."""
        return schedules.set_until(self._context, actor, ref, desired, until, drain_s)

    def clean(self, actor: Actor, ref: str, days: int, *, is_dry_run: bool) -> Cleaning:
        """Remove rows of the metadata database older than so many days, or count them."""
        return upkeep.clean(self._context, actor, ref, days, is_dry_run=is_dry_run)
