"""The audit trail: who did what, written in the transaction that does it, never changed afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.kernel.redaction import Redactor
from aerodrome.store import now
from aerodrome.store.tables.audit import AuditEntry

_REDACTOR = Redactor()  # masks by key name and shape; knows no values


@dataclass(frozen=True)
class AuditView:
    """One act."""

    seq: int
    at: datetime
    actor_id: str
    actor_name: str
    actor_kind: str
    action: str  # "deployment.create", "token.revoke"
    target: str  # scope or id
    details: dict[str, Any]


def record(session: Session, actor: Actor, action: str, target: str, details: dict[str, Any] | None = None) -> None:
    """Write down one act; secrets and values under telling names in `details` are masked."""
    session.add(
        AuditEntry(
            at=now(session),
            actor_id=actor.id,
            actor_name=actor.name,
            actor_kind=actor.kind,
            action=action,
            target=target,
            details=_REDACTOR.data(dict(details or {})),
        )
    )


def entries(
    session: Session,
    *,
    before: int | None = None,
    limit: int = 100,
    actor_id: str | None = None,
    action: str | None = None,
    target: str | None = None,
) -> list[AuditView]:
    """Give acts, newest first. `before` is a `seq` to page on; `target` also finds what lies below that scope."""
    query = select(AuditEntry).order_by(AuditEntry.seq.desc()).limit(limit)
    if before is not None:
        query = query.where(AuditEntry.seq < before)
    if actor_id is not None:
        query = query.where(AuditEntry.actor_id == actor_id)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    if target is not None:
        below = AuditEntry.target.startswith(f"{target}/", autoescape=True)
        query = query.where((AuditEntry.target == target) | below)
    return [
        AuditView(row.seq, row.at, row.actor_id, row.actor_name, row.actor_kind, row.action, row.target, row.details)
        for row in session.scalars(query)
    ]


def prune(session: Session, before: datetime) -> int:
    """Remove acts older than a moment (only when a retention is set); give how many."""
    gone = delete(AuditEntry).where(AuditEntry.at < before).returning(AuditEntry.seq)
    return len(session.scalars(gone).all())
