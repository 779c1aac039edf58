"""Reads rows into views; the number of statements does not grow with the number of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.environments import content as contents
from aerodrome.environments.contract import LinkView, ObjectView, VersionView
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.environment import EnvironmentObjectRow, EnvironmentVersionRow
from aerodrome.store.tables.workspace import WorkspaceRow


def objects(session: Session, rows: Sequence[EnvironmentObjectRow]) -> list[ObjectView]:
    """Give a view per row, in the order of the rows; links to deployments that are gone are left out."""
    workspaces = {row.workspace_id for row in rows}
    workspace_names = _names(session, WorkspaceRow, workspaces)
    query = select(DeploymentRow.id, DeploymentRow.name).where(DeploymentRow.workspace_id.in_(workspaces))
    deployment_names = {row[0]: row[1] for row in session.execute(query)}
    return [_object(row, workspace_names, deployment_names) for row in rows]


def history(session: Session, row: EnvironmentObjectRow) -> list[VersionView]:
    """Give the versions of an object, newest first, each with what it changed; secret values are masked."""
    query = select(EnvironmentVersionRow).where(EnvironmentVersionRow.object_id == row.id)
    found = session.scalars(query.order_by(EnvironmentVersionRow.number)).all()
    same_workspace = select(DeploymentRow.id, DeploymentRow.name).where(DeploymentRow.workspace_id == row.workspace_id)
    known = {each[0]: each[1] for each in session.execute(same_workspace)}
    views = []
    before = None
    for version in found:
        after = None if version.is_deleted else contents.read(version.content)
        names = [str(name) for name in version.changed]
        views.append(
            VersionView(
                object_id=row.id,
                number=version.number,
                change=version.change,
                changed=tuple(_named(name, known) for name in names),
                before={_named(name, known): value for name, value in contents.shown(before, names).items()},
                after={_named(name, known): value for name, value in contents.shown(after, names).items()},
                note=version.note,
                actor=version.actor,
                at=version.at,
                is_current=version.number == row.version,
            )
        )
        before = after
    return views[::-1]


def _named(part: str, deployments: Mapping[str, str]) -> str:
    """Name a part of the content for people: `link dep_… host` becomes `sales: host`."""
    head, _, rest = part.partition(" ")
    deployment_id, _, field = rest.partition(" ")
    if head != "link" or not deployment_id.startswith("dep_"):
        return part
    name = deployments.get(deployment_id, "a deployment that is gone")
    return f"{name}: {field}" if field else f"link to {name}"


def _object(
    row: EnvironmentObjectRow, workspace_names: Mapping[str, str], deployment_names: Mapping[str, str]
) -> ObjectView:
    content = contents.read(row.content)
    links = [
        LinkView(name, deployment_names[name], link.is_excluded, contents.masked(link.fields, link.secrets))
        for name, link in content.links.items()
        if name in deployment_names
    ]
    return ObjectView(
        id=row.id,
        workspace_id=row.workspace_id,
        workspace_name=workspace_names[row.workspace_id],
        deployment_id=row.deployment_id,
        deployment_name=deployment_names.get(row.deployment_id or ""),
        kind=contents.kind_of(row.kind),
        name=row.name,
        description=content.description,
        is_secret=content.is_secret,
        is_deleted=row.is_deleted,
        fields=contents.masked(content.fields, content.secrets),
        secret_fields=tuple(sorted(content.secrets)),
        is_auto_linked=content.is_auto_linked,
        links=tuple(sorted(links, key=lambda link: link.deployment_name)),
        version=row.version,
        created_at=row.created_at,
        updated_at=row.updated_at,
        updated_by=row.updated_by,
    )


def _names(session: Session, table: type[WorkspaceRow], ids: set[str]) -> dict[str, str]:
    return {row[0]: row[1] for row in session.execute(select(table.id, table.name).where(table.id.in_(ids)))}
