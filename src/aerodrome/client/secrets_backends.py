"""Secrets backends: registered services in which teams keep connections and variables."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aerodrome.client.models import read
from aerodrome.client.transport import Transport, segment
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret


@dataclass(frozen=True)
class BackendField:
    name: str
    label: str
    help: str
    is_secret: bool
    is_required: bool
    default: str
    choices: tuple[str, ...]
    when: str


@dataclass(frozen=True)
class BackendKind:
    name: str
    title: str
    extra: str
    fields: tuple[BackendField, ...]


@dataclass(frozen=True)
class BackendCheck:
    name: str
    is_ok: bool
    message: str
    code: str
    permission: str  # what is missing
    resource: str
    hint: str


@dataclass(frozen=True)
class BackendProbe:
    at: datetime
    is_ok: bool
    checks: tuple[BackendCheck, ...]


@dataclass(frozen=True)
class SecretsBackend:
    id: str
    workspace_id: str
    workspace_name: str
    name: str
    kind: str
    title: str
    settings: Mapping[str, str]
    credentials: tuple[str, ...]  # names only
    deployments: tuple[str, ...]
    probe: BackendProbe | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class BackendNames:
    connections: tuple[str, ...]
    variables: tuple[str, ...]


class SecretsBackends:
    """`client.secrets_backends`. A `ref` is an id or a name."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def kinds(self) -> builtins.list[BackendKind]:
        return [read(BackendKind, item) for item in self._http.get("/secrets-backends/kinds")]

    def list(self, workspace: str | None = None) -> builtins.list[SecretsBackend]:
        return [read(SecretsBackend, item) for item in self._http.pages("/secrets-backends", {"workspace": workspace})]

    def create(
        self,
        workspace: str,
        name: str,
        kind: str,
        settings: Mapping[str, str],
        credentials: Mapping[str, Secret],
        *,
        key: str | None = None,
    ) -> SecretsBackend:
        body = {
            "workspace": workspace,
            "name": name,
            "kind": kind,
            "settings": dict(settings),
            "credentials": {field: value.reveal() for field, value in credentials.items()},
        }
        return read(SecretsBackend, self._http.post("/secrets-backends", body, key=key or new_id("key")))

    def get(self, ref: str) -> SecretsBackend:
        return read(SecretsBackend, self._http.get(_path(ref)))

    def update(
        self, ref: str, settings: Mapping[str, str | None], credentials: Mapping[str, Secret | None]
    ) -> SecretsBackend:
        """Change what is given; None removes a field."""
        clear = {field: None if value is None else value.reveal() for field, value in credentials.items()}
        return read(SecretsBackend, self._http.patch(_path(ref), {"settings": dict(settings), "credentials": clear}))

    def delete(self, ref: str) -> None:
        self._http.delete(_path(ref))

    def probe(self, ref: str) -> BackendProbe:
        return read(BackendProbe, self._http.post(f"{_path(ref)}/probe"))

    def names(self, ref: str) -> BackendNames:
        return read(BackendNames, self._http.get(f"{_path(ref)}/names"))

    def put(self, ref: str, kind: str, name: str, value: Secret) -> None:
        """Write one connection or variable; nobody can read it back through the platform."""
        self._http.put(f"{_path(ref)}/values", {"kind": kind, "name": name, "value": value.reveal()})

    def remove(self, ref: str, kind: str, name: str) -> None:
        self._http.delete(f"{_path(ref)}/values", {"kind": kind, "name": name})

    def attached(self, deployment: str) -> SecretsBackend | None:
        found = self._http.get(_deployment(deployment))["backend"]
        return None if found is None else read(SecretsBackend, found)

    def attach(self, deployment: str, ref: str) -> SecretsBackend:
        return read(SecretsBackend, self._http.put(_deployment(deployment), {"backend": ref})["backend"])

    def detach(self, deployment: str) -> None:
        self._http.delete(_deployment(deployment))


def _path(ref: str) -> str:
    return f"/secrets-backends/{segment(ref)}"


def _deployment(ref: str) -> str:
    return f"/deployments/{segment(ref)}/secrets-backend"
