"""Forgets old versions of environment objects, and the secret values that nothing names any more. Called once a day."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.environments import content as contents
from aerodrome.environments.contract import Secrets
from aerodrome.store import Store
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.environment import EnvironmentObjectRow, EnvironmentVersionRow

KEPT: Final = 50  # the newest versions of an object stay, however old they are


def prune(store: Store, secrets: Secrets, before: datetime) -> int:
    """Remove versions from before a moment that are not among the newest and that no deploy's revision names.

    Gives how many. The rows go first: a kill in between leaves values that nothing names, which are unreadable for people anyway.
    """
    with store.reading() as session:
        old = _old(session, before)
        workspaces = {row.workspace_id for row, _ in old}
    if not old:
        return 0
    with store.writing() as session:
        gone: set[str] = set()
        for row, version in old:
            found = session.get(EnvironmentVersionRow, (row.id, version.number))
            if found is not None:
                gone |= contents.paths(contents.read(found.content))
                session.delete(found)
        session.flush()
        gone -= _named(session, workspaces)
    if gone:
        secrets.delete_many(sorted(gone))
    return len(old)


def _old(session: Session, before: datetime) -> list[tuple[EnvironmentObjectRow, EnvironmentVersionRow]]:
    query = (
        select(EnvironmentObjectRow, EnvironmentVersionRow)
        .join(EnvironmentVersionRow, EnvironmentVersionRow.object_id == EnvironmentObjectRow.id)
        .where(
            EnvironmentVersionRow.at < before,
            EnvironmentVersionRow.number <= EnvironmentObjectRow.version - KEPT,
        )
    )
    candidates = [(row[0], row[1]) for row in session.execute(query)]
    if not candidates:
        return []
    needed: dict[str, set[int]] = defaultdict(set)
    for revision in session.scalars(select(DeployRow.revision).where(DeployRow.revision.is_not(None))):
        for object_id, number in (revision or {}).get("environment", {}).items():
            needed[object_id].add(number)
    return [(row, version) for row, version in candidates if version.number not in needed[row.id]]


def _named(session: Session, workspaces: set[str]) -> set[str]:
    """Give the paths that objects of the workspaces and their versions name; an object may name another one's value."""
    objects = select(EnvironmentObjectRow).where(EnvironmentObjectRow.workspace_id.in_(workspaces))
    versions = select(EnvironmentVersionRow).join(
        EnvironmentObjectRow, EnvironmentObjectRow.id == EnvironmentVersionRow.object_id
    )
    found: set[str] = set()
    for row in session.scalars(objects):
        found |= contents.paths(contents.read(row.content))
    for version in session.scalars(versions.where(EnvironmentObjectRow.workspace_id.in_(workspaces))):
        found |= contents.paths(contents.read(version.content))
    return found
