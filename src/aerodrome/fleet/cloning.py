"""A backup as a new deployment beside the one that it is of: to look at the past, to try an upgrade or a repair.

The new deployment gets the Fernet key of the old one, so that connections and variables in the backup stay readable, and its
code and settings. It does not get the old one's own environment objects: a copy should not reach what the original works on.
"""

from __future__ import annotations

from sqlalchemy.orm import Session

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.fleet import backups, deployments, deploys, lookup
from aerodrome.fleet.acts import queries as acts
from aerodrome.fleet.acts.copying import CLONE
from aerodrome.fleet.acts.queries import ActView
from aerodrome.fleet.acts.walk import begin
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.requests import NewDeploy, NewDeployment
from aerodrome.fleet.spec import versions_of
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.kernel.errors import Conflict
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.snapshot import SnapshotRow


def clone(context: FleetContext, actor: Actor, ref: str, backup_id: str, name: str) -> ActView:
    """Make a deployment `name` in the same workspace out of a backup; all its DAGs are paused and unfinished runs ended."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "backup.restore")
        deployments.refuse_when_deleting(row)
        found = backups.kept(session, row, backup_id)
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
    made: list[ActView] = []

    def write(session: Session, new: DeploymentRow) -> None:
        if session.get(SnapshotRow, found.id) is None:
            raise Conflict(
                "The backup is gone.", code="backup-gone", hint="`aerodrome backup list` shows what there is."
            )
        title = f"Clone {row.name} as of {found.created_at:%Y-%m-%d %H:%M} UTC"
        params = {"snapshot": found.id, "from": row.id}
        act = begin(context, session, actor, new, "clone", CLONE.forward, title, params)
        if code is not None:
            deploys.queue(session, context, actor, new, code)
        audit.record(session, actor, "backup.clone", lookup.deployment_scope(row), {"backup": found.id, "into": new.id})
        made.append(acts.view(session, act))

    code = _code(context, row, deploy, found)
    fernet_key = DeploymentVault(context.secrets, row.id).fernet_key()
    deployments.create(context, actor, _wish(row, found, name), fernet_key=fernet_key, begin=write)
    return made[-1]


def _wish(row: DeploymentRow, found: SnapshotRow, name: str) -> NewDeployment:
    pythons = AirflowVersion.parse(found.airflow_version).pythons
    return NewDeployment(
        name,
        row.workspace_id,
        found.airflow_version,
        row.python_version if not pythons or row.python_version in pythons else None,
        row.cluster_id,
        row.parallelism,
        config=dict(row.config),
        description=f"Clone of {row.name} as of {found.created_at:%Y-%m-%d %H:%M} UTC",
        database="sqlite" if found.dialect == "sqlite" else "postgresql",
    )


def _code(context: FleetContext, row: DeploymentRow, deploy: DeployRow | None, found: SnapshotRow) -> NewDeploy | None:
    """Give the code that is live now; none when the backup is of another Airflow version, which may not run it."""
    if deploy is None or versions_of(row, deploy)[0] != found.airflow_version:
        return None
    return NewDeploy(
        context.bundles.get(deploy.bundle_digest),
        extra_bundles=dict(deploy.extra_bundles),
        description=f"The code of {row.name}, deploy {deploy.number}",
        check_policy="record",
    )
