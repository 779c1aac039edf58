"""The environment as part of a deploy's revision: which version of which object a deployment had, and back to it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.environments import content as contents
from aerodrome.environments import versions
from aerodrome.environments.contract import Content, Link
from aerodrome.environments.resolution import resolve
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.environment import EnvironmentObjectRow, EnvironmentVersionRow


def revision(session: Session, deployment_id: str) -> dict[str, int]:
    """Give the objects that the deployment gets, shadowed ones left out: object id -> version."""
    deployment = session.get_one(DeploymentRow, deployment_id)
    return {item.object_id: item.version for item in resolve(session, deployment).items}


def restore_revision(session: Session, actor: Actor, deployment_id: str, wanted: dict[str, int]) -> tuple[str, ...]:
    """Bring the deployment's environment back to a revision, without touching any other deployment.

    Its own objects get a new version with the old content, those made since are deleted. An object of the workspace that
    differs is kept for this deployment as its own; one that was not there is excluded. Nobody sees a secret value. Gives the
    names that changed ("kind name"); the caller raises the deployment's generation.
    """
    deployment = session.get_one(DeploymentRow, deployment_id)
    changed: list[str] = []
    now = {item.object_id: item for item in resolve(session, deployment).items}
    rows = _rows(session, [*wanted, *now])
    old = _contents(session, wanted)
    wanted_names = {(rows[object_id].kind, rows[object_id].name) for object_id in old if object_id in rows}
    for object_id, item in now.items():
        row = rows[object_id]
        if (row.kind, row.name) in wanted_names:
            continue
        if row.deployment_id is not None:
            versions.delete(session, actor, row, note="not in the revision")
        else:
            current = contents.read(row.content)
            links = {**current.links, deployment_id: Link(is_excluded=True)}
            versions.add(session, actor, row, replace(current, links=links), "restored", note="not in the revision")
        changed.append(f"{item.kind} {item.name}")
    for object_id, content in old.items():
        if object_id in rows and _put_back(session, actor, deployment, rows[object_id], content, wanted[object_id]):
            changed.append(f"{rows[object_id].kind} {rows[object_id].name}")
    return tuple(sorted(changed))


def _put_back(
    session: Session, actor: Actor, deployment: DeploymentRow, row: EnvironmentObjectRow, content: Content, number: int
) -> bool:
    """Make the deployment get that content of the object; False when it does already."""
    is_own = row.deployment_id is not None
    was = contents.effect(content, deployment.id, is_own=is_own)
    if was is None:  # the revision cannot have had it; nothing to bring back
        return False
    present = resolve(session, deployment)
    winner = next((item for item in present.items if (item.kind, item.name) == (row.kind, row.name)), None)
    if winner is not None and (winner.fields, winner.secrets) == (was.fields, was.secrets):
        return False
    note = f"version {number} of a revision"
    if is_own:
        versions.add(session, actor, row, content, "restored", note=note)
        return True
    own = Content(fields=was.fields, secrets=was.secrets, is_secret=was.is_secret, description=was.description)
    versions.put(
        session,
        actor,
        workspace_id=deployment.workspace_id,
        deployment_id=deployment.id,
        kind=contents.kind_of(row.kind),
        name=row.name,
        content=own,
        change="restored",
        note=f"{note}, kept from the workspace",
    )
    return True


def _rows(session: Session, ids: list[str]) -> dict[str, EnvironmentObjectRow]:
    query = select(EnvironmentObjectRow).where(EnvironmentObjectRow.id.in_(ids))
    return {row.id: row for row in session.scalars(query)}


def _contents(session: Session, wanted: dict[str, int]) -> dict[str, Content]:
    query = select(EnvironmentVersionRow).where(EnvironmentVersionRow.object_id.in_(wanted))
    return {
        row.object_id: contents.read(row.content)
        for row in session.scalars(query)
        if row.number == wanted[row.object_id] and not row.is_deleted
    }
