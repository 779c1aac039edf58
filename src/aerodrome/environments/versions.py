"""Writes versions: every change of an object is a row that stays, with who, when and what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.environments import content as contents
from aerodrome.environments.contract import Content, Kind
from aerodrome.kernel.ids import new_id
from aerodrome.store import now
from aerodrome.store.tables.environment import EnvironmentObjectRow, EnvironmentVersionRow

FEW: Final = 100  # names that are asked for one by one; more are found by reading the whole scope


@dataclass(frozen=True)
class NewContent:
    """One object to be written."""

    kind: Kind
    name: str
    content: Content
    object_id: str  # of a new object; an object that is there keeps its own


def add(
    session: Session, actor: Actor, row: EnvironmentObjectRow, content: Content, change: str, *, note: str = ""
) -> list[str]:
    """Give the object new content as its next version; give what changed. Nothing is written when nothing did."""
    before = None if row.is_deleted else contents.read(row.content)
    changed = contents.differences(before, content)
    if not changed and before is not None:
        return []
    row.version += 1
    row.content = contents.write(content)
    row.is_deleted = False
    _touch(session, actor, row)
    session.add(_version(row, "created" if before is None and change == "updated" else change, changed, note))
    return changed


def delete(session: Session, actor: Actor, row: EnvironmentObjectRow, *, note: str = "") -> None:
    """Delete the object; its history stays and an older version can be restored."""
    if row.is_deleted:
        return
    row.version += 1
    row.is_deleted = True
    _touch(session, actor, row)
    session.add(_version(row, "deleted", [], note))


def put(
    session: Session,
    actor: Actor,
    *,
    workspace_id: str,
    deployment_id: str | None,
    kind: Kind,
    name: str,
    content: Content,
    change: str = "updated",
    note: str = "",
) -> EnvironmentObjectRow:
    """Write one object by its name, new or not."""
    (row,) = put_all(
        session,
        actor,
        workspace_id,
        deployment_id,
        [NewContent(kind, name, content, new_id("env"))],
        change=change,
        note=note,
    )
    return row


def put_all(
    session: Session,
    actor: Actor,
    workspace_id: str,
    deployment_id: str | None,
    wanted: Iterable[NewContent],
    *,
    change: str = "updated",
    note: str = "",
) -> list[EnvironmentObjectRow]:
    """Write objects of one scope, in bulk: a handful of statements however many there are."""
    wanted = list(wanted)
    scope_id = deployment_id or workspace_id
    query = select(EnvironmentObjectRow).where(EnvironmentObjectRow.scope_id == scope_id)
    if len(wanted) < FEW:
        query = query.where(EnvironmentObjectRow.name.in_([item.name for item in wanted]))
    known = {(row.kind, row.name): row for row in session.scalars(query)}
    rows, fresh = [], []
    for item in wanted:
        row = known.get((item.kind, item.name))
        if row is not None:
            add(session, actor, row, item.content, change, note=note)
        else:
            row = EnvironmentObjectRow(
                id=item.object_id,
                workspace_id=workspace_id,
                deployment_id=deployment_id,
                scope_id=scope_id,
                kind=item.kind,
                name=item.name,
                content=contents.write(item.content),
                is_deleted=False,
                version=1,
                created_at=now(session),
            )
            _touch(session, actor, row)
            changed = contents.differences(None, item.content)
            fresh.append((row, _version(row, "created" if change == "updated" else change, changed, note)))
        rows.append(row)
    session.add_all(row for row, _ in fresh)
    session.flush()
    session.add_all(version for _, version in fresh)
    session.flush()
    return rows


def _touch(session: Session, actor: Actor, row: EnvironmentObjectRow) -> None:
    row.updated_at = now(session)
    row.updated_by = actor.name


def _version(row: EnvironmentObjectRow, change: str, changed: list[str], note: str) -> EnvironmentVersionRow:
    return EnvironmentVersionRow(
        object_id=row.id,
        number=row.version,
        content=row.content,
        is_deleted=row.is_deleted,
        change=change,
        changed=changed,
        note=note,
        actor=row.updated_by,
        at=row.updated_at,
    )
