"""Commands on environment objects: permissions, audit and events, and a look at every deployment that a change reaches.

A change of connections and variables reaches a running Airflow through its secrets backend; the generation moves, nothing
restarts. Environment variables are part of the processes, so a change of one restarts them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.access import audit, permissions
from aerodrome.access.actor import Actor
from aerodrome.environments import content as contents
from aerodrome.environments import drafting, queries, versions, writing
from aerodrome.environments.contract import KINDS, Content, Kind, ObjectView, VersionView, Wish
from aerodrome.environments.drafting import Draft
from aerodrome.environments.writing import Scope, Written
from aerodrome.fleet import lookup, names, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.errors import Conflict, Invalid, NotFound, Stale
from aerodrome.store import outbox
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.environment import EnvironmentObjectRow, EnvironmentVersionRow

_ATTEMPTS = 12
_NAMED = 50  # names that an audit entry of a bulk change lists


@dataclass(frozen=True)
class Place:
    """A scope that somebody asked for, with the permission scope that goes with it."""

    scope: Scope
    path: str
    label: str


def place(session: Session, actor: Actor, workspace: str | None, deployment: str | None, permission: str) -> Place:
    """Find the scope: a deployment, or a workspace. NotFound, Denied; Invalid unless exactly one is named."""
    if (workspace is None) == (deployment is None):
        raise Invalid(
            "Say where: a workspace or a deployment.",
            code="environment-scope-missing",
            hint="Give --workspace NAME for all of its deployments, or --deployment NAME for one.",
            details={"field": "workspace"},
        )
    if deployment is not None:
        row = lookup.deployment(session, actor, deployment, permission)
        if row.desired == "deleted" and permission != "environment.read":
            raise Conflict(
                f"The deployment {row.name!r} is being deleted.",
                code="deployment-deleting",
                hint="Make a new one when it is gone.",
            )
        return Place(Scope(row.workspace_id, row.id), lookup.deployment_scope(row), row.name)
    found = lookup.workspace(session, actor, workspace or "", permission)
    return Place(Scope(found.id), lookup.workspace_scope(found.id), found.name)


def list_all(
    context: FleetContext,
    actor: Actor,
    *,
    workspace: str | None = None,
    deployment: str | None = None,
    kind: str | None = None,
    with_deleted: bool = False,
) -> list[ObjectView]:
    """Give the objects of one scope, or of everything that the actor may see, by kind and name."""
    query = select(EnvironmentObjectRow).order_by(
        EnvironmentObjectRow.kind, EnvironmentObjectRow.name, EnvironmentObjectRow.id
    )
    if kind is not None:
        query = query.where(EnvironmentObjectRow.kind == check_kind(kind))
    if not with_deleted:
        query = query.where(EnvironmentObjectRow.is_deleted.is_(False))
    with context.store.reading() as session:
        if workspace is not None or deployment is not None:
            found = place(session, actor, workspace, deployment, "environment.read")
            query = query.where(EnvironmentObjectRow.scope_id == found.scope.id)
        rows = [
            row
            for row in session.scalars(query)
            if permissions.allows(actor, "environment.read", _path(row.workspace_id, row.deployment_id))
        ]
        return queries.objects(session, rows)


def get(context: FleetContext, actor: Actor, object_id: str) -> ObjectView:
    with context.store.reading() as session:
        return queries.objects(session, [_row(session, actor, object_id, "environment.read")])[0]


def find(
    context: FleetContext, actor: Actor, workspace: str | None, deployment: str | None, kind: str, name: str
) -> ObjectView:
    """Give the object of a scope by its kind and name, a deleted one included."""
    with context.store.reading() as session:
        found = place(session, actor, workspace, deployment, "environment.read")
        row = writing.rows_of(session, found.scope, [(check_kind(kind), name)]).get((kind, name))
        if row is None:
            raise missing(f"{kind} {name}")
        return queries.objects(session, [row])[0]


def history(context: FleetContext, actor: Actor, object_id: str) -> list[VersionView]:
    with context.store.reading() as session:
        return queries.history(session, _row(session, actor, object_id, "environment.read"))


def put(
    context: FleetContext,
    actor: Actor,
    wanted: Sequence[Wish],
    *,
    workspace: str | None = None,
    deployment: str | None = None,
    permission: str = "environment.update",
    note: str = "",
) -> list[ObjectView]:
    """Make or change objects of one scope, all or nothing. Gives those that were asked for, in order."""
    check_all(wanted)
    with context.store.reading() as session:
        found = place(session, actor, workspace, deployment, permission)

    def prepare() -> list[Draft]:
        drafts = writing.prepare(context.store, context.secrets, found.scope, wanted)
        if any(draft.revealed for draft in drafts):
            permissions.require(actor, "environment.reveal", found.path)
        return drafts

    drafts = _write(context, actor, found.scope, found.path, prepare, note=note)
    names_ = [(draft.kind, draft.name) for draft in drafts]
    with context.store.reading() as session:
        rows = writing.rows_of(session, found.scope, names_)
        return queries.objects(session, [rows[name] for name in names_ if name in rows])


def delete(context: FleetContext, actor: Actor, object_id: str) -> ObjectView:
    """Delete an object; its history stays, and an older version can be restored. Again changes nothing."""
    with wishes.writing(context) as session:
        row = _row(session, actor, object_id, "environment.update", is_held=True)
        if not row.is_deleted:
            before = contents.read(row.content)
            versions.delete(session, actor, row)
            _tell(session, actor, [Written(row, before, None)], "deleted")
        view = queries.objects(session, [row])[0]
    context.ring()
    return view


def remove_all(session: Session, actor: Actor, scope: Scope, names_: Iterable[tuple[str, str]]) -> None:
    """Delete objects by name inside the caller's transaction; those that are not there are left out."""
    gone = []
    for row in writing.rows_of(session, scope, list(names_), is_held=True).values():
        if not row.is_deleted:
            gone.append(Written(row, contents.read(row.content), None))
            versions.delete(session, actor, row)
    _tell(session, actor, gone, "deleted")


def restore(context: FleetContext, actor: Actor, object_id: str, number: int) -> ObjectView:
    """Give an object the content of an older version, secret values included, without showing them."""
    with wishes.writing(context) as session:
        row = _row(session, actor, object_id, "environment.update", is_held=True)
        older = session.get(EnvironmentVersionRow, (row.id, number))
        if older is None or older.is_deleted:
            raise NotFound(
                f"{row.name!r} has no version {number} to go back to.",
                code="environment-version-unknown",
                hint="`aerodrome env history` shows the versions.",
            )
        content = contents.read(older.content)
        before = None if row.is_deleted else contents.read(row.content)
        if versions.add(session, actor, row, content, "restored", note=f"version {number}"):
            _tell(session, actor, [Written(row, before, content)], "restored")
        view = queries.objects(session, [row])[0]
    context.ring()
    return view


def link(
    context: FleetContext,
    actor: Actor,
    object_id: str,
    deployment: str,
    overrides: Mapping[str, Any] | None = None,
    *,
    is_excluded: bool = False,
) -> ObjectView:
    """Let one deployment get a workspace's object, with other fields when given, or keep it away from it."""
    with context.store.reading() as session:
        row = _row(session, actor, object_id, "environment.update")
        target = _target(session, actor, row, deployment)

    def prepare() -> list[Draft]:
        with context.store.reading() as session:
            now = _row(session, actor, object_id, "environment.update")
        return [writing.prepare_link(context.store, context.secrets, now, target, overrides, is_excluded=is_excluded)]

    scope = Scope(row.workspace_id)
    _write(context, actor, scope, lookup.workspace_scope(row.workspace_id), prepare, note="")
    return get(context, actor, object_id)


def unlink(context: FleetContext, actor: Actor, object_id: str, deployment: str) -> ObjectView:
    """Forget what was said about one deployment: overrides and exclusion."""
    return _relink(context, actor, object_id, lambda session, row, content: drafting.unlinked(
        content, _target(session, actor, row, deployment)
    ))  # fmt: skip


def link_all(context: FleetContext, actor: Actor, object_id: str, *, is_auto_linked: bool) -> ObjectView:
    """Let all deployments of the workspace get the object, later ones too, or only those that are linked one by one."""
    return _relink(
        context,
        actor,
        object_id,
        lambda _session, _row, content: drafting.linked_to_all(content, is_auto_linked=is_auto_linked),
    )


def check_kind(kind: str) -> Kind:
    if kind in KINDS:
        return contents.kind_of(kind)
    raise Invalid(
        f"{kind!r} is no kind of environment object.",
        code="environment-kind-unknown",
        hint=f"Use {', '.join(KINDS)}.",
        details={"field": "kind"},
    )


def check_all(wanted: Sequence[Wish]) -> None:
    """Refuse environment variables that the platform sets itself, and names that stand there twice."""
    names.check_env({wish.name: wish for wish in wanted if wish.kind == "env"})
    seen: set[tuple[str, str]] = set()
    for wish in wanted:
        if (wish.kind, wish.name) in seen:
            raise Invalid(
                f"The {wish.kind} {wish.name!r} stands there twice.",
                code="environment-name-twice",
                hint="Keep one of them.",
                details={"field": "name"},
            )
        seen.add((wish.kind, wish.name))


def missing(what: str) -> NotFound:
    return NotFound(
        f"There is no environment object {what!r}.",
        code="environment-object-not-found",
        hint="`aerodrome env list` shows them.",
    )


def _write(
    context: FleetContext,
    actor: Actor,
    scope: Scope,
    path: str,
    prepare: Callable[[], list[Draft]],
    *,
    note: str,
) -> list[Draft]:
    for attempt in range(_ATTEMPTS):
        drafts = prepare()
        fresh = writing.keep_values(context.secrets, drafts)
        try:
            with wishes.writing(context) as session:
                write_in(session, actor, scope, drafts, path, note=note)
        except Stale:
            context.secrets.delete_many(fresh)
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        except BaseException:
            context.secrets.delete_many(fresh)
            raise
        break
    context.ring()
    return drafts


def write_in(
    session: Session, actor: Actor, scope: Scope, drafts: Sequence[Draft], path: str, *, note: str = ""
) -> None:
    """Write drafts inside the caller's transaction, and tell everybody whom it concerns."""
    revealed = sorted({draft.name for draft in drafts if draft.revealed})
    if revealed:
        audit.record(session, actor, "environment.reveal", path, {"names": revealed[:_NAMED], "how": "made plain"})
    _tell(session, actor, writing.write(session, actor, scope, drafts, note=note), "updated")


def _relink(
    context: FleetContext,
    actor: Actor,
    object_id: str,
    change: Callable[[Session, EnvironmentObjectRow, Content], Content],
) -> ObjectView:
    with wishes.writing(context) as session:
        row = _row(session, actor, object_id, "environment.update", is_held=True)
        _refuse_own(row)
        before = contents.read(row.content)
        after = change(session, row, before)
        if versions.add(session, actor, row, after, "linked"):
            _tell(session, actor, [Written(row, before, after)], "updated")
        view = queries.objects(session, [row])[0]
    context.ring()
    return view


def _tell(session: Session, actor: Actor, written: Sequence[Written], verb: str) -> None:
    """Write audit entry and event of a change, and ask for a look at every deployment that it reaches."""
    if not written:
        return
    first = written[0].row
    data = {
        "workspace_id": first.workspace_id,
        "deployment_id": first.deployment_id,
        "count": len(written),
        "objects": [f"{item.row.kind} {item.row.name}" for item in written[:_NAMED]],
    }
    audit.record(session, actor, f"environment.{verb}", _path(first.workspace_id, first.deployment_id), data)
    outbox.emit(session, f"environment.{verb}", first.scope_id, data, actor.name)
    for row in _reached(session, written):
        row.generation += 1
        row.error = None
        wishes.ask_to_look(session, row.id)


def _reached(session: Session, written: Sequence[Written]) -> list[DeploymentRow]:
    """Give the deployments that get something else after the change, held."""
    first = written[0].row
    query = select(DeploymentRow).where(
        DeploymentRow.workspace_id == first.workspace_id, DeploymentRow.desired != "deleted"
    )
    if first.deployment_id is not None:
        query = query.where(DeploymentRow.id == first.deployment_id)
    ids = [
        row.id
        for row in session.scalars(query)
        if any(_effect(item.before, row.id, item) != _effect(item.after, row.id, item) for item in written)
    ]
    held = select(DeploymentRow).where(DeploymentRow.id.in_(ids)).order_by(DeploymentRow.id).with_for_update()
    return list(session.scalars(held.execution_options(populate_existing=True)))


def _effect(content: Content | None, deployment_id: str, item: Written) -> Any:
    if content is None:
        return None
    found = contents.effect(content, deployment_id, is_own=item.row.deployment_id is not None)
    return None if found is None else (found.fields, found.secrets)


def _row(
    session: Session, actor: Actor, object_id: str, permission: str, *, is_held: bool = False
) -> EnvironmentObjectRow:
    row = session.get(EnvironmentObjectRow, object_id, with_for_update=is_held or None, populate_existing=is_held)
    if row is None or not permissions.allows(actor, "environment.read", _path(row.workspace_id, row.deployment_id)):
        raise missing(object_id)
    permissions.require(actor, permission, _path(row.workspace_id, row.deployment_id))
    return row


def _target(session: Session, actor: Actor, row: EnvironmentObjectRow, deployment: str) -> str:
    _refuse_own(row)
    target = lookup.deployment(session, actor, deployment, "deployment.read")
    if target.workspace_id != row.workspace_id:
        raise Invalid(
            f"The deployment {target.name!r} is in another workspace than {row.name!r}.",
            code="environment-link-foreign",
            hint="Objects reach the deployments of their own workspace.",
            details={"field": "deployment"},
        )
    return target.id


def _refuse_own(row: EnvironmentObjectRow) -> None:
    if row.deployment_id is not None:
        raise Invalid(
            f"{row.name!r} belongs to one deployment, so it has no links.",
            code="environment-not-linkable",
            hint="Make it an object of the workspace to share it.",
        )
    if row.is_deleted:
        raise missing(row.name)


def _path(workspace_id: str, deployment_id: str | None) -> str:
    path = lookup.workspace_scope(workspace_id)
    return f"{path}/deployment/{deployment_id}" if deployment_id else path


def rows_of_kind(session: Session, scope: Scope, kind: Kind) -> list[EnvironmentObjectRow]:
    """Give the living objects of a scope by name."""
    query = select(EnvironmentObjectRow).where(
        EnvironmentObjectRow.scope_id == scope.id,
        EnvironmentObjectRow.kind == kind,
        EnvironmentObjectRow.is_deleted.is_(False),
    )
    return list(session.scalars(query.order_by(EnvironmentObjectRow.name)))
