"""The handler of the job "fleet.watch": looks at every deployment, keeps what it measured, opens and closes incidents.

Level-triggered: one look reads rows, measures (outside of any transaction) and writes all outcomes in one transaction. It makes
nothing true and starts nothing; a kill at any line costs one look.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.incidents import journal, rules
from aerodrome.fleet.incidents.backups import backups_of
from aerodrome.fleet.incidents.contract import PLATFORM, Backups, Limits, Look, Verdict
from aerodrome.fleet.incidents.data import as_data
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.kernel.clock import from_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.runtimes.contract import Measurement
from aerodrome.store import jobs
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow, ObservationRow
from aerodrome.store.tables.incident import VitalRow

KIND: Final = "fleet.watch"
_HANDS: Final = 4
_log = structlog.get_logger("aerodrome.fleet")


@dataclass(frozen=True)
class _Subject:
    """One deployment as its rows are."""

    row: DeploymentRow
    seen: ObservationRow | None
    vital: VitalRow | None
    deploy_number: int | None
    backups: Backups


@dataclass(frozen=True)
class _Outcome:
    """What one look at one deployment gave."""

    row: DeploymentRow
    data: dict[str, Any] | None
    verdict: Verdict


@dataclass(frozen=True)
class Watcher:
    """Watches all deployments of a fleet, and the disk of the platform's home."""

    context: FleetContext
    home: Path
    limits: Limits = field(default_factory=Limits)
    is_stopping: Callable[[], bool] = lambda: False

    def ask(self) -> None:
        """Ask for a look; called at every start. One job, however many workers there are."""
        with self.context.store.writing() as session:
            jobs.enqueue(session, KIND, "all", lane=KIND)

    def look(self, _job: LeasedJob | None = None) -> datetime | None:
        """Look at everything once; give when to look again."""
        disk = shutil.disk_usage(self.home)
        with self.context.store.reading() as session:
            subjects = _subjects(session, self.context.clock.now())
        if subjects:
            with ThreadPoolExecutor(min(_HANDS, len(subjects)), thread_name_prefix="watch") as hands:
                outcomes = list(hands.map(lambda subject: self._look(subject, disk.total), subjects))
        else:
            outcomes = []
        platform = Verdict(tuple(rules.disk(disk.free, disk.total, self.limits)), frozenset(), {})
        self._write(outcomes, platform)
        return self.context.clock.now() + timedelta(seconds=self.limits.watch_every_s)

    def _look(self, subject: _Subject, home_disk_bytes: int) -> _Outcome:
        row, vital = subject.row, subject.vital
        now = self.context.clock.now()
        before = vital.data if vital is not None else {}
        thorough_at = from_text(before.get("thorough_at"))
        is_thorough = thorough_at is None or (now - thorough_at).total_seconds() >= self.limits.thorough_every_s
        measurement, trouble = None, None
        if row.desired == "running" and not self.is_stopping():
            measurement, trouble = self._measure(row, is_thorough=is_thorough)
        seen = subject.seen
        look = Look(
            now=now,
            name=row.name,
            desired=row.desired,
            status=row.status,
            parallelism=row.parallelism,
            error=row.error,
            health=seen.health if seen else None,
            reasons=tuple(seen.reasons) if seen else (),
            components=tuple(seen.components) if seen else (),
            deploy_number=subject.deploy_number,
            measurement=measurement,
            trouble=trouble,
            backups=subject.backups,
            disk_is_shared=measurement is None or measurement.disk_total_bytes == home_disk_bytes,
        )
        verdict = rules.judge(look, vital.memory if vital is not None else {}, self.limits)
        data = None if measurement is None else as_data(measurement, before, is_thorough=is_thorough)
        return _Outcome(row, data, verdict)

    def _measure(self, row: DeploymentRow, *, is_thorough: bool) -> tuple[Measurement | None, str | None]:
        try:
            url = DeploymentVault(self.context.secrets, row.id).database_url()
            return self.context.runtime.measure(row.id, url, is_thorough=is_thorough), None
        except AerodromeError as error:
            _log.warning("deployment.not_measured", deployment=row.id, code=error.code)
            return None, f"The deployment cannot be measured: {error.message}"

    def _write(self, outcomes: Sequence[_Outcome], platform: Verdict) -> None:
        now = self.context.clock.now()
        with self.context.store.writing() as session:
            ids = [outcome.row.id for outcome in outcomes]
            held = select(DeploymentRow.id).where(DeploymentRow.id.in_(ids)).with_for_update(key_share=True, read=True)
            there = set(session.scalars(held))
            vitals = {row.deployment_id: row for row in session.scalars(select(VitalRow))}
            incidents = journal.open_by_scope(session)
            for outcome in outcomes:
                if outcome.row.id not in there:
                    continue  # deleted meanwhile
                memory = {**outcome.verdict.memory}
                memory["pending"] = journal.note(
                    session,
                    outcome.row,
                    outcome.verdict,
                    incidents.get(outcome.row.id, {}),
                    self._pending(outcome),
                    now,
                    self.limits,
                )
                _keep(session, vitals.get(outcome.row.id), outcome, memory, now)
            journal.note(session, None, platform, incidents.get(PLATFORM, {}), {}, now, self.limits)

    def _pending(self, outcome: _Outcome) -> Mapping[str, str]:
        pending: Mapping[str, str] = outcome.verdict.memory.get("pending", {})
        return pending


def _keep(session: Session, row: VitalRow | None, outcome: _Outcome, memory: dict[str, Any], now: datetime) -> None:
    if row is None:
        row = VitalRow(deployment_id=outcome.row.id, measured_at=now, data=outcome.data or {}, memory=memory)
        session.add(row)
        return
    row.memory = memory
    if outcome.data is not None:
        row.data, row.measured_at = outcome.data, now


def _subjects(session: Session, now: datetime) -> list[_Subject]:
    """Read all that a look needs, in a few statements however many deployments there are."""
    rows = session.scalars(
        select(DeploymentRow).where(DeploymentRow.desired != "deleted").order_by(DeploymentRow.id)
    ).all()
    seen = {row.deployment_id: row for row in session.scalars(select(ObservationRow))}
    vitals = {row.deployment_id: row for row in session.scalars(select(VitalRow))}
    current = [row.current_deploy_id for row in rows if row.current_deploy_id]
    numbers = {
        row[0]: row[1]
        for row in session.execute(select(DeployRow.id, DeployRow.number).where(DeployRow.id.in_(current)))
    }
    backups = backups_of(session, rows, now)
    return [
        _Subject(
            row,
            seen.get(row.id),
            vitals.get(row.id),
            numbers.get(row.current_deploy_id or ""),
            backups[row.id],
        )
        for row in rows
    ]
