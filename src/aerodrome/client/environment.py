"""Environment objects: connections, Airflow variables and environment variables of workspaces and deployments."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aerodrome.client.models import read
from aerodrome.client.transport import Transport, segment
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.secret import Secret


@dataclass(frozen=True)
class EnvironmentLink:
    deployment_id: str
    deployment_name: str
    is_excluded: bool
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class EnvironmentObject:
    id: str
    workspace_id: str
    workspace_name: str
    deployment_id: str | None  # None: of the whole workspace
    deployment_name: str | None
    kind: str  # connection | variable | env
    name: str
    description: str
    is_secret: bool
    is_deleted: bool
    fields: Mapping[str, Any]  # secret values are masked
    secret_fields: tuple[str, ...]
    is_auto_linked: bool
    links: tuple[EnvironmentLink, ...]
    version: int
    created_at: datetime
    updated_at: datetime
    updated_by: str

    @property
    def scope(self) -> str:
        return f"deployment {self.deployment_name}" if self.deployment_id else f"workspace {self.workspace_name}"


@dataclass(frozen=True)
class EnvironmentVersion:
    object_id: str
    number: int
    change: str  # created | updated | linked | deleted | restored
    changed: tuple[str, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    note: str
    actor: str
    at: datetime
    is_current: bool


@dataclass(frozen=True)
class EnvironmentPlace:
    place: str
    detail: str
    wins: bool


@dataclass(frozen=True)
class EffectiveObject:
    kind: str
    name: str
    object_id: str | None
    version: int | None
    source: str
    fields: Mapping[str, Any]
    is_secret: bool
    description: str
    overridden: tuple[str, ...]
    places: tuple[EnvironmentPlace, ...]

    @property
    def hides(self) -> str:
        return ", ".join(place.place for place in self.places if not place.wins)


@dataclass(frozen=True)
class EffectiveEnvironment:
    items: tuple[EffectiveObject, ...]
    remark: str


@dataclass(frozen=True)
class ConnectionTested:
    outcome: str  # good | bad | missing | no-provider | timeout
    message: str
    hint: str
    seconds: float


@dataclass(frozen=True)
class ImportedLine:
    name: str
    outcome: str  # new | changed | same | skipped | invalid
    message: str


@dataclass(frozen=True)
class Imported:
    kind: str
    lines: tuple[ImportedLine, ...]
    counts: Mapping[str, int]
    is_dry_run: bool


class EnvironmentObjects:
    """`client.environment`. A scope is a workspace or a deployment (id or name); exactly one of them."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self,
        *,
        workspace: str | None = None,
        deployment: str | None = None,
        kind: str | None = None,
        with_deleted: bool = False,
    ) -> builtins.list[EnvironmentObject]:
        params = {
            "workspace": workspace,
            "deployment": deployment,
            "kind": kind,
            "with_deleted": "true" if with_deleted else None,
            "limit": 500,
        }
        return [read(EnvironmentObject, item) for item in self._http.pages("/environment-objects", params)]

    def find(
        self, kind: str, name: str, *, workspace: str | None = None, deployment: str | None = None
    ) -> EnvironmentObject:
        """Give the object of a scope by kind and name, a deleted one included; NotFound."""
        for item in self.list(workspace=workspace, deployment=deployment, kind=kind, with_deleted=True):
            if item.name == name:
                return item
        raise NotFound(
            f"There is no {kind} {name!r} there.",
            code="environment-object-not-found",
            hint="`aerodrome env list` shows them.",
        )

    def get(self, object_id: str) -> EnvironmentObject:
        return read(EnvironmentObject, self._http.get(_path(object_id)))

    def put(
        self,
        kind: str,
        name: str,
        fields: Mapping[str, Any] | None = None,
        *,
        workspace: str | None = None,
        deployment: str | None = None,
        uri: Secret | None = None,
        is_secret: bool | None = None,
        description: str | None = None,
    ) -> EnvironmentObject:
        """Make or change an object; a field that is None is removed, a Secret cannot be read back."""
        plain, secret = _split(fields or {})
        body = {
            "workspace": workspace,
            "deployment": deployment,
            "kind": kind,
            "name": name,
            "fields": plain,
            "secrets": secret,
            "uri": None if uri is None else uri.reveal(),
            "is_secret": is_secret,
            "description": description,
        }
        return read(EnvironmentObject, self._http.put("/environment-objects", body))

    def delete(self, object_id: str) -> EnvironmentObject:
        return read(EnvironmentObject, self._http.delete(_path(object_id)))

    def history(self, object_id: str) -> builtins.list[EnvironmentVersion]:
        """Give the versions of an object, newest first."""
        return [read(EnvironmentVersion, item) for item in self._http.pages(f"{_path(object_id)}/versions")]

    def restore(self, object_id: str, version: int) -> EnvironmentObject:
        return read(EnvironmentObject, self._http.post(f"{_path(object_id)}/restore", {"version": version}))

    def link(
        self,
        object_id: str,
        deployment: str,
        overrides: Mapping[str, Any] | None = None,
        *,
        is_excluded: bool = False,
    ) -> EnvironmentObject:
        """Let a deployment get a workspace's object, with other fields when given, or keep it away from it."""
        plain, secret = _split(overrides or {})
        body = {"is_excluded": is_excluded, "fields": plain, "secrets": secret}
        return read(EnvironmentObject, self._http.put(f"{_path(object_id)}/links/{segment(deployment)}", body))

    def unlink(self, object_id: str, deployment: str) -> EnvironmentObject:
        return read(EnvironmentObject, self._http.delete(f"{_path(object_id)}/links/{segment(deployment)}"))

    def link_all(self, object_id: str, *, is_auto_linked: bool) -> EnvironmentObject:
        body = {"is_auto_linked": is_auto_linked}
        return read(EnvironmentObject, self._http.put(f"{_path(object_id)}/links", body))

    def effective(self, deployment: str, kind: str | None = None) -> EffectiveEnvironment:
        """Give what a deployment's Airflow finds, and what hides what."""
        path = f"/deployments/{segment(deployment)}/environment"
        return read(EffectiveEnvironment, self._http.get(path, {"kind": kind}))

    def test(self, deployment: str, connection: str, timeout_s: float = 30.0) -> ConnectionTested:
        """Test a connection from inside a deployment."""
        path = f"/deployments/{segment(deployment)}/environment/test"
        body = {"connection": connection, "timeout_s": timeout_s}
        return read(ConnectionTested, self._http.post(path, body, timeout_s=timeout_s + 30))

    def import_text(
        self,
        kind: str,
        format_: str,
        text: Secret,
        *,
        workspace: str | None = None,
        deployment: str | None = None,
        policy: str = "fail",
        is_dry_run: bool = False,
        is_secret: bool | None = None,
    ) -> Imported:
        """Import a file of Airflow's command line, or a `.env` file."""
        body = {
            "workspace": workspace,
            "deployment": deployment,
            "kind": kind,
            "format": format_,
            "text": text.reveal(),
            "policy": policy,
            "is_dry_run": is_dry_run,
            "is_secret": is_secret,
        }
        return read(Imported, self._http.post("/environment-objects/import", body, timeout_s=300.0))

    def export(
        self,
        kind: str,
        format_: str,
        *,
        workspace: str | None = None,
        deployment: str | None = None,
        with_secrets: bool = False,
    ) -> Secret:
        """Give objects as a file; with secret values only for who may see them."""
        body = {
            "workspace": workspace,
            "deployment": deployment,
            "kind": kind,
            "format": format_,
            "with_secrets": with_secrets,
        }
        return Secret(str(self._http.post("/environment-objects/export", body)["text"]))


def _path(object_id: str) -> str:
    return f"/environment-objects/{segment(object_id)}"


def _split(values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    plain = {name: value for name, value in values.items() if not isinstance(value, Secret)}
    secret = {name: value.reveal() for name, value in values.items() if isinstance(value, Secret)}
    return plain, secret
