"""Commands on secrets backends: register, probe, list names, write values, and let a deployment ask one first.

Values are written and never shown: there is no way to read one through the platform. Services are spoken to outside of
database transactions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from aerodrome.access import audit, permissions
from aerodrome.access.actor import Actor
from aerodrome.environments import backends
from aerodrome.environments.backends import OpenBackend
from aerodrome.environments.backends_airflow import What
from aerodrome.fleet import lookup, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.names import check_name
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.checks import Check
from aerodrome.secretstores.kinds import KINDS, BackendKind, checked, kind_of
from aerodrome.store import outbox
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.secrets_backend import SecretsBackendLinkRow, SecretsBackendRow
from aerodrome.store.tables.workspace import WorkspaceRow

_ID: Final = re.compile(r"bkd_[0-9a-hjkmnp-tv-z]{26}")
_KINDS: Final = ("connection", "variable")


@dataclass(frozen=True)
class ProbeView:
    """What a probe found."""

    at: datetime
    is_ok: bool
    checks: tuple[Check, ...]


@dataclass(frozen=True)
class BackendView:
    """A registered backend; credentials by name only."""

    id: str
    workspace_id: str
    workspace_name: str
    name: str
    kind: str
    title: str  # of the kind
    settings: Mapping[str, str]
    credentials: tuple[str, ...]
    deployments: tuple[str, ...]  # names of those that ask it first
    probe: ProbeView | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class BackendNames:
    """What is in a backend, as the service spells it."""

    connections: tuple[str, ...]
    variables: tuple[str, ...]


class SecretsBackends:
    """A `ref` is an id, a name, or `workspace/name`."""

    def __init__(self, context: FleetContext) -> None:
        self._context = context

    def kinds(self) -> tuple[BackendKind, ...]:
        return tuple(KINDS.values())

    def list(self, actor: Actor, workspace: str | None = None) -> list[BackendView]:
        """Give the backends that the actor may see, by workspace and name."""
        with self._context.store.reading() as session:
            query = select(SecretsBackendRow).order_by(SecretsBackendRow.workspace_id, SecretsBackendRow.name)
            if workspace is not None:
                home = lookup.workspace(session, actor, workspace, "backend.read")
                query = query.where(SecretsBackendRow.workspace_id == home.id)
            rows = [row for row in session.scalars(query) if permissions.allows(actor, "backend.read", _scope(row))]
            return _views(session, rows)

    def get(self, actor: Actor, ref: str) -> BackendView:
        with self._context.store.reading() as session:
            return _views(session, [_find(session, actor, ref, "backend.read")])[0]

    def create(
        self,
        actor: Actor,
        workspace: str,
        name: str,
        kind: str,
        settings: Mapping[str, str],
        credentials: Mapping[str, Secret],
    ) -> BackendView:
        """Register a backend; nothing is asked of the service yet. Invalid names the field, Conflict a taken name."""
        check_name(name, noun="secrets backend")
        plain = checked(kind_of(kind), settings, credentials)
        with self._context.store.reading() as session:
            home = lookup.workspace(session, actor, workspace, "backend.manage")
            if session.scalar(_named(home.id, name)) is not None:
                raise _taken(name)
        backend_id, moment = new_id("bkd"), self._context.clock.now()
        paths = {backends.credential_path(backend_id, key): value for key, value in plain.credentials.items()}
        self._context.secrets.put_many(paths)
        try:
            with self._context.store.writing() as session:
                row = SecretsBackendRow(
                    id=backend_id,
                    workspace_id=home.id,
                    name=name,
                    kind=kind,
                    settings=dict(plain.settings),
                    credentials=sorted(plain.credentials),
                    created_at=moment,
                    updated_at=moment,
                )
                session.add(row)
                session.flush()
                self._record(session, actor, row, "created", {"kind": kind})
        except IntegrityError as error:
            self._context.secrets.delete_many([*paths])
            raise _taken(name) from error
        return self.get(actor, backend_id)

    def update(
        self,
        actor: Actor,
        ref: str,
        settings: Mapping[str, str | None],
        credentials: Mapping[str, Secret | None],
    ) -> BackendView:
        """Change what is given; None removes. Deployments that ask it get the change without a restart."""
        with self._context.store.reading() as session:
            row = _find(session, actor, ref, "backend.manage")
        held = backends.credentials_of(self._context.secrets, row)
        wanted = {key: value for key, value in {**row.settings, **settings}.items() if value}
        kept = {key: value for key, value in {**held, **credentials}.items() if value}
        plain = checked(kind_of(row.kind), wanted, kept)
        self._context.secrets.put_many(
            {backends.credential_path(row.id, key): value for key, value in plain.credentials.items()}
        )
        with wishes.writing(self._context) as session:
            fresh = _find(session, actor, row.id, "backend.manage")
            gone = sorted(set(fresh.credentials) - set(plain.credentials))
            fresh.settings = dict(plain.settings)
            fresh.credentials = sorted(plain.credentials)
            fresh.probe = None
            fresh.updated_at = self._context.clock.now()
            changed = sorted([*settings, *credentials])
            self._record(session, actor, fresh, "updated", {"fields": changed})
            for deployment in _users(session, row.id):
                deployment.generation += 1
                wishes.ask_to_look(session, deployment.id)
        self._context.secrets.delete_many([backends.credential_path(row.id, key) for key in gone])
        self._context.ring()
        return self.get(actor, row.id)

    def delete(self, actor: Actor, ref: str) -> None:
        """Forget a backend with its credentials; what is in the service stays. Conflict while a deployment asks it."""
        with wishes.writing(self._context) as session:
            row = _find(session, actor, ref, "backend.manage")
            users = _users(session, row.id)
            if users:
                names = ", ".join(sorted(item.name for item in users))
                raise Conflict(
                    f"{row.name} is in use by {names}.",
                    code="backend-in-use",
                    hint=f"Detach it first: aerodrome secrets-backend detach --deployment {users[0].name}",
                )
            self._record(session, actor, row, "deleted", {})
            session.delete(row)
        self._context.secrets.delete_many([backends.credential_path(row.id, key) for key in row.credentials])

    def probe(self, actor: Actor, ref: str) -> ProbeView:
        """Try to list, read, write and delete there now, and keep what was found."""
        row, opened = self._open(actor, ref, "backend.manage")
        checks = opened.probe()
        found = ProbeView(self._context.clock.now(), all(check.is_ok for check in checks), checks)
        with wishes.writing(self._context) as session:
            fresh = session.get(SecretsBackendRow, row.id)
            if fresh is not None and fresh.version == row.version:  # an older backend's result would mislead
                fresh.probe = {"at": to_text(found.at), "checks": [asdict(check) for check in checks]}
        return found

    def names(self, actor: Actor, ref: str) -> BackendNames:
        """List what is there; names only."""
        _, opened = self._open(actor, ref, "backend.read")
        return BackendNames(tuple(opened.names("connection")), tuple(opened.names("variable")))

    def put(self, actor: Actor, ref: str, kind: str, name: str, value: Secret) -> None:
        """Write one connection (Airflow's JSON or URI) or variable."""
        row, opened = self._open(actor, ref, "backend.write")
        what = _what(kind, name)
        self._note(actor, row, "value-asked", what, name)  # the intent stands before the act: a kill leaves a trace
        opened.put(what, name, value)
        self._note(actor, row, "value-written", what, name)

    def remove(self, actor: Actor, ref: str, kind: str, name: str) -> None:
        """Delete one connection or variable there; repeating changes nothing."""
        row, opened = self._open(actor, ref, "backend.write")
        what = _what(kind, name)
        opened.delete(what, name)
        self._note(actor, row, "value-deleted", what, name)

    def open(self, actor: Actor, ref: str, workspace: str | None = None) -> OpenBackend:
        """Open it for writing many objects; `workspace` settles which one a bare name means."""
        return self._open(actor, f"{workspace}/{ref}" if workspace else ref, "backend.write")[1]

    def attach(self, actor: Actor, deployment: str, ref: str) -> BackendView:
        """Let a deployment's Airflow ask this backend first; it restarts when it needs the provider package."""
        with wishes.writing(self._context) as session:
            target = lookup.deployment_to_change(session, actor, deployment, "deployment.update")
            home = session.get_one(WorkspaceRow, target.workspace_id)
            is_whole = _ID.fullmatch(ref) or "/" in ref
            row = _find(session, actor, ref if is_whole else f"{home.name}/{ref}", "backend.read")
            if row.workspace_id != target.workspace_id:
                raise Conflict(
                    f"{row.name} belongs to another workspace than {target.name}.",
                    code="backend-other-workspace",
                    hint=f"Register it in the workspace {home.name} too.",
                )
            link = session.get(SecretsBackendLinkRow, target.id)
            if link is None or link.backend_id != row.id:
                moment = self._context.clock.now()
                if link is None:
                    link = SecretsBackendLinkRow(deployment_id=target.id, backend_id=row.id, attached_at=moment)
                    session.add(link)
                link.backend_id, link.attached_at = row.id, moment
                self._changed(session, actor, target, "backend_attached", {"backend": row.name})
        self._context.ring()
        return self.get(actor, row.id)

    def detach(self, actor: Actor, deployment: str) -> None:
        """Let a deployment's Airflow ask no backend any more; repeating changes nothing."""
        with wishes.writing(self._context) as session:
            target = lookup.deployment_to_change(session, actor, deployment, "deployment.update")
            link = session.get(SecretsBackendLinkRow, target.id)
            if link is not None:
                session.delete(link)
                self._changed(session, actor, target, "backend_detached", {})
        self._context.ring()

    def attached(self, actor: Actor, deployment: str) -> BackendView | None:
        """Give the backend that a deployment asks first."""
        with self._context.store.reading() as session:
            target = lookup.deployment(session, actor, deployment, "deployment.read")
            row = backends.attached(session, target.id)
            return None if row is None else _views(session, [row])[0]

    # --- inside --------------------------------------------------------------------------------------------------

    def _open(self, actor: Actor, ref: str, permission: str) -> tuple[SecretsBackendRow, OpenBackend]:
        with self._context.store.reading() as session:
            row = _find(session, actor, ref, permission)
        return row, backends.open_backend(self._context.secrets, row)

    def _changed(
        self, session: Session, actor: Actor, target: DeploymentRow, verb: str, details: dict[str, Any]
    ) -> None:
        target.generation += 1
        target.updated_at = self._context.clock.now()
        wishes.record(session, actor, target, verb, details)
        wishes.ask_to_look(session, target.id)

    def _note(self, actor: Actor, row: SecretsBackendRow, verb: str, what: What, name: str) -> None:
        with self._context.store.writing() as session:
            self._record(session, actor, row, verb, {"kind": what, "object": name})

    def _record(
        self, session: Session, actor: Actor, row: SecretsBackendRow, verb: str, details: Mapping[str, Any]
    ) -> None:
        data = {"name": row.name, "workspace_id": row.workspace_id, **details}
        audit.record(session, actor, f"secrets-backend.{verb}", f"{_scope(row)}/backend/{row.id}", data)
        outbox.emit(session, f"secrets-backend.{verb}", row.id, data, actor.name)


def _scope(row: SecretsBackendRow) -> str:
    return lookup.workspace_scope(row.workspace_id)


def _named(workspace_id: str, name: str) -> Any:
    return select(SecretsBackendRow.id).where(
        SecretsBackendRow.workspace_id == workspace_id, SecretsBackendRow.name == name
    )


def _taken(name: str) -> Conflict:
    return Conflict(
        f"There is already a secrets backend {name!r} in this workspace.",
        code="backend-name-taken",
        hint="Choose another name.",
        details={"field": "name"},
    )


def _find(session: Session, actor: Actor, ref: str, permission: str) -> SecretsBackendRow:
    """Give the row. NotFound also when the actor may not see it; Conflict when the name stands in several workspaces."""
    query = select(SecretsBackendRow).order_by(SecretsBackendRow.id)
    workspace, slash, name = ref.partition("/")
    if _ID.fullmatch(ref):
        query = query.where(SecretsBackendRow.id == ref)
    elif slash:
        query = query.join(WorkspaceRow, WorkspaceRow.id == SecretsBackendRow.workspace_id)
        query = query.where(
            (WorkspaceRow.name == workspace) | (WorkspaceRow.id == workspace), SecretsBackendRow.name == name
        )
    else:
        query = query.where(SecretsBackendRow.name == ref)
    rows = [row for row in session.scalars(query) if permissions.allows(actor, "backend.read", _scope(row))]
    if not rows:
        raise NotFound(
            f"There is no secrets backend {ref!r}.",
            code="backend-not-found",
            hint="`aerodrome secrets-backend list` shows them.",
        )
    if len(rows) > 1:
        raise Conflict(
            f"{len(rows)} secrets backends are called {ref!r}.",
            code="backend-ambiguous",
            hint=f"Say workspace/{ref}.",
        )
    permissions.require(actor, permission, _scope(rows[0]))
    return rows[0]


def _users(session: Session, backend_id: str) -> list[DeploymentRow]:
    query = select(DeploymentRow).join(SecretsBackendLinkRow, SecretsBackendLinkRow.deployment_id == DeploymentRow.id)
    held = query.where(SecretsBackendLinkRow.backend_id == backend_id, DeploymentRow.desired != "deleted")
    return list(session.scalars(held.order_by(DeploymentRow.id).with_for_update(of=DeploymentRow)))


def _views(session: Session, rows: Iterable[SecretsBackendRow]) -> list[BackendView]:
    rows = list(rows)
    workspaces = {
        row.id: row.name
        for row in session.scalars(select(WorkspaceRow).where(WorkspaceRow.id.in_({r.workspace_id for r in rows})))
    }
    users: dict[str, list[str]] = {row.id: [] for row in rows}
    query = select(SecretsBackendLinkRow.backend_id, DeploymentRow.name).join(
        DeploymentRow, DeploymentRow.id == SecretsBackendLinkRow.deployment_id
    )
    for backend_id, name in session.execute(
        query.where(SecretsBackendLinkRow.backend_id.in_(users)).order_by(func.lower(DeploymentRow.name))
    ):
        users[backend_id].append(name)
    return [
        BackendView(
            id=row.id,
            workspace_id=row.workspace_id,
            workspace_name=workspaces[row.workspace_id],
            name=row.name,
            kind=row.kind,
            title=KINDS[row.kind].title,
            settings=row.settings,
            credentials=tuple(row.credentials),
            deployments=tuple(users[row.id]),
            probe=_probe(row.probe),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


def _probe(data: Mapping[str, Any] | None) -> ProbeView | None:
    at = from_text(data["at"]) if data else None
    if data is None or at is None:
        return None
    checks = tuple(Check(**check) for check in data["checks"])
    return ProbeView(at, all(check.is_ok for check in checks), checks)


def _what(kind: str, name: str) -> What:
    if kind not in _KINDS or not name or len(name) > 250:
        raise Invalid(
            "Name one connection or variable.",
            code="backend-object-invalid",
            hint="kind is connection or variable, the name has 1 to 250 characters.",
            details={"field": "kind" if kind not in _KINDS else "name"},
        )
    return "connection" if kind == "connection" else "variable"
