"""Reads incidents into views: those of one deployment, or all that the actor may see. Permissions are checked here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.fleet import lookup
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.incidents.contract import IncidentView
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.incident import IncidentRow
from aerodrome.store.tables.workspace import WorkspaceRow

_WORST = {"critical": 0, "warning": 1, "info": 2}


def of_deployment(
    context: FleetContext,
    actor: Actor,
    ref: str,
    *,
    is_open: bool | None,
    limit: int,
    before: tuple[datetime, str] | None,
) -> list[IncidentView]:
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.read")
        return _listed(session, [IncidentRow.scope == row.id], is_open, limit, before)


def everywhere(
    context: FleetContext, actor: Actor, *, is_open: bool | None, limit: int, before: tuple[datetime, str] | None
) -> list[IncidentView]:
    """Give incidents of the deployments that the actor may see; those of the platform to whom may see clusters."""
    with context.store.reading() as session:
        ids = [
            row.id
            for row in session.scalars(select(DeploymentRow))
            if permissions.allows(actor, "deployment.read", lookup.deployment_scope(row))
        ]
        mine: list[ColumnElement[bool]] = [IncidentRow.deployment_id.in_(ids)]
        if permissions.allows(actor, "cluster.read"):
            mine.append(IncidentRow.deployment_id.is_(None))
        return _listed(session, [or_(*mine)], is_open, limit, before)


def by_urgency(views: Iterable[IncidentView]) -> list[IncidentView]:
    """Give the worst first, then the oldest."""
    return sorted(views, key=lambda view: (_WORST.get(view.severity, 3), view.opened_at, view.id))


def _listed(
    session: Session,
    conditions: list[ColumnElement[bool]],
    is_open: bool | None,
    limit: int,
    before: tuple[datetime, str] | None,
) -> list[IncidentView]:
    query = (
        select(IncidentRow, DeploymentRow.name, WorkspaceRow.name)
        .outerjoin(DeploymentRow, DeploymentRow.id == IncidentRow.deployment_id)
        .outerjoin(WorkspaceRow, WorkspaceRow.id == DeploymentRow.workspace_id)
        .where(*conditions)
        .order_by(IncidentRow.opened_at.desc(), IncidentRow.id.desc())
        .limit(limit)
    )
    if is_open is not None:
        query = query.where(IncidentRow.closed_at.is_(None) if is_open else IncidentRow.closed_at.is_not(None))
    if before is not None:
        at, incident_id = before
        query = query.where(
            or_(IncidentRow.opened_at < at, and_(IncidentRow.opened_at == at, IncidentRow.id < incident_id))
        )
    return [_view(row, name, workspace) for row, name, workspace in session.execute(query)]


def _view(row: IncidentRow, name: str | None, workspace: str | None) -> IncidentView:
    return IncidentView(
        id=row.id,
        deployment_id=row.deployment_id,
        deployment_name=name,
        workspace_name=workspace,
        code=row.code,
        subject=row.subject,
        severity=row.severity,
        reason=row.reason,
        hint=row.hint,
        data=row.data,
        opened_at=row.opened_at,
        last_seen_at=row.last_seen_at,
        closed_at=row.closed_at,
    )
