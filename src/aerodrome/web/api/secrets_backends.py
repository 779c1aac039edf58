"""/secrets-backends: where teams keep connections and variables. Values go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from aerodrome.fleet.backends import BackendView
from aerodrome.kernel.secret import Secret
from aerodrome.web.api.edge import GUARDED, NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems
from aerodrome.web.api.once import Key, once

router = APIRouter(tags=["secrets-backends"])
Text = Annotated[str, Field(max_length=2000)]
Credential = Annotated[str, Field(max_length=32_768)]
Kind = Literal["connection", "variable"]


class BackendField(View):
    """One field of a kind of backend."""

    name: str
    label: str
    help: str
    is_secret: Annotated[bool, Field(description="Give it among `credentials`; it is never shown.")]
    is_required: bool
    default: str
    choices: list[str]
    when: Annotated[str, Field(description="It means something only then, such as auth=approle; empty: always.")]


class BackendKind(View):
    """One kind of backend."""

    name: Annotated[str, Field(examples=["vault"])]
    title: str
    extra: Annotated[str, Field(description="The extra of the package that it needs: aerodrome[vault].")]
    fields: list[BackendField]


class BackendCheck(View):
    """One try of a probe."""

    name: Annotated[str, Field(examples=["connections: write"])]
    is_ok: bool
    message: str
    code: str
    permission: Annotated[str, Field(description="What is missing.", examples=["secretsmanager:ListSecrets"])]
    resource: Annotated[str, Field(description="On what.")]
    hint: str


class BackendProbe(View):
    """What the service allows, verb by verb."""

    at: datetime
    is_ok: bool
    checks: list[BackendCheck]


class SecretsBackend(View):
    """A registered backend; credentials by name only."""

    id: Annotated[str, Field(examples=["bkd_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    workspace_id: str
    workspace_name: str
    name: Annotated[str, Field(examples=["team-vault"])]
    kind: Annotated[str, Field(examples=["vault"])]
    title: str
    settings: Mapping[str, str]
    credentials: Annotated[list[str], Field(description="Names of the credentials that are set.")]
    deployments: Annotated[list[str], Field(description="Deployments that ask it first.")]
    probe: Annotated[BackendProbe | None, Field(description="The last probe since it was changed.")]
    created_at: datetime
    updated_at: datetime


class NewBackendBody(Body):
    """What a new backend needs; `GET /secrets-backends/kinds` tells the fields of each kind."""

    workspace: Annotated[str, Field(min_length=1, max_length=100)]
    name: Annotated[str, Field(min_length=1, max_length=100, examples=["team-vault"])]
    kind: Annotated[str, Field(max_length=40, examples=["vault"])]
    settings: Annotated[
        dict[str, Text],
        Field(default_factory=dict, max_length=50, examples=[{"url": "https://vault.example.com:8200"}]),
    ]
    credentials: Annotated[
        dict[str, Credential],
        Field(default_factory=dict, max_length=10, description="Kept in the platform's secret store."),
    ]


class BackendChangesBody(Body):
    """What to change; null removes a field."""

    settings: Annotated[dict[str, Text | None], Field(default_factory=dict, max_length=50)]
    credentials: Annotated[dict[str, Credential | None], Field(default_factory=dict, max_length=10)]


class BackendNames(View):
    """Names in a backend, as the service spells them."""

    connections: list[str]
    variables: list[str]


class ValueBody(Body):
    """One connection (Airflow's JSON or URI) or variable."""

    kind: Kind
    name: Annotated[str, Field(min_length=1, max_length=250, examples=["warehouse"])]
    value: Annotated[str, Field(max_length=500_000, description="It cannot be read back here.")]


class AttachBody(Body):
    """The backend that a deployment asks first."""

    backend: Annotated[str, Field(min_length=1, max_length=200, description="Id or name.")]


class AttachedBackend(View):
    """The backend that a deployment asks first; null: none."""

    backend: SecretsBackend | None


@router.get("/secrets-backends/kinds", responses=GUARDED)
def list_backend_kinds(the: The, actor: Caller) -> list[BackendKind]:  # noqa: ARG001
    """List the kinds of backends with their fields."""
    return [BackendKind.model_validate(kind) for kind in the.fleet.backends.kinds()]


@router.get("/secrets-backends", responses=GUARDED)
def list_secrets_backends(
    the: The,
    actor: Caller,
    workspace: Annotated[str | None, Query(max_length=100, description="Only of this workspace (id or name).")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[SecretsBackend]:
    """List the secrets backends that you may see, in the order in which they were made."""
    views = the.fleet.backends.list(actor, workspace)
    return page_of(views, SecretsBackend, limit, cursor, lambda view: view.id)


@router.post("/secrets-backends", status_code=201, responses=NAMED | problems(409, 503))
def create_secrets_backend(the: The, actor: Caller, body: NewBackendBody, key: Key = None) -> SecretsBackend:
    """Register a backend; probe it next."""

    def make() -> BackendView:
        credentials = {name: Secret(value) for name, value in body.credentials.items()}
        return the.fleet.backends.create(actor, body.workspace, body.name, body.kind, body.settings, credentials)

    return once(the, actor, key, SecretsBackend, ("create_secrets_backend", body), make)


@router.get("/secrets-backends/{ref}", responses=NAMED)
def get_secrets_backend(the: The, actor: Caller, ref: str) -> SecretsBackend:
    """Show a backend by id or name."""
    return SecretsBackend.model_validate(the.fleet.backends.get(actor, ref))


@router.patch("/secrets-backends/{ref}", responses=NAMED | problems(409))
def update_secrets_backend(the: The, actor: Caller, ref: str, body: BackendChangesBody) -> SecretsBackend:
    """Change settings and credentials; deployments that ask it get the change without a restart."""
    credentials = {name: None if value is None else Secret(value) for name, value in body.credentials.items()}
    return SecretsBackend.model_validate(the.fleet.backends.update(actor, ref, body.settings, credentials))


@router.delete("/secrets-backends/{ref}", status_code=204, responses=NAMED | problems(409))
def delete_secrets_backend(the: The, actor: Caller, ref: str) -> None:
    """Forget a backend; what is in the service stays."""
    the.fleet.backends.delete(actor, ref)


@router.post("/secrets-backends/{ref}/probe", responses=NAMED | problems(503))
def probe_secrets_backend(the: The, actor: Caller, ref: str) -> BackendProbe:
    """Try to list, read, write and delete there; each check names the missing permission."""
    return BackendProbe.model_validate(the.fleet.backends.probe(actor, ref))


@router.get("/secrets-backends/{ref}/names", responses=NAMED | problems(503))
def list_backend_names(the: The, actor: Caller, ref: str) -> BackendNames:
    """List the names that are there now."""
    return BackendNames.model_validate(the.fleet.backends.names(actor, ref))


@router.put("/secrets-backends/{ref}/values", status_code=204, responses=NAMED | problems(503))
def put_backend_value(the: The, actor: Caller, ref: str, body: ValueBody) -> None:
    """Write one connection or variable there, in place of the earlier one."""
    the.fleet.backends.put(actor, ref, body.kind, body.name, Secret(body.value))


@router.delete("/secrets-backends/{ref}/values", status_code=204, responses=NAMED | problems(503))
def delete_backend_value(
    the: The, actor: Caller, ref: str, kind: Kind, name: Annotated[str, Query(min_length=1, max_length=250)]
) -> None:
    """Delete one connection or variable there."""
    the.fleet.backends.remove(actor, ref, kind, name)


@router.get("/deployments/{ref}/secrets-backend", responses=NAMED)
def get_attached_backend(the: The, actor: Caller, ref: str) -> AttachedBackend:
    """Show the backend that a deployment asks first."""
    return AttachedBackend.model_validate({"backend": the.fleet.backends.attached(actor, ref)})


@router.put("/deployments/{ref}/secrets-backend", responses=NAMED | problems(409))
def attach_backend(the: The, actor: Caller, ref: str, body: AttachBody) -> AttachedBackend:
    """Let a deployment ask a backend of its workspace first."""
    return AttachedBackend.model_validate({"backend": the.fleet.backends.attach(actor, ref, body.backend)})


@router.delete("/deployments/{ref}/secrets-backend", status_code=204, responses=NAMED | problems(409))
def detach_backend(the: The, actor: Caller, ref: str) -> None:
    """Let a deployment ask no backend any more."""
    the.fleet.backends.detach(actor, ref)
