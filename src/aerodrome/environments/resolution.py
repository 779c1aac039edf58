"""What a deployment gets: its own objects and those of its workspace that are linked to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from aerodrome.environments import content as contents
from aerodrome.environments import formats
from aerodrome.environments.contract import KnownNames, Resolved, ResolvedItem, Secrets, Values
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.environment import EnvironmentObjectRow


def resolve(session: Session, deployment: DeploymentRow) -> Resolved:
    """Give all names that the deployment gets, with sources and what they shadow; no values of secrets."""
    return resolve_all(session, [deployment])[deployment.id]


def resolve_all(session: Session, deployments: Sequence[DeploymentRow], kind: str | None = None) -> dict[str, Resolved]:
    """Resolve many deployments (one kind only, or all) with one query."""
    workspaces = {row.workspace_id for row in deployments}
    ids = {row.id for row in deployments}
    query = select(EnvironmentObjectRow).where(
        EnvironmentObjectRow.workspace_id.in_(workspaces),
        EnvironmentObjectRow.is_deleted.is_(False),
        or_(EnvironmentObjectRow.deployment_id.is_(None), EnvironmentObjectRow.deployment_id.in_(ids)),
    )
    if kind is not None:
        query = query.where(EnvironmentObjectRow.kind == kind)
    rows = session.scalars(query.order_by(EnvironmentObjectRow.kind, EnvironmentObjectRow.name)).all()
    return {row.id: _resolve(row, rows) for row in deployments}


def known_names(session: Session, deployment: DeploymentRow) -> KnownNames:
    """Give the names that the deployment's DAGs find here."""
    resolved = resolve(session, deployment)
    return KnownNames(
        connections=frozenset(item.name for item in resolved.of("connection")),
        variables=frozenset(item.name for item in resolved.of("variable")),
        env=frozenset(item.name for item in resolved.of("env")),
    )


def values(secrets: Secrets, resolved: Resolved) -> Values:
    """Give the values, secret ones from the store in one round trip. Outside of any transaction."""
    paths = sorted({path for item in resolved.items for path in item.secrets.values()})
    opened = secrets.get_many(paths) if paths else {}
    found: dict[str, dict[str, dict[str, object]]] = {"connection": {}, "variable": {}, "env": {}}
    for item in resolved.items:
        found[item.kind][item.name] = {**item.fields, **{name: opened[path] for name, path in item.secrets.items()}}
    return Values(
        connections={name: formats.connection_json(fields) for name, fields in found["connection"].items()},
        variables={name: formats.as_secret(fields["value"]) for name, fields in found["variable"].items()},
        env={name: formats.plain_or_secret(fields["value"]) for name, fields in found["env"].items()},
    )


def _resolve(deployment: DeploymentRow, rows: Iterable[EnvironmentObjectRow]) -> Resolved:
    found: dict[tuple[str, str], list[ResolvedItem]] = {}
    for row in rows:
        if row.workspace_id == deployment.workspace_id and row.deployment_id in (None, deployment.id):
            item = _item(row, deployment.id)
            if item is not None:
                found.setdefault((row.kind, row.name), []).append(item)
    items = []
    for same in found.values():
        same.sort(key=lambda item: item.source == "workspace")
        winner, *hidden = same
        items.append(_hiding(winner, hidden))
    return Resolved(tuple(sorted(items, key=lambda item: (item.kind, item.name))))


def _item(row: EnvironmentObjectRow, deployment_id: str) -> ResolvedItem | None:
    effect = contents.effect(contents.read(row.content), deployment_id, is_own=row.deployment_id is not None)
    if effect is None:
        return None
    return ResolvedItem(
        kind=contents.kind_of(row.kind),
        name=row.name,
        object_id=row.id,
        version=row.version,
        source="workspace" if row.deployment_id is None else "deployment",
        fields=effect.fields,
        secrets=effect.secrets,
        is_secret=effect.is_secret,
        description=effect.description,
        overridden=effect.overridden,
        shadows=(),
    )


def _hiding(winner: ResolvedItem, hidden: Sequence[ResolvedItem]) -> ResolvedItem:
    if not hidden:
        return winner
    values: Mapping[str, object] = {**vars(winner), "shadows": tuple(item.object_id for item in hidden)}
    return ResolvedItem(**values)  # type: ignore[arg-type]
