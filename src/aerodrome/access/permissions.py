"""Who may do what: four roles, a table of permissions, and scopes as path strings.

A scope is `workspace/<id>` or `workspace/<id>/deployment/<id>`; a role on a scope counts for everything below it, a role
on the empty scope counts everywhere. Rooms above name permissions; nobody asks for roles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aerodrome.access.actor import Actor
from aerodrome.kernel.errors import Broken, Denied

ROLES: Final[dict[str, str]] = {  # from least to most; each may do all that the ones before it may
    "viewer": "sees everything in the scope except secret values",
    "author": "also brings DAG code there and works in Airflow's own pages",
    "operator": "also creates, changes and deletes deployments, and migrates",
    "admin": "also manages people, tokens of others, clusters and reads the audit trail",
}
_RANK: Final = {role: rank for rank, role in enumerate(ROLES)}


@dataclass(frozen=True)
class Permission:
    """One line of the table: the least role that has it, and what it allows."""

    role: str
    sentence: str
    counts_anywhere: bool = False  # what is shared by all: the role on any scope is enough


PERMISSIONS: Final[dict[str, Permission]] = {
    "workspace.read": Permission("viewer", "see a workspace"),
    "workspace.create": Permission("operator", "make a workspace"),
    "workspace.update": Permission("operator", "change a workspace"),
    "workspace.delete": Permission("admin", "delete an empty workspace"),
    "cluster.read": Permission("viewer", "see clusters", counts_anywhere=True),
    "cluster.manage": Permission("admin", "add, change and remove clusters"),
    "deployment.read": Permission("viewer", "see a deployment and its deploys"),
    "deployment.logs": Permission("viewer", "read the logs of a deployment's components"),
    "deployment.create": Permission("operator", "make a deployment"),
    "deployment.update": Permission("operator", "change, hibernate and wake a deployment"),
    "deployment.delete": Permission("operator", "delete a deployment with its data"),
    "deployment.env": Permission("operator", "set environment variables, secret ones included"),
    "deployment.database": Permission("operator", "move a deployment to another metadata database"),
    "backup.read": Permission("viewer", "see the backups of a deployment"),
    "backup.create": Permission("operator", "take, verify and schedule backups"),
    "backup.restore": Permission("operator", "put a backup in the place of a metadata database"),
    "backup.delete": Permission("operator", "delete a backup"),
    "deployment.access": Permission("operator", "reach the Airflow API and metadata database of a deployment"),
    "environment.read": Permission("viewer", "see connections, variables and environment variables, secrets masked"),
    "environment.update": Permission("operator", "change connections, variables and environment variables"),
    "environment.reveal": Permission("admin", "export secret values, and make a secret value plain"),
    "backend.read": Permission("viewer", "see secrets backends and the names in them"),
    "backend.manage": Permission("operator", "register, change, probe and delete secrets backends"),
    "backend.write": Permission("operator", "write connections and variables into a secrets backend"),
    "deploy.create": Permission("author", "put a version of the project on a deployment"),
    "deploy.read": Permission("viewer", "see deploys"),
    "airflow.view": Permission("viewer", "open Airflow's own pages, reading"),
    "airflow.edit": Permission("author", "open Airflow's own pages, running and clearing DAGs"),
    "airflow.admin": Permission("operator", "open Airflow's own pages as an Airflow admin"),
    "migration.read": Permission("viewer", "see migrations, their findings and reports"),
    "migration.create": Permission("operator", "register a source and make a migration"),
    "migration.update": Permission("operator", "assess and change the plan of a migration"),
    "migration.apply": Permission("operator", "run the steps of a migration, cut over and roll back"),
    "migration.delete": Permission("operator", "delete a migration and its files"),
    "alert.read": Permission("viewer", "see alert channels and what they were told"),
    "alert.manage": Permission("operator", "make, try and delete alert channels"),
    "jobs.read": Permission("operator", "see the platform's jobs"),
    "events.read": Permission("viewer", "read the stream of events"),
    "metrics.read": Permission("viewer", "read the metrics of the platform and all deployments"),
    "user.read": Permission("admin", "see people and their roles"),
    "user.manage": Permission("admin", "add people, give roles, make login links, end sessions"),
    "token.manage": Permission("admin", "see and revoke tokens of other people"),
    "audit.read": Permission("admin", "read the audit trail"),
}


def covers(granted: str, scope: str) -> bool:
    """Tell whether a role granted on one scope counts on another."""
    return granted in {"", scope} or scope.startswith(f"{granted}/")


def allows(actor: Actor, permission: str, scope: str = "") -> bool:
    """Tell whether the actor has the permission on the scope; Broken for a permission that is not in the table."""
    line = PERMISSIONS.get(permission)
    if line is None:
        raise Broken(f"There is no permission {permission}.", code="permission-unknown")
    least = _RANK[line.role]
    return any(
        _RANK.get(role, -1) >= least and (line.counts_anywhere or covers(granted, scope))
        for role, granted in actor.roles
    )


def require(actor: Actor, permission: str, scope: str = "") -> None:
    """Raise Denied unless the actor has the permission on the scope."""
    if allows(actor, permission, scope):
        return
    line = PERMISSIONS[permission]
    where = f" in {scope}" if scope else ""
    raise Denied(
        f"{actor.name} may not {line.sentence}{where}.",
        code="permission-missing",
        hint=f"It takes the role {line.role} (or higher) there; an admin can give it.",
        details={"permission": permission, "scope": scope},
    )
