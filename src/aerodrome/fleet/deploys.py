"""Commands on deploys: queue the next version of a deployment; read what was put there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aerodrome.access import audit
from aerodrome.access.actor import Actor
from aerodrome.airflowkit.versions import AirflowVersion, require_supported
from aerodrome.fleet import composing, git, lookup, queries, revisions, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.deployments import refuse_when_deleting
from aerodrome.fleet.machine import UNFINISHED
from aerodrome.fleet.requests import NewDeploy
from aerodrome.fleet.spec import versions_of
from aerodrome.fleet.views import DeployView
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.store import outbox
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

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
        rollback_of=wish.rollback_of,
        rehearsal_id=wish.rehearsal_id,
        revision=dict(wish.revision) if wish.revision is not None else revisions.take(session, deployment),
        created_at=context.clock.now(),
    )
    if wish.source is not None:
        row.kind, row.bundle_digest, row.parts, row.requirements = wish.kind, "", {}, []
        row.file_count = row.size_bytes = 0
        row.git = git.request(wish, wish.source)
    else:
        fill(row, deployment, before, wish)
    session.add(row)
    session.flush()
    details = {"deployment_id": deployment.id, "number": row.number, "bundle": row.bundle_digest, "kind": row.kind}
    audit.record(session, actor, "deploy.create", lookup.deployment_scope(deployment), details)
    outbox.emit(session, "deploy.queued", row.id, details, actor.name)
    wishes.ask_to_look(session, deployment.id)
    return row


def fill(row: DeployRow, deployment: DeploymentRow, before: DeployRow | None, wish: NewDeploy) -> None:
    """Write what the deploy consists of: project, named bundles, versions. Conflict when they do not fit together."""
    bundle = wish.bundle
    if bundle is not None:
        row.bundle_digest, row.parts = bundle.digest, dict(bundle.parts)
        row.requirements, row.file_count, row.size_bytes = (
            list(bundle.requirements),
            bundle.file_count,
            bundle.size_bytes,
        )
        row.project = asdict(bundle.settings)
        if not row.description:
            row.description = bundle.settings.description
    elif before is not None:
        row.bundle_digest, row.parts = before.bundle_digest, before.parts
        row.requirements, row.file_count, row.size_bytes = before.requirements, before.file_count, before.size_bytes
        row.project = before.project
    else:
        raise Conflict(
            f"The deployment {deployment.name!r} has no deploy yet that this one could change.",
            code="deploy-without-base",
            hint="Deploy the whole project first: `aerodrome deploy PATH`.",
        )
    extra = before.extra_bundles if before is not None and wish.extra_bundles is None else wish.extra_bundles or {}
    row.extra_bundles = dict(extra)
    project = row.project or {}
    takes_pins = wish.kind in {"full", "packages"} and wish.cause == "deploy"
    pinned_airflow, pinned_python = (project.get("airflow"), project.get("python")) if takes_pins else (None, None)
    base = before if before is not None and before.status in UNFINISHED else None  # it changes the deployment soon
    row.airflow_version = wish.airflow_version or pinned_airflow or versions_of(deployment, base)[0]
    row.python_version = wish.python_version or pinned_python or versions_of(deployment, base)[1]
    require_supported(row.airflow_version, row.python_version)
    row.kind = _kind(row, before)
    if row.extra_bundles and AirflowVersion.parse(row.airflow_version).major < 3:
        raise Conflict(
            f"Airflow {row.airflow_version} knows no named DAG bundles, and this deployment has "
            f"{', '.join(sorted(row.extra_bundles))}.",
            code="bundles-need-airflow-3",
            hint="Use Airflow 3, or put the DAGs into the project's dags/ folder.",
        )


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
        row = find(session, deployment, deploy)
        return queries.deploys(session, [row])[0]


def get_by_id(context: FleetContext, actor: Actor, deploy_id: str) -> DeployView:
    with context.store.reading() as session:
        row = session.get(DeployRow, deploy_id)
        if row is None:
            raise _missing(deploy_id)
        lookup.deployment(session, actor, row.deployment_id, "deploy.read")
        return queries.deploys(session, [row])[0]


def newest(session: Session, deployment_id: str, below: int | None = None) -> DeployRow | None:
    """Give the newest deploy that has not failed and has its bundle: the one that the next builds on."""
    query = select(DeployRow).where(
        DeployRow.deployment_id == deployment_id, DeployRow.status != "failed", DeployRow.bundle_digest != ""
    )
    if below is not None:
        query = query.where(DeployRow.number < below)
    return session.scalars(query.order_by(DeployRow.number.desc()).limit(1)).one_or_none()


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
    """A deploy of a part needs the whole before it; that of a deploy from git is not known before it is fetched."""
    if wish.kind == "full":
        return
    query = select(DeployRow.number).where(
        DeployRow.deployment_id == deployment.id, DeployRow.status.in_(UNFINISHED), DeployRow.bundle_digest == ""
    )
    if (number := session.scalars(query.limit(1)).first()) is not None:
        raise Conflict(
            f"Deploy {number} is still being fetched from git, and this one builds on it.",
            code="deploy-fetching",
            hint=f"Wait for it: `aerodrome deploy logs {number} --follow`; then deploy again.",
        )


def _missing(deploy: int | str) -> NotFound:
    return NotFound(
        f"There is no deploy {deploy} here.",
        code="deploy-not-found",
        hint="`aerodrome deploy list` shows the deploys of a deployment.",
    )


def _id(row: DeployRow | None) -> str | None:
    return row.id if row is not None else None


def _kind(row: DeployRow, before: DeployRow | None) -> str:
    """Tell what differs from the deploy before. Only `dags` and `bundle` without a new name leave Airflow running."""
    if before is None or row.airflow_version != (before.airflow_version or row.airflow_version):
        return "full"
    if row.python_version != (before.python_version or row.python_version):
        return "full"
    changed = _changed(before.parts, row.parts)
    if dict(before.extra_bundles) != dict(row.extra_bundles):
        return "bundle" if not changed else "full"
    if changed <= {"dags"}:
        return "dags"
    return "packages" if changed <= {"requirements", "settings"} else "full"


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {part for part in before.keys() | after.keys() if before.get(part) != after.get(part)}
