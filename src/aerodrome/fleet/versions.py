"""Commands on versions: upgrade, roll back, rehearse either on a copy first; and what there is to choose from.

A change of version is a deploy like any other (causes `upgrade` and `rollback`); its walk does the rest.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access import audit, permissions
from aerodrome.access.actor import Actor
from aerodrome.airflowkit.versions import SUPPORTED, AirflowVersion, require_supported
from aerodrome.builds.contract import Bundle
from aerodrome.fleet import deployments, deploys, lookup, queries, rehearsing, revisions, ways, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.deployments import default_python, refuse_when_deleting
from aerodrome.fleet.requests import DeploymentChanges, NewDeploy
from aerodrome.fleet.views import DeploymentView, DeployView, RehearsalView, VersionChoice
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.store import jobs
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.rehearsal import RehearsalRow


@dataclass(frozen=True)
class Change:
    """A wished change of version: `deploy` to roll back to, or `to` to upgrade to."""

    to: str | None = None  # an Airflow version
    python: str | None = None  # None: the deployment's when that Airflow runs on it
    deploy: int | str | None = None  # number or id of the deploy to bring back
    with_configuration: bool = False  # of that deploy: settings and environment objects too
    rehearsal_id: str | None = None  # a rehearsal that passed; otherwise the walk does one
    description: str = ""
    origin: str = "api"
    is_forced: bool = False  # go on although checks or the rehearsal found problems


def choices(context: FleetContext, actor: Actor, ref: str) -> list[VersionChoice]:
    """Give every Airflow version, newest first, and how the deployment could get there."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.read")
        found = []
        for text in sorted(SUPPORTED, key=AirflowVersion.parse, reverse=True):
            way = ways.way_of(row.airflow_version, text)
            is_possible = way != "back" or ways.way_back(session, row.id, text) is not None
            found.append(VersionChoice(text, AirflowVersion.parse(text).pythons, way, is_possible))
        return found


def upgrade(context: FleetContext, actor: Actor, ref: str, change: Change) -> DeployView:
    """Queue the upgrade as a deploy of what is deployed now."""
    spare = _spare_bundle(context, actor, ref)
    with wishes.writing(context) as session:
        deployment = lookup.deployment_to_change(session, actor, ref, "deployment.update")
        wish = _upgrade_wish(deployment, change, spare)
        view = _queue(session, context, actor, deployment, wish, "deployment.upgrade")
    context.ring()
    return view


def update(context: FleetContext, actor: Actor, ref: str, changes: DeploymentChanges) -> DeploymentView:
    """Change settings at once, and versions by an upgrade; either is checked before anything is written."""
    change = Change(changes.airflow_version, changes.python_version)
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.update")
        wanted = (changes.airflow_version or row.airflow_version, changes.python_version or row.python_version)
        needs_upgrade = wanted != (row.airflow_version, row.python_version)
        if needs_upgrade:
            refuse_when_deleting(row)
            _upgrade_wish(row, change, None)
    view = deployments.update(context, actor, ref, replace(changes, airflow_version=None, python_version=None))
    if needs_upgrade:
        upgrade(context, actor, row.id, change)
        view = deployments.get(context, actor, row.id)
    return view


def roll_back(context: FleetContext, actor: Actor, ref: str, change: Change) -> DeployView:
    """Queue an earlier deploy as a new one; with its configuration when asked."""
    target, bundle = _target(context, actor, ref, change)
    with wishes.writing(context) as session:
        deployment = lookup.deployment_to_change(session, actor, ref, "deploy.create")
        if change.with_configuration:  # writes what `deployment update` and `env set` write
            permissions.require(actor, "deployment.update", lookup.deployment_scope(deployment))
            permissions.require(actor, "environment.update", lookup.deployment_scope(deployment))
        if target.id == deployment.current_deploy_id and not change.with_configuration:
            raise Conflict(
                f"Deploy {target.number} is what runs.",
                code="deploy-is-live",
                hint="--with-configuration brings back its settings and environment objects.",
            )
        wish = _rollback_wish(deployment, target, bundle, change)
        if change.with_configuration:
            before = revisions.take(session, deployment)
            revisions.put_back(session, actor, deployment, target.revision or {})
            wish = replace(wish, revision={**revisions.take(session, deployment), "before": before})
        if wish.airflow_version != deployment.airflow_version:  # replaces the metadata database, as an upgrade does
            permissions.require(actor, "deployment.update", lookup.deployment_scope(deployment))
        ways.require_way(session, deployment, wish.airflow_version or deployment.airflow_version, "rollback")
        view = _queue(session, context, actor, deployment, wish, "deployment.rollback")
    context.ring()
    return view


def rehearse(context: FleetContext, actor: Actor, ref: str, change: Change) -> RehearsalView:
    """Queue a try on a copy; Conflict when the version does not change, or there is no way."""
    target, bundle = (None, None) if change.deploy is None else _target(context, actor, ref, change)
    spare = _spare_bundle(context, actor, ref)
    with wishes.writing(context) as session:
        deployment = lookup.deployment_to_change(session, actor, ref, "deploy.create")
        refuse_when_deleting(deployment)
        if target is not None and bundle is not None:
            wish = _rollback_wish(deployment, target, bundle, change)
        else:
            wish = _upgrade_wish(deployment, change, spare)
        wanted = DeployRow(cause=wish.cause, rollback_of=wish.rollback_of, description="")
        deploys.fill(wanted, deployment, deploys.newest(session, deployment.id), wish)
        if (wanted.airflow_version, wanted.python_version) == (deployment.airflow_version, deployment.python_version):
            raise Conflict(
                f"The Airflow version stays {deployment.airflow_version}, so there is nothing to rehearse.",
                code="nothing-to-rehearse",
                hint="Running tasks finish on the code that they started with.",
            )
        version = wanted.airflow_version or deployment.airflow_version
        snapshot = ways.require_way(session, deployment, version, wish.cause)
        row = rehearsing.new_row(deployment, wanted, snapshot, actor.name)
        row.created_at = context.clock.now()
        session.add(row)
        session.flush()
        details = {"rehearsal": row.id, "from": row.from_version, "to": row.to_version}
        audit.record(session, actor, "deployment.rehearse", lookup.deployment_scope(deployment), details)
        jobs.enqueue(session, rehearsing.KIND, row.id, lane=row.id)
        view = queries.rehearsal(row)
    context.ring()
    return view


def rehearsals(context: FleetContext, actor: Actor, ref: str) -> list[RehearsalView]:
    """Give the rehearsals of a deployment, newest first."""
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deploy.read")
        query = select(RehearsalRow).where(RehearsalRow.deployment_id == deployment.id)
        rows = session.scalars(query.order_by(RehearsalRow.created_at.desc(), RehearsalRow.id.desc()))
        return [queries.rehearsal(row) for row in rows]


def rehearsal(context: FleetContext, actor: Actor, ref: str, rehearsal_id: str) -> RehearsalView:
    """Give one rehearsal of a deployment."""
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deploy.read")
        row = session.get(RehearsalRow, rehearsal_id)
        if row is None or row.deployment_id != deployment.id:
            raise NotFound(f"There is no rehearsal {rehearsal_id} here.", code="rehearsal-not-found")
        return queries.rehearsal(row)


def _queue(
    session: Session, context: FleetContext, actor: Actor, deployment: DeploymentRow, wish: NewDeploy, verb: str
) -> DeployView:
    row = deploys.queue(session, context, actor, deployment, wish)
    details = {"number": row.number, "from": deployment.airflow_version, "to": row.airflow_version}
    audit.record(session, actor, verb, lookup.deployment_scope(deployment), details)
    return queries.deploys(session, [row])[0]


def _upgrade_wish(deployment: DeploymentRow, change: Change, spare: Bundle | None) -> NewDeploy:
    to = change.to or deployment.airflow_version
    python = change.python
    if python is None:
        fits = deployment.python_version in AirflowVersion.parse(to).pythons
        python = deployment.python_version if fits else default_python(to)
    require_supported(to, python)
    if (to, python) == (deployment.airflow_version, deployment.python_version):
        raise Conflict(
            f"The deployment {deployment.name!r} runs Airflow {to} on Python {python} already.",
            code="version-is-current",
            hint=f"`aerodrome deployment upgrade {deployment.name} --to VERSION` takes another one.",
        )
    if ways.way_of(deployment.airflow_version, to) == "back":
        raise Invalid(
            f"Airflow {to} is older than {deployment.airflow_version}; an upgrade goes forward only.",
            code="airflow-downgrade",
            hint="Roll back to a deploy that ran it: `aerodrome deploy rollback N`.",
            details={"field": "airflow_version"},
        )
    return NewDeploy(
        cause="upgrade",
        origin=change.origin,
        is_forced=change.is_forced,
        rehearsal_id=change.rehearsal_id,
        bundle=spare,
        airflow_version=to,
        python_version=python,
        description=change.description or f"Upgrade Airflow {deployment.airflow_version} to {to}",
    )


def _rollback_wish(deployment: DeploymentRow, target: DeployRow, bundle: Bundle, change: Change) -> NewDeploy:
    return NewDeploy(
        cause="rollback",
        origin=change.origin,
        is_forced=change.is_forced,
        rehearsal_id=change.rehearsal_id,
        bundle=bundle,
        extra_bundles=dict(target.extra_bundles or {}),
        airflow_version=target.airflow_version or deployment.airflow_version,
        python_version=target.python_version or deployment.python_version,
        rollback_of=target.id,
        description=change.description or f"Roll back to deploy {target.number}",
    )


def _target(context: FleetContext, actor: Actor, ref: str, change: Change) -> tuple[DeployRow, Bundle]:
    """Give the deploy to bring back and its project; Conflict when it never ran or is not kept any more."""
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deploy.create")
        target = deploys.find(session, deployment, change.deploy or "")
    if target.live_at is None:
        raise Conflict(
            f"Deploy {target.number} was never live, so there is nothing to go back to.",
            code="deploy-never-live",
            hint="`aerodrome deploy list` shows which were.",
        )
    try:
        bundles = [context.bundles.get(digest) for digest in (target.bundle_digest, *target.extra_bundles.values())]
    except NotFound as error:
        raise Conflict(
            f"The files of deploy {target.number} are not kept any more.",
            code="deploy-forgotten",
            hint="Deploy the project again from where it is kept.",
        ) from error
    return target, bundles[0]


def _spare_bundle(context: FleetContext, actor: Actor, ref: str) -> Bundle | None:
    """Give an empty project for a deployment on which nothing was deployed yet, else None."""
    with context.store.reading() as session:
        deployment = lookup.deployment(session, actor, ref, "deployment.read")
        if deploys.newest(session, deployment.id) is not None:
            return None
    with tempfile.TemporaryDirectory(prefix="aerodrome-empty-") as folder:
        (Path(folder) / "dags").mkdir()
        (Path(folder) / "dags" / "README.md").write_text("Nothing was deployed here yet.\n")
        return context.bundles.put(Path(folder))
