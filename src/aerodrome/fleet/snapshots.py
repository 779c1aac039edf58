"""Snapshots for a backup of the whole platform: taken at once, without the worker, and the beginning of a restored deployment."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from aerodrome.access.actor import SYSTEM
from aerodrome.fleet import backups
from aerodrome.fleet.acts import queries as acts
from aerodrome.fleet.acts.copying import BRING_BACK
from aerodrome.fleet.acts.walk import begin
from aerodrome.fleet.backup_work import BackupWork
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import Conflict
from aerodrome.store.tables.act import ActRow
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

_KEPT = timedelta(days=7)  # here; the copy in the platform's backup is what counts


def deployments(context: FleetContext) -> list[tuple[str, str]]:
    """Give id and name of every deployment that is not being deleted."""
    with context.store.reading() as session:
        query = select(DeploymentRow.id, DeploymentRow.name).where(DeploymentRow.desired != "deleted")
        return [(row.id, row.name) for row in session.execute(query.order_by(DeploymentRow.name))]


def take(context: FleetContext, deployment_id: str) -> str:
    """Take a snapshot of the metadata database now; give its id. Airflow may run. Raises why there is none."""
    with context.store.writing() as session:
        row = session.get_one(DeploymentRow, deployment_id)
        if acts.is_held(session, deployment_id):
            raise Conflict(
                f"{row.name} is being moved or restored.", code="act-under-way", hint="Wait until it has ended."
            )
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
        made = backups.new_row(
            context, session, row, "manual", SYSTEM.name, "For a backup of the platform", is_queued=False
        )
        made.expires_at = context.clock.now() + _KEPT
    BackupWork(context).take_now(made, runtime_spec(context, row, deploy, lambda _line: None))
    return made.id


def bring_back(context: FleetContext, deployment_id: str, snapshot_id: str) -> bool:
    """Begin the act that makes the snapshot the database of a deployment that has none here; False when it is not needed.

    A database on a server of somebody else is where it was, so it is left alone.
    """
    if context.runtime.observe(deployment_id).health != "missing":
        return False
    with context.store.writing() as session:
        row = session.get(DeploymentRow, deployment_id)
        known = session.scalars(
            select(ActRow.params).where(ActRow.deployment_id == deployment_id, ActRow.kind == "bring-back")
        )
        if row is None or row.database_kind == "existing" or any(params["snapshot"] == snapshot_id for params in known):
            return False
        for act in session.scalars(
            select(ActRow).where(ActRow.deployment_id == deployment_id, ActRow.status.in_(acts.UNFINISHED))
        ):
            act.status = "failed"  # it belonged to the machine that is gone
            act.finished_at = context.clock.now()
        session.flush()
        begin(
            context,
            session,
            SYSTEM,
            row,
            "bring-back",
            BRING_BACK.forward,
            "Bring the metadata back",
            {"snapshot": snapshot_id},
        )
    return True
