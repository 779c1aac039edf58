"""Commands on deploys: queue a bundle as the next version of a deployment."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.builds.contract import Bundle
from aerodrome.fleet import lookup, queries, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.deployments import refuse_when_deleting
from aerodrome.fleet.views import DeployView
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.store import outbox
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

ORIGINS = ("cli", "api", "page", "migration")


def create(
    context: FleetContext, actor: Actor, ref: str, bundle: Bundle, *, description: str, origin: str
) -> DeployView:
    with wishes.writing(context) as session:
        # held: the number and the kind depend on the deploy before
        deployment = lookup.deployment_to_change(session, actor, ref, "deploy.create")
        refuse_when_deleting(deployment)
        before = session.scalars(
            select(DeployRow)
            .where(DeployRow.deployment_id == deployment.id, DeployRow.status != "failed")
            .order_by(DeployRow.number.desc())
            .limit(1)
        ).one_or_none()
        last = session.scalar(select(func.max(DeployRow.number)).where(DeployRow.deployment_id == deployment.id))
        row = DeployRow(
            id=new_id("dpl"),
            deployment_id=deployment.id,
            number=(last or 0) + 1,
            status="queued",
            kind="dags" if before is not None and _only_dags_differ(before.parts, bundle.parts) else "full",
            bundle_digest=bundle.digest,
            parts=dict(bundle.parts),
            requirements=list(bundle.requirements),
            file_count=bundle.file_count,
            size_bytes=bundle.size_bytes,
            description=description.strip(),
            actor=actor.name,
            origin=origin if origin in ORIGINS else "api",
            created_at=context.clock.now(),
        )
        session.add(row)
        session.flush()
        details = {"deployment_id": deployment.id, "number": row.number, "bundle": bundle.digest, "kind": row.kind}
        audit.record(session, actor, "deploy.create", lookup.deployment_scope(deployment), details)
        outbox.emit(session, "deploy.queued", row.id, details, actor.name)
        wishes.ask_to_look(session, deployment.id)
        view = queries.deploys(session, [row])[0]
    context.ring()
    return view


def list_all(context: FleetContext, actor: Actor, ref: str) -> list[DeployView]:
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deploy.read")
        rows = session.scalars(
            select(DeployRow).where(DeployRow.deployment_id == deployment.id).order_by(DeployRow.number.desc())
        ).all()
        return queries.deploys(session, rows)


def get(context: FleetContext, actor: Actor, ref: str, deploy: int | str) -> DeployView:
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deploy.read")
        row = _find(session, deployment, deploy)
        return queries.deploys(session, [row])[0]


def get_by_id(context: FleetContext, actor: Actor, deploy_id: str) -> DeployView:
    with context.store.reading() as session:
        row = session.get(DeployRow, deploy_id)
        if row is None:
            raise _missing(deploy_id)
        lookup.deployment(session, actor, row.deployment_id, "deploy.read")
        return queries.deploys(session, [row])[0]


def _find(session: Session, deployment: DeploymentRow, deploy: int | str) -> DeployRow:
    query = select(DeployRow).where(DeployRow.deployment_id == deployment.id)
    if isinstance(deploy, int) or deploy.isdecimal():
        number = int(deploy)
        query = query.where(DeployRow.number == number) if number < 2**31 else query.where(DeployRow.id == "")
    else:
        query = query.where(DeployRow.id == deploy)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise _missing(deploy)
    return row


def _missing(deploy: int | str) -> NotFound:
    return NotFound(
        f"There is no deploy {deploy} here.",
        code="deploy-not-found",
        hint="`aerodrome deploy list` shows the deploys of a deployment.",
    )


def _only_dags_differ(before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    parts = (before.keys() | after.keys()) - {"dags"}
    return all(before.get(part) == after.get(part) for part in parts)
