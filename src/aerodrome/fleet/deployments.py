"""Commands on deployments: each writes a wish; the reconciler makes it true."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.airflowkit.versions import DEFAULT, AirflowVersion, require_supported
from aerodrome.environments.writing import Scope
from aerodrome.fleet import databases, lookup, names, options, queries, upkeep, variables, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.machine import DEPLOYMENT
from aerodrome.fleet.requests import DeploymentChanges, NewDeployment
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.fleet.views import DeploymentView
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.workspace import WorkspaceRow

_VERBS = {"running": "woken", "hibernated": "hibernated", "deleted": "deletion_requested"}
_PERMISSIONS = {"running": "deployment.update", "hibernated": "deployment.update", "deleted": "deployment.delete"}
_QUIET = {
    "name",
    "description",
    "drain_s",
    "log_retention_days",
    "pools",
    "upkeep",
}  # Airflow is not started again for these
_EVENTS = {"running": "wake", "hibernated": "hibernate", "deleted": "delete"}


def create(
    context: FleetContext,
    actor: Actor,
    wish: NewDeployment,
    *,
    fernet_key: Secret | None = None,
    begin: Callable[[Session, DeploymentRow], None] = lambda _session, _row: None,
) -> DeploymentView:
    """Make a deployment. `begin` is called in the transaction that writes its row."""
    names.check_name(wish.name, noun="deployment")
    names.check_parallelism(wish.parallelism)
    names.check_env(wish.env)
    names.check_config(wish.config)
    options.check(wish.config)
    databases.check_kind(wish.database, wish.database_url)
    airflow_version = wish.airflow_version or DEFAULT
    python_version = wish.python_version or default_python(airflow_version)
    version = require_supported(airflow_version, python_version)
    with context.store.reading() as session:
        workspace = lookup.workspace(session, actor, wish.workspace, "deployment.create")
        cluster = lookup.cluster(session, wish.cluster)
        _check_free(session, workspace.id, wish.name)

    deployment_id, now = new_id("dep"), context.clock.now()
    vault = DeploymentVault(context.secrets, deployment_id)
    vault.create_keys(fernet_key)
    scope = Scope(workspace.id, deployment_id)
    row = DeploymentRow(
        id=deployment_id,
        workspace_id=workspace.id,
        cluster_id=cluster.id,
        name=wish.name,
        description=wish.description.strip(),
        desired="running",
        airflow_version=str(version),
        python_version=python_version,
        executor="LocalExecutor",
        parallelism=wish.parallelism,
        env={},
        secret_env=[],
        config=dict(wish.config),
        database_kind=wish.database,
        generation=1,
        status="creating",
        created_at=now,
        updated_at=now,
    )
    try:
        databases.make(context, deployment_id, wish.database, wish.database_url)
        env = variables.first(context, scope, wish.env)
        with _unique_name(wish.name), wishes.writing(context) as session:
            _check_free(session, workspace.id, wish.name)
            session.add(row)
            session.flush()
            variables.write_first(session, actor, scope, env)
            wishes.record(session, actor, row, "created", {"airflow_version": str(version), "database": wish.database})
            wishes.ask_to_look(session, deployment_id)
            upkeep.ask(session, deployment_id)
            begin(session, row)
    except BaseException:
        databases.unmake(context, deployment_id, wish.database)
        vault.clear()
        raise
    context.ring()
    return get(context, actor, deployment_id)


def get(context: FleetContext, actor: Actor, ref: str) -> DeploymentView:
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.read")
        return queries.deployments(session, [row])[0]


def list_all(
    context: FleetContext, actor: Actor, workspace: str | None, status: str | None = None
) -> list[DeploymentView]:
    query = (
        select(DeploymentRow)
        .join(WorkspaceRow, WorkspaceRow.id == DeploymentRow.workspace_id)
        .order_by(WorkspaceRow.name, DeploymentRow.name)
    )
    with context.store.reading() as session:
        if workspace is not None:
            row = lookup.workspace(session, actor, workspace, "workspace.read")
            query = query.where(DeploymentRow.workspace_id == row.id)
        if status is not None:
            query = query.where(DeploymentRow.status == _check_status(status))
        rows = [
            row
            for row in session.scalars(query)
            if permissions.allows(actor, "deployment.read", lookup.deployment_scope(row))
        ]
        return queries.deployments(session, rows)


def update(context: FleetContext, actor: Actor, ref: str, changes: DeploymentChanges) -> DeploymentView:
    """Change what is set on the deployment's row; its versions change by deploys only, see versions.py."""
    with _unique_name(changes.name or ""), wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, "deployment.update")
        refuse_when_deleting(row)
        wanted = _checked(session, row, changes)
        changed = {field: value for field, value in wanted.items() if getattr(row, field) != value}
        for field, value in changed.items():
            setattr(row, field, value)
        if changed:
            needs_restart = changed.keys() - _QUIET
            if needs_restart:
                _wish_again(session, row)
            row.updated_at = context.clock.now()
            if changed.keys() & {"pools", "log_retention_days", "upkeep"}:
                upkeep.ask(session, row.id)
            wishes.record(session, actor, row, "updated", {"fields": sorted(changed)})
        deployment_id = row.id
    context.ring()
    return get(context, actor, deployment_id)


def set_desired(
    context: FleetContext, actor: Actor, ref: str, desired: Literal["running", "hibernated", "deleted"]
) -> DeploymentView:
    with wishes.writing(context) as session:
        row = lookup.deployment_to_change(session, actor, ref, _PERMISSIONS[desired])
        if row.desired != desired:
            refuse_when_deleting(row)
            row.desired = desired
            row.updated_at = context.clock.now()
            _wish_again(session, row)
            wishes.record(session, actor, row, _VERBS[desired], {})
            wishes.move(session, row, _EVENTS[desired], actor=actor.name)
        view = queries.deployments(session, [row])[0]
    context.ring()
    return view


def default_python(airflow_version: str) -> str:
    """Give the Python of this process when that Airflow runs on it, else the newest that it does run on."""
    ours = f"{sys.version_info.major}.{sys.version_info.minor}"
    pythons = AirflowVersion.parse(airflow_version).pythons
    return ours if ours in pythons or not pythons else pythons[-1]


def refuse_when_deleting(row: DeploymentRow) -> None:
    if row.desired == "deleted":
        raise Conflict(
            f"The deployment {row.name!r} is being deleted.",
            code="deployment-deleting",
            hint="Make a new one when it is gone.",
        )


def _check_status(status: str) -> str:
    if status in DEPLOYMENT.states:
        return status
    raise Invalid(
        f"{status[:40]!r} is no status of a deployment.",
        code="status-unknown",
        hint=f"Choose one of {', '.join(DEPLOYMENT.states)}.",
        details={"field": "status"},
    )


def _wish_again(session: Session, row: DeploymentRow) -> None:
    row.generation += 1
    row.error = None
    wishes.ask_to_look(session, row.id)


def _check_free(session: Session, workspace_id: str, name: str) -> None:
    query = select(DeploymentRow.id).where(DeploymentRow.workspace_id == workspace_id, DeploymentRow.name == name)
    if session.scalars(query).first() is not None:
        raise _taken(name)


def _taken(name: str) -> Conflict:
    return Conflict(
        f"There is already a deployment {name!r} in this workspace.",
        code="deployment-name-taken",
        hint="Choose another name.",
        details={"field": "name"},
    )


@contextmanager
def _unique_name(name: str) -> Iterator[None]:
    """Two who take the same name in the same moment both find it free; the database lets one of them through."""
    try:
        yield
    except IntegrityError as error:
        raise _taken(name) from error


def _checked(session: Session, row: DeploymentRow, changes: DeploymentChanges) -> dict[str, object]:
    wanted: dict[str, object] = {}
    if changes.name is not None and changes.name != row.name:
        wanted["name"] = names.check_name(changes.name, noun="deployment")
        _check_free(session, row.workspace_id, changes.name)
    if changes.description is not None:
        wanted["description"] = changes.description.strip()
    if changes.parallelism is not None:
        wanted["parallelism"] = names.check_parallelism(changes.parallelism)
    if changes.config is not None:
        names.check_config(changes.config)
        options.check(changes.config)
        wanted["config"] = dict(changes.config)
    if changes.drain_s is not None:
        wanted["drain_s"] = options.check_drain(changes.drain_s)
    if changes.log_retention_days is not None:
        wanted["log_retention_days"] = options.check_days(changes.log_retention_days)
    if changes.pools is not None:
        wanted["pools"] = options.check_pools(changes.pools)
    if changes.upkeep is not None:
        wanted["upkeep"] = options.check_upkeep(changes.upkeep)
    return wanted
