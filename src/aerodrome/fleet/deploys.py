"""Commands on deploys: queue the next version of a deployment; read what was put there."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aerodrome.access import audit, permissions
from aerodrome.access.actor import Actor
from aerodrome.fleet import composing, git, lookup, queries, revisions, wishes
from aerodrome.fleet.contents import changes_version, fill, newest
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.deployments import refuse_when_deleting
from aerodrome.fleet.machine import UNFINISHED
from aerodrome.fleet.requests import NewDeploy
from aerodrome.fleet.views import DeployView
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.store import outbox
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

__all__ = ["create", "fill", "find", "get", "get_by_id", "list_all", "newest", "queue"]
ORIGINS = ("cli", "api", "page", "ci", "migration")
_TRIES = 5  # a deploy of a part is composed with the deploy before, which may change meanwhile


def create(context: FleetContext, actor: Actor, ref: str, wish: NewDeploy) -> DeployView:
    """Queue a deploy. The bundle of a part is composed before the transaction, and again when it was overtaken."""
    for _ in range(_TRIES):
        with context.store.reading() as session:
            deployment = lookup.deployment(session, actor, ref, "deploy.create")
            before = newest(session, deployment.id)
            _refuse_while_fetching(session, deployment, wish)
        if wish.source is not None:
            git.check(context, wish.source)
        whole = composing.compose(context, wish, before)
        with wishes.writing(context) as session:
            # held: the number and the kind depend on the deploy before
            deployment = lookup.deployment_to_change(session, actor, ref, "deploy.create")
            now_before = newest(session, deployment.id)
            if wish.kind == "full" or _id(now_before) == _id(before):
                row = queue(session, context, actor, deployment, whole)
                view = queries.deploys(session, [row])[0]
                break
    else:
        raise Conflict(
            "Other deploys of this deployment came in between again and again.",
            code="deploy-overtaken",
            hint="Send it again in a moment.",
        )
    context.ring()
    return view


def queue(
    session: Session, context: FleetContext, actor: Actor, deployment: DeploymentRow, wish: NewDeploy
) -> DeployRow:
    """Write the next deploy in the caller's transaction; the deployment's row must be held. Does not ring.

    `wish.bundle` is the whole project here (see composing.compose); None takes that of the deploy before, which must exist.
    """
    refuse_when_deleting(deployment)
    _refuse_while_fetching(session, deployment, wish)
    before = newest(session, deployment.id)
    last = session.scalar(select(func.max(DeployRow.number)).where(DeployRow.deployment_id == deployment.id))
    row = DeployRow(
        id=new_id("dpl"),
        deployment_id=deployment.id,
        number=(last or 0) + 1,
        status="queued",
        description=wish.description.strip(),
        actor=actor.name,
        origin=wish.origin if wish.origin in ORIGINS else "api",
        cause=wish.cause,
        git=dict(wish.git) if wish.git else None,
        is_forced=wish.is_forced,
        check_policy=wish.check_policy,
        rollback_of=wish.rollback_of,
        rehearsal_id=wish.rehearsal_id,
        revision=dict(wish.revision) if wish.revision is not None else revisions.take(session, deployment),
        created_at=context.clock.now(),
    )
    if wish.source is not None:
        row.kind, row.bundle_digest, row.parts, row.requirements = wish.kind, "", {}, []
        row.file_count = row.size_bytes = 0
        may_change = permissions.allows(actor, "deployment.update", lookup.deployment_scope(deployment))
        row.git = git.request(wish, wish.source, may_change_version=may_change)
    else:
        fill(row, deployment, before, wish)
        if changes_version(row, deployment, before):  # replaces the metadata database, as an upgrade does
            permissions.require(actor, "deployment.update", lookup.deployment_scope(deployment))
    session.add(row)
    session.flush()
    details = {"deployment_id": deployment.id, "number": row.number, "bundle": row.bundle_digest, "kind": row.kind}
    audit.record(session, actor, "deploy.create", lookup.deployment_scope(deployment), details)
    outbox.emit(session, "deploy.queued", row.id, details, actor.name)
    wishes.ask_to_look(session, deployment.id)
    return row


def list_all(
    context: FleetContext, actor: Actor, ref: str, *, limit: int | None = None, below: int | None = None
) -> list[DeployView]:
    """Give the deploys of a deployment, newest first: at most `limit`, and only those with a number below `below`."""
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deploy.read")
        query = select(DeployRow).where(DeployRow.deployment_id == deployment.id).order_by(DeployRow.number.desc())
        if below is not None:
            query = query.where(DeployRow.number < below)
        return queries.deploys(session, session.scalars(query.limit(limit)).all())


def get(context: FleetContext, actor: Actor, ref: str, deploy: int | str) -> DeployView:
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deploy.read")
        row = find(session, deployment, deploy)
        return queries.deploys(session, [row])[0]


def get_by_id(context: FleetContext, actor: Actor, deploy_id: str) -> DeployView:
    with context.store.reading() as session:
        row = session.get(DeployRow, deploy_id)
        home = session.get(DeploymentRow, row.deployment_id) if row is not None else None
        is_seen = home is not None and permissions.allows(actor, "deploy.read", lookup.deployment_scope(home))
        if row is None or not is_seen:
            raise _missing(deploy_id)
        return queries.deploys(session, [row])[0]


def find(session: Session, deployment: DeploymentRow, deploy: int | str) -> DeployRow:
    """Give a deploy of the deployment by number or id; NotFound otherwise."""
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


def _refuse_while_fetching(session: Session, deployment: DeploymentRow, wish: NewDeploy) -> None:
    """Refuse what builds on a deploy from git that is not known before it is fetched."""
    if wish.source is not None:
        return  # it is composed when its own turn has come
    query = select(DeployRow.number, DeployRow.kind).where(
        DeployRow.deployment_id == deployment.id, DeployRow.status.in_(UNFINISHED), DeployRow.bundle_digest == ""
    )
    for number, kind in session.execute(query.order_by(DeployRow.number.desc())):
        takes_bundles = wish.extra_bundles is None and kind == "bundle"
        if wish.kind != "full" or wish.bundle is None or takes_bundles:
            raise Conflict(
                f"Deploy {number} is still being fetched from git, and this one builds on it.",
                code="deploy-fetching",
                hint=f"Wait for it: `aerodrome deploy logs {number} --follow`; then ask again.",
            )


def _missing(deploy: int | str) -> NotFound:
    return NotFound(
        f"There is no deploy {deploy} here.",
        code="deploy-not-found",
        hint="`aerodrome deploy list` shows the deploys of a deployment.",
    )


def _id(row: DeployRow | None) -> str | None:
    return row.id if row is not None else None
