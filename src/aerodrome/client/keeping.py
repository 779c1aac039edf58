"""Metadata databases, backups, and when deployments sleep."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aerodrome.client.models import read
from aerodrome.client.transport import Transport, segment
from aerodrome.client.waiting import wait
from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret


@dataclass(frozen=True)
class Act:
    """A move or a restore, with its steps."""

    id: str
    deployment_id: str
    kind: str
    status: str  # queued | running | returning | done | failed
    title: str
    result: Mapping[str, Any]
    error: Mapping[str, Any] | None
    actor: str
    steps: tuple[Mapping[str, Any], ...]
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Backup:
    id: str
    deployment_id: str
    kind: str
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
    cron: str
    timezone: str
    keep: int
    days: int
    verify: str
    next_at: datetime | None


@dataclass(frozen=True)
class Schedule:
    id: str
    hibernate: str | None
    wake: str | None
    timezone: str
    description: str
    is_enabled: bool
    next_hibernate_at: datetime | None
    next_wake_at: datetime | None


@dataclass(frozen=True)
class Life:
    schedules: tuple[Schedule, ...]
    next_action: str | None
    next_at: datetime | None
    override: str | None
    override_until: datetime | None
    drain_s: int


@dataclass(frozen=True)
class Cleaning:
    before: datetime
    rows: Mapping[str, int]
    is_dry_run: bool
    held_by: str | None


class Keeping:
    """`client.keeping`. A `ref` is a deployment's id or name."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def move_database(self, ref: str, kind: str, url: Secret | None = None) -> Act:
        """Move to sqlite, postgresql or existing (with its URL)."""
        body = {"kind": kind, "url": None if url is None else url.reveal()}
        return read(Act, self._http.post(f"{_path(ref)}/database", body))

    def acts(self, ref: str) -> builtins.list[Act]:
        return [read(Act, item) for item in self._http.get(f"{_path(ref)}/acts")]

    def act(self, act_id: str) -> Act:
        return read(Act, self._http.get(f"/acts/{segment(act_id)}"))

    def wait_act(
        self, act_id: str, timeout_s: float = 1800.0, progress: Callable[[Act], None] = lambda _seen: None
    ) -> Act:
        """Wait until a move or a restore has ended; Broken when it failed and took itself back."""
        return wait(
            lambda: self.act(act_id), _is_act_done, timeout_s=timeout_s, what=f"The act {act_id}", progress=progress
        )

    def backups(self, ref: str) -> builtins.list[Backup]:
        return [read(Backup, item) for item in self._http.pages(f"{_path(ref)}/backups", {})]

    def backup(self, ref: str, backup_id: str) -> Backup:
        return read(Backup, self._http.get(_backup(ref, backup_id)))

    def create_backup(self, ref: str, description: str = "") -> Backup:
        return read(Backup, self._http.post(f"{_path(ref)}/backups", {"description": description}))

    def verify_backup(self, ref: str, backup_id: str) -> Backup:
        return read(Backup, self._http.post(f"{_backup(ref, backup_id)}/verify"))

    def restore_backup(self, ref: str, backup_id: str) -> Act:
        return read(Act, self._http.post(f"{_backup(ref, backup_id)}/restore"))

    def clone_backup(self, ref: str, backup_id: str, name: str) -> Act:
        """Make a new deployment out of a backup; the act is the new deployment's."""
        return read(Act, self._http.post(f"{_backup(ref, backup_id)}/clone", {"name": name}))

    def delete_backup(self, ref: str, backup_id: str) -> None:
        self._http.delete(_backup(ref, backup_id))

    def wait_backup(
        self,
        ref: str,
        backup_id: str,
        timeout_s: float = 1800.0,
        progress: Callable[[Backup], None] = lambda _seen: None,
    ) -> Backup:
        """Wait until a backup is taken and tried; Broken when it cannot be taken or restored."""
        return wait(
            lambda: self.backup(ref, backup_id),
            _is_backup_done,
            timeout_s=timeout_s,
            what=f"The backup {backup_id}",
            progress=progress,
        )

    def backup_schedule(self, ref: str) -> BackupSchedule | None:
        answer = self._http.get(f"{_path(ref)}/backup-schedule")
        return read(BackupSchedule, answer) if answer else None

    def set_backup_schedule(
        self, ref: str, cron: str, *, timezone: str, keep: int, days: int, verify: str
    ) -> BackupSchedule:
        body = {"cron": cron, "timezone": timezone, "keep": keep, "days": days, "verify": verify}
        return read(BackupSchedule, self._http.put(f"{_path(ref)}/backup-schedule", body))

    def remove_backup_schedule(self, ref: str) -> None:
        self._http.delete(f"{_path(ref)}/backup-schedule")

    def life(self, ref: str) -> Life:
        return read(Life, self._http.get(f"{_path(ref)}/life"))

    def add_schedule(
        self, ref: str, *, hibernate: str | None, wake: str | None, timezone: str, description: str = ""
    ) -> Schedule:
        body = {"hibernate": hibernate, "wake": wake, "timezone": timezone, "description": description}
        return read(Schedule, self._http.post(f"{_path(ref)}/schedules", body))

    def enable_schedule(self, ref: str, schedule_id: str, *, is_enabled: bool) -> Schedule:
        path = f"{_path(ref)}/schedules/{segment(schedule_id)}"
        return read(Schedule, self._http.patch(path, {"is_enabled": is_enabled}))

    def remove_schedule(self, ref: str, schedule_id: str) -> None:
        self._http.delete(f"{_path(ref)}/schedules/{segment(schedule_id)}")

    def clean(self, ref: str, days: int, *, is_dry_run: bool = True) -> Cleaning:
        """Remove old rows of the metadata database, or count them."""
        body = {"days": days, "is_dry_run": is_dry_run}
        return read(Cleaning, self._http.post(f"{_path(ref)}/clean", body, timeout_s=1900))


def _is_act_done(seen: Act) -> bool:
    if seen.status == "failed":
        error = seen.error or {}
        raise Broken(
            f"{seen.title}: {error.get('message', 'it failed.')} Everything is as it was before.",
            code=str(error.get("code", "act-failed")),
            hint=str(error.get("hint", "")),
        )
    return seen.status == "done"


def _is_backup_done(seen: Backup) -> bool:
    if seen.error:
        raise Broken(
            f"The backup failed: {seen.error.get('message', '')}",
            code=str(seen.error.get("code", "backup-failed")),
            hint=str(seen.error.get("hint", "")),
        )
    return seen.status == "kept" and seen.verified_at is not None


def _path(ref: str) -> str:
    return f"/deployments/{segment(ref)}"


def _backup(ref: str, backup_id: str) -> str:
    return f"{_path(ref)}/backups/{segment(backup_id)}"
