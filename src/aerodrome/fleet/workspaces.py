"""Commands on workspaces."""

from __future__ import annotations

from sqlalchemy import select
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
        raise Conflict(
            f"There is already a workspace {name!r}.",
            code="workspace-name-taken",
            hint="Choose another name.",
            details={"field": "name"},
        ) from error
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
