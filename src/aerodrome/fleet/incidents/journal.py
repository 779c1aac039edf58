"""Opens, updates and closes incidents from verdicts, with patience at both ends. Used by the watcher, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aerodrome.fleet.incidents.contract import PLATFORM, Limits, Problem, Verdict
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.ids import new_id
from aerodrome.store import outbox
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.incident import IncidentRow

_ACTOR: Final = "system"


def open_by_scope(session: Session) -> dict[str, dict[str, IncidentRow]]:
    """Give the open incidents: scope -> code/subject -> row."""
    found: dict[str, dict[str, IncidentRow]] = {}
    for row in session.scalars(select(IncidentRow).where(IncidentRow.closed_at.is_(None))):
        found.setdefault(row.scope, {})[f"{row.code}/{row.subject}"] = row
    return found


def note(
    session: Session,
    deployment: DeploymentRow | None,
    verdict: Verdict,
    there: Mapping[str, IncidentRow],
    pending: Mapping[str, str],
    now: datetime,
    limits: Limits,
) -> dict[str, str]:
    """Write what the verdict means for the open incidents `there`; give what waits to become one (key -> since)."""
    waiting: dict[str, str] = {}
    seen = {problem.key: problem for problem in verdict.problems}
    for key, problem in seen.items():
        row = there.get(key)
        if row is not None:
            _update(session, row, problem, now, deployment)
            continue
        since = from_text(pending.get(key)) or now
        if (now - since).total_seconds() >= problem.patience_s:
            _open(session, deployment, problem, now)
        else:
            waiting[key] = str(to_text(since))
    for key, row in there.items():
        if key in seen or row.code in verdict.blind:
            continue
        if (now - row.last_seen_at).total_seconds() >= limits.calm_s:
            row.closed_at = now
            _tell(session, "incident.closed", row, deployment)
    return waiting


def prune(session: Session, before: datetime) -> int:
    """Remove incidents that were over before a moment; give how many."""
    return len(
        session.scalars(delete(IncidentRow).where(IncidentRow.closed_at < before).returning(IncidentRow.id)).all()
    )


def _open(session: Session, deployment: DeploymentRow | None, problem: Problem, now: datetime) -> None:
    row = IncidentRow(
        id=new_id("inc"),
        scope=deployment.id if deployment is not None else PLATFORM,
        deployment_id=deployment.id if deployment is not None else None,
        code=problem.code,
        subject=problem.subject,
        severity=problem.severity,
        reason=problem.reason,
        hint=problem.hint,
        data=dict(problem.data),
        opened_at=now,
        last_seen_at=now,
    )
    session.add(row)
    _tell(session, "incident.opened", row, deployment)


def _update(
    session: Session, row: IncidentRow, problem: Problem, now: datetime, deployment: DeploymentRow | None
) -> None:
    is_worse = row.severity != problem.severity
    row.last_seen_at = now
    row.reason, row.hint, row.severity, row.data = problem.reason, problem.hint, problem.severity, dict(problem.data)
    if is_worse:
        _tell(session, "incident.severity_changed", row, deployment)


def _tell(session: Session, type_: str, row: IncidentRow, deployment: DeploymentRow | None) -> None:
    data: dict[str, Any] = {
        "incident": row.id,
        "code": row.code,
        "subject": row.subject,
        "severity": row.severity,
        "reason": row.reason,
        "hint": row.hint,
    }
    if deployment is not None:
        data |= {"name": deployment.name, "workspace_id": deployment.workspace_id}
    outbox.emit(session, type_, row.scope, data, _ACTOR)
