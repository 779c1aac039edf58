"""Reads acts into views."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.kernel.clock import to_text
from aerodrome.store import journal
from aerodrome.store.tables.act import ActRow

FORWARD, BACK = "forward", "back"
MOVING = ("running", "returning")
UNFINISHED = ("queued", *MOVING)


@dataclass(frozen=True)
class ActView:
    """One act on a deployment, and how far it is."""

    id: str
    deployment_id: str
    kind: str  # move | restore | clone | bring-back
    status: str  # queued | running | returning | done | failed
    title: str
    result: Mapping[str, Any]
    error: Mapping[str, Any] | None
    actor: str
    steps: tuple[Mapping[str, Any], ...]  # key, title, status, progress, started_at, finished_at; of the way back too
    created_at: datetime
    finished_at: datetime | None


def is_held(session: Session, deployment_id: str) -> bool:
    """Tell whether an act has begun and not ended: nobody else may start or stop this deployment now."""
    query = select(ActRow.id).where(ActRow.deployment_id == deployment_id, ActRow.status.in_(MOVING))
    return session.scalars(query.limit(1)).first() is not None


def unfinished(session: Session, deployment_id: str) -> ActRow | None:
    query = select(ActRow).where(ActRow.deployment_id == deployment_id, ActRow.status.in_(UNFINISHED))
    return session.scalars(query.order_by(ActRow.created_at).limit(1)).first()


def snapshots_in_use(session: Session) -> frozenset[str]:
    """Give the ids of snapshots that unfinished acts restore, and of those acts, whose own snapshots are their way back."""
    rows = session.scalars(select(ActRow).where(ActRow.status.in_(UNFINISHED)))  # a clone reads another one's backup
    return frozenset(name for row in rows for name in (row.id, row.params.get("snapshot")) if name)


def views(session: Session, deployment_id: str, limit: int = 20) -> list[ActView]:
    """Give the acts of a deployment, newest first."""
    query = (
        select(ActRow).where(ActRow.deployment_id == deployment_id).order_by(ActRow.created_at.desc(), ActRow.id.desc())
    )
    return [view(session, row) for row in session.scalars(query.limit(limit))]


def view(session: Session, row: ActRow) -> ActView:
    steps = [
        {
            "key": step.key,
            "title": step.title,
            "status": step.status,
            "progress": step.progress,
            "started_at": to_text(step.started_at),
            "finished_at": to_text(step.finished_at),
        }
        for track in (FORWARD, BACK)
        for step in journal.steps(session, row.id, track)
    ]
    return ActView(
        row.id,
        row.deployment_id,
        row.kind,
        row.status,
        row.title,
        row.result,
        row.error,
        row.actor,
        tuple(steps),
        row.created_at,
        row.finished_at,
    )
