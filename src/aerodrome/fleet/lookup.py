"""Finds rows by what people type: an id, a name, or `workspace/name`. Permissions are checked here, once."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.fleet.names import is_id
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.store.tables.cluster import ClusterRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.workspace import WorkspaceRow


def workspace_scope(workspace_id: str) -> str:
    return f"workspace/{workspace_id}"


def deployment_scope(row: DeploymentRow) -> str:
    return f"workspace/{row.workspace_id}/deployment/{row.id}"


def workspace(session: Session, actor: Actor, ref: str, permission: str) -> WorkspaceRow:
    """Give the workspace. NotFound also when the actor may not see it, Denied when they may see but not do this."""
    column = WorkspaceRow.id if is_id(ref) else WorkspaceRow.name
    row = session.scalars(select(WorkspaceRow).where(column == ref)).one_or_none()
    if row is None or not permissions.allows(actor, "workspace.read", workspace_scope(row.id)):
        raise NotFound(
            f"There is no workspace {ref!r}.",
            code="workspace-not-found",
            hint="`aerodrome workspace list` shows them.",
        )
    permissions.require(actor, permission, workspace_scope(row.id))
    return row


def cluster(session: Session, ref: str) -> ClusterRow:
    column = ClusterRow.id if is_id(ref) else ClusterRow.name
    row = session.scalars(select(ClusterRow).where(column == ref)).one_or_none()
    if row is None:
        raise NotFound(
            f"There is no cluster {ref!r}.",
            code="cluster-not-found",
            hint="`aerodrome cluster list` shows them.",
            details={"field": "cluster"},
        )
    return row


def deployment_to_change(session: Session, actor: Actor, ref: str, permission: str) -> DeploymentRow:
    """Give the deployment, held until the end of the transaction: the reconciler writes to it all the time."""
    row = deployment(session, actor, ref, permission)
    session.refresh(row, with_for_update=True)
    return row


def deployment(session: Session, actor: Actor, ref: str, permission: str) -> DeploymentRow:
    """Give the deployment. Conflict when the name stands in several workspaces that the actor may see."""
    query = select(DeploymentRow)
    workspace_name, slash, name = ref.partition("/")
    if is_id(ref):
        query = query.where(DeploymentRow.id == ref)
    elif slash:
        query = query.join(WorkspaceRow, WorkspaceRow.id == DeploymentRow.workspace_id).where(
            WorkspaceRow.name == workspace_name, DeploymentRow.name == name
        )
    else:
        query = query.where(DeploymentRow.name == ref)
    rows = [
        row
        for row in session.scalars(query.order_by(DeploymentRow.id))
        if permissions.allows(actor, "deployment.read", deployment_scope(row))
    ]
    if not rows:
        raise NotFound(
            f"There is no deployment {ref!r}.",
            code="deployment-not-found",
            hint="`aerodrome deployment list` shows them.",
        )
    if len(rows) > 1:
        ids = [row.workspace_id for row in rows]
        names = session.scalars(select(WorkspaceRow.name).where(WorkspaceRow.id.in_(ids)).order_by(WorkspaceRow.name))
        choices = [f"{workspace_name}/{ref}" for workspace_name in names]
        raise Conflict(
            f"{len(rows)} deployments are called {ref!r}.",
            code="deployment-ambiguous",
            hint=f"Say which one: {', '.join(choices)}.",
            details={"choices": choices},
        )
    permissions.require(actor, permission, deployment_scope(rows[0]))
    return rows[0]
