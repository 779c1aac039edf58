"""Commands on workspaces."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from aerodrome.access import audit, permissions
from aerodrome.access.actor import Actor
from aerodrome.fleet import lookup, queries
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.names import check_name
from aerodrome.fleet.views import WorkspaceView
from aerodrome.kernel.errors import Conflict
from aerodrome.kernel.ids import new_id
from aerodrome.store import outbox
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.workspace import WorkspaceRow


def create(context: FleetContext, actor: Actor, name: str, description: str) -> WorkspaceView:
    check_name(name, noun="workspace")
    workspace_id, now = new_id("ws"), context.clock.now()
    scope = lookup.workspace_scope(workspace_id)
    permissions.require(actor, "workspace.create", "")
    try:
        with context.store.writing() as session:
            row = WorkspaceRow(
                id=workspace_id, name=name, description=description.strip(), created_at=now, updated_at=now
            )
            session.add(row)
            session.flush()
            audit.record(session, actor, "workspace.create", scope, {"name": name})
            outbox.emit(session, "workspace.created", workspace_id, {"name": name}, actor.name)
    except IntegrityError as error:
        raise _taken(name) from error
    return get(context, actor, workspace_id)


def get(context: FleetContext, actor: Actor, ref: str) -> WorkspaceView:
    with context.store.reading() as session:
        row = lookup.workspace(session, actor, ref, "workspace.read")
        return queries.workspaces(session, [row])[0]


def list_all(context: FleetContext, actor: Actor) -> list[WorkspaceView]:
    with context.store.reading() as session:
        rows = [
            row
            for row in session.scalars(select(WorkspaceRow).order_by(WorkspaceRow.name))
            if permissions.allows(actor, "workspace.read", lookup.workspace_scope(row.id))
        ]
        return queries.workspaces(session, rows)


def update(
    context: FleetContext, actor: Actor, ref: str, *, name: str | None, description: str | None
) -> WorkspaceView:
    try:
        with context.store.writing() as session:
            row = lookup.workspace(session, actor, ref, "workspace.update")
            changed = {}
            if name is not None and name != row.name:
                changed["name"] = check_name(name, noun="workspace")
            if description is not None and description.strip() != row.description:
                changed["description"] = description.strip()
            for field, value in changed.items():
                setattr(row, field, value)
            if changed:
                row.updated_at = context.clock.now()
                session.flush()
                scope = lookup.workspace_scope(row.id)
                audit.record(session, actor, "workspace.update", scope, {"fields": sorted(changed), "name": row.name})
                outbox.emit(session, "workspace.updated", row.id, {"name": row.name}, actor.name)
            workspace_id = row.id
    except IntegrityError as error:
        raise _taken(name or "") from error
    return get(context, actor, workspace_id)


def delete(context: FleetContext, actor: Actor, ref: str) -> None:
    try:
        with context.store.writing() as session:
            row = lookup.workspace(session, actor, ref, "workspace.delete")
            count = session.scalar(select(func.count()).where(DeploymentRow.workspace_id == row.id)) or 0
            if count:
                raise _not_empty(row.name, count)
            audit.record(session, actor, "workspace.delete", lookup.workspace_scope(row.id), {"name": row.name})
            outbox.emit(session, "workspace.deleted", row.id, {"name": row.name}, actor.name)
            session.delete(row)
    except IntegrityError as error:  # something else stands in it still, or came in this moment
        raise Conflict(
            "Something still stands in the workspace.",
            code="workspace-not-empty",
            hint="Delete its deployments, migrations and environment objects first.",
        ) from error


def _not_empty(name: str, count: int) -> Conflict:
    return Conflict(
        f"The workspace {name!r} has {count} deployment{'s' if count > 1 else ''}.",
        code="workspace-not-empty",
        hint=f"`aerodrome deployment list --workspace {name}` shows them; delete them first.",
    )


def _taken(name: str) -> Conflict:
    return Conflict(
        f"There is already a workspace {name!r}.",
        code="workspace-name-taken",
        hint="Choose another name.",
        details={"field": "name"},
    )
