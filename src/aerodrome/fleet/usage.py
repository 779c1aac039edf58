"""Which DAGs of a deployment need which connections, variables, pools and environment variables; and checks without a deploy.

The usage of each deploy is kept with its checks, so looking it up parses nothing. Of a deploy from before there were checks the
text of its files is read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome import parsing
from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.fleet import composing, deploys, lookup
from aerodrome.fleet.checks.running import look
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.requests import NewDeploy
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.store.tables.deploy import DeployRow, DeployUsageRow
from aerodrome.store.tables.deployment import DeploymentRow


@dataclass(frozen=True)
class UsePlace:
    """One place that names an object."""

    file: str
    line: int | None
    via: str
    is_required: bool
    dag_ids: tuple[str, ...]


@dataclass(frozen=True)
class UsedObject:
    """One connection, variable, pool or environment variable that DAGs name."""

    kind: str
    name: str
    is_required: bool
    is_missing: bool  # when the deploy was checked
    dag_ids: tuple[str, ...]
    places: tuple[UsePlace, ...]


@dataclass(frozen=True)
class UsageView:
    """What the live deploy of a deployment needs, by kind and name."""

    deployment_id: str
    deployment_name: str
    deploy_number: int | None  # None: nothing is deployed
    live_at: datetime | None
    objects: tuple[UsedObject, ...]


def of_deployment(context: FleetContext, actor: Actor, ref: str) -> UsageView:
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deploy.read")
        live = _live(session, row)
    return _view(context, row, live)


def of_object(context: FleetContext, actor: Actor, kind: str, name: str) -> list[UsageView]:
    """Give the deployments that the actor may see and whose live deploys name the object, with that object only."""
    with context.store.reading() as session:
        rows = session.scalars(select(DeploymentRow).order_by(DeploymentRow.name, DeploymentRow.id)).all()
        seen = [row for row in rows if permissions.allows(actor, "deploy.read", lookup.deployment_scope(row))]
        pairs = [(row, live) for row in seen if (live := _live(session, row)) is not None]
    found = []
    for row, live in pairs:
        view = _view(context, row, live)
        if objects := tuple(item for item in view.objects if (item.kind, item.name) == (kind, name)):
            found.append(replace(view, objects=objects))
    return found


def check(context: FleetContext, actor: Actor, ref: str, wish: NewDeploy) -> Mapping[str, Any]:
    """Check what a deploy of the wish would be, under its exact target; nothing is queued or changed."""
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deploy.create")
        before = deploys.newest(session, row.id)
    whole = composing.compose(context, wish, before)
    draft = DeployRow(
        id=new_id("dpl"),
        deployment_id=row.id,
        number=(before.number if before is not None else 0) + 1,
        status="queued",
        cause=wish.cause,
        check_policy=wish.check_policy,
        is_forced=False,
        description="",
    )
    deploys.fill(draft, row, before, whole)
    spec = runtime_spec(context, row, draft, lambda _line: None)
    return look(context, row, draft, spec, lambda _line: None)


def _live(session: Session, row: DeploymentRow) -> tuple[DeployRow, DeployUsageRow | None] | None:
    live = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
    return (live, session.get(DeployUsageRow, live.id)) if live is not None else None


def _view(
    context: FleetContext, row: DeploymentRow, found: tuple[DeployRow, DeployUsageRow | None] | None
) -> UsageView:
    if found is None:
        return UsageView(row.id, row.name, None, None, ())
    live, kept = found
    entries = kept.usage if kept is not None else list(_by_text(context, live))
    findings = (live.checks or {}).get("findings", ())
    missing = {(item["kind"], item["subject"]) for item in findings if item["kind"]}
    return UsageView(row.id, row.name, live.number, live.live_at, tuple(_objects(entries, missing)))


def _by_text(context: FleetContext, live: DeployRow) -> Iterable[Mapping[str, Any]]:
    try:
        bundle = context.bundles.get(live.bundle_digest)
    except NotFound:
        return []
    return [asdict(entry) for entry in parsing.usage(bundle.path).entries]


def _objects(entries: Iterable[Mapping[str, Any]], missing: set[tuple[str, str]]) -> Iterable[UsedObject]:
    places: dict[tuple[str, str], list[UsePlace]] = defaultdict(list)
    for entry in entries:
        place = UsePlace(
            entry["file"], entry["line"] or None, entry["via"], entry["is_required"], tuple(entry["dag_ids"])
        )
        places[entry["kind"], entry["name"]].append(place)
    for (kind, name), found in sorted(places.items()):
        yield UsedObject(
            kind,
            name,
            any(place.is_required for place in found),
            (kind, name) in missing,
            tuple(sorted({dag_id for place in found for dag_id in place.dag_ids})),
            tuple(found),
        )
