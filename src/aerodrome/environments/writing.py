"""Writes wishes for objects of one scope in three steps: look and draft, put the secret values, write the rows.

`prepare` and `keep_values` run outside of any transaction, `write` inside the caller's. However many wishes there are, it is a
handful of round trips. When an object moved in between `write` raises Stale, and the caller looks again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.environments import content as contents
from aerodrome.environments import drafting, versions
from aerodrome.environments.contract import Content, Secrets, Wish
from aerodrome.environments.drafting import Draft
from aerodrome.kernel.errors import NotFound, Stale
from aerodrome.kernel.secret import Secret
from aerodrome.store import Store
from aerodrome.store.tables.environment import EnvironmentObjectRow, EnvironmentVersionRow
from aerodrome.store.turns import take_turns


@dataclass(frozen=True)
class Scope:
    """Where objects belong: a workspace, or one deployment of it."""

    workspace_id: str
    deployment_id: str | None = None

    @property
    def id(self) -> str:
        return self.deployment_id or self.workspace_id

    @property
    def place(self) -> str:
        return drafting.root(self.workspace_id, self.deployment_id)


@dataclass(frozen=True)
class Written:
    """One object that was written, with what it was before (None: it is new)."""

    row: EnvironmentObjectRow
    before: Content | None
    after: Content | None  # None: deleted


def prepare(store: Store, secrets: Secrets, scope: Scope, wishes: Sequence[Wish]) -> list[Draft]:
    """Draft what the wishes ask for. Invalid names the object and the field; nothing is written."""
    with store.reading() as session:
        known = rows_of(session, scope, [(wish.kind, wish.name) for wish in wishes])
    paths = sorted({path for row in known.values() for path in drafting.stored(row)})
    opened = _opened(secrets, paths)
    drafts = [drafting.draft(known.get((wish.kind, wish.name)), wish, scope.place, opened) for wish in wishes]
    return _hiding(store, scope, drafts, known)


def prepare_link(
    store: Store,
    secrets: Secrets,
    row: EnvironmentObjectRow,
    deployment_id: str,
    overrides: Mapping[str, object] | None,
    *,
    is_excluded: bool,
) -> Draft:
    """Draft a link of a workspace's object to a deployment."""
    scope = Scope(row.workspace_id, row.deployment_id)
    paths = drafting.stored(row)
    opened = _opened(secrets, paths)
    draft = drafting.draft_link(row, deployment_id, overrides, scope.place, opened, is_excluded=is_excluded)
    (draft,) = _hiding(store, scope, [draft], {(draft.kind, draft.name): row})
    return draft


def keep_values(secrets: Secrets, drafts: Iterable[Draft]) -> list[str]:
    """Put the secret values of drafts, before their rows; give the paths, to be forgotten when the rows are not written."""
    fresh = {path: value for draft in drafts for path, value in draft.fresh.items()}
    if fresh:
        secrets.put_many(fresh)
    return list(fresh)


def write(session: Session, actor: Actor, scope: Scope, drafts: Sequence[Draft], *, note: str = "") -> list[Written]:
    """Write drafts as new versions; give those that changed something. Stale when one was made from an older version."""
    take_turns(session, f"environment {scope.id}")
    known = rows_of(session, scope, [(draft.kind, draft.name) for draft in drafts], is_held=True)
    before: dict[str, Content | None] = {}
    for draft in drafts:
        row = known.get((draft.kind, draft.name))
        if (None if row is None else row.version) != draft.base_version:
            raise Stale(
                f"Somebody else changed {draft.name!r} first.", code="environment-stale", hint="Look again and repeat."
            )
        if row is not None:
            before[row.id] = None if row.is_deleted else contents.read(row.content)
            _rewrite(session, row, draft)
    rows = versions.put_all(
        session,
        actor,
        scope.workspace_id,
        scope.deployment_id,
        [versions.NewContent(draft.kind, draft.name, draft.content, draft.object_id) for draft in drafts],
        note=note,
    )
    return [
        Written(row, before.get(row.id), draft.content)
        for row, draft in zip(rows, drafts, strict=True)
        if row.version != draft.base_version
    ]


def rows_of(
    session: Session, scope: Scope, names: Sequence[tuple[str, str]], *, is_held: bool = False
) -> dict[tuple[str, str], EnvironmentObjectRow]:
    """Give the rows of a scope by kind and name, deleted ones included; all of the scope when many are asked for."""
    query = select(EnvironmentObjectRow).where(EnvironmentObjectRow.scope_id == scope.id)
    if len(names) < versions.FEW:
        query = query.where(EnvironmentObjectRow.name.in_([name for _, name in names]))
    if is_held:  # until the end of the transaction; in one order, so that nobody waits in a circle
        query = query.order_by(EnvironmentObjectRow.id).with_for_update()
    wanted = set(names)
    return {(row.kind, row.name): row for row in session.scalars(query) if (row.kind, row.name) in wanted}


def _opened(secrets: Secrets, paths: list[str]) -> dict[str, Secret]:
    """Give the values that are there: one that is lost must not keep people from setting it again."""
    if not paths:
        return {}
    try:
        return secrets.get_many(paths)
    except NotFound:
        found: dict[str, Secret] = {}
        for path in paths:
            with suppress(NotFound):
                found |= secrets.get_many([path])
        return found


def _hiding(
    store: Store, scope: Scope, drafts: list[Draft], known: Mapping[tuple[str, str], EnvironmentObjectRow]
) -> list[Draft]:
    """Add to drafts that make a value secret the older versions in which it stands in the open."""
    hiding = {draft.object_id for draft in drafts if _hides(draft, known.get((draft.kind, draft.name)))}
    if not hiding:
        return drafts
    past: dict[str, dict[int, Content]] = defaultdict(dict)
    with store.reading() as session:
        for row in session.scalars(select(EnvironmentVersionRow).where(EnvironmentVersionRow.object_id.in_(hiding))):
            past[row.object_id][row.number] = contents.read(row.content)
    return [
        drafting.hidden(draft, past[draft.object_id], scope.place) if draft.object_id in hiding else draft
        for draft in drafts
    ]


def _hides(draft: Draft, row: EnvironmentObjectRow | None) -> bool:
    if row is None:
        return False
    before = contents.read(row.content)
    return bool(set(before.fields) & set(draft.content.secrets)) or (draft.content.is_secret and not before.is_secret)


def _rewrite(session: Session, row: EnvironmentObjectRow, draft: Draft) -> None:
    for number, content in draft.past.items():
        version = session.get(EnvironmentVersionRow, (row.id, number))
        if version is not None:
            version.content = contents.write(content)
