"""/environment-objects: connections, Airflow variables and environment variables of workspaces and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import ConfigDict, Field

from aerodrome.environments import formats
from aerodrome.environments.contract import Wish
from aerodrome.fleet.environment import ImportWish
from aerodrome.fleet.object_files import ImportReport
from aerodrome.kernel.secret import Secret
from aerodrome.web.api.edge import NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems

router = APIRouter(tags=["environment"])
KindName = Literal["connection", "variable", "env"]
Ref = Annotated[str | None, Field(max_length=100, description="Id or name.")]
Fields = Annotated[
    dict[str, Any],
    Field(
        default_factory=dict,
        max_length=1000,
        description="Fields in the open: host, port, extra.<key> … of a connection, value of the others; null removes one.",
        examples=[{"conn_type": "postgres", "host": "db.internal", "port": 5432, "extra.sslmode": "require"}],
    ),
]
SecretFields = Annotated[
    dict[str, str],
    Field(
        default_factory=dict,
        max_length=1000,
        description="Fields that nobody may read back.",
        examples=[{"password": "…"}],
    ),
]


class EnvironmentLink(View):
    """How an object of a workspace reaches one deployment."""

    deployment_id: str
    deployment_name: str
    is_excluded: bool
    fields: Annotated[Mapping[str, Any], Field(description="Fields in place of the object's own; secrets masked.")]


class EnvironmentObject(View):
    """A connection, an Airflow variable or an environment variable; values of secret fields are masked."""

    id: Annotated[str, Field(examples=["env_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    workspace_id: str
    workspace_name: str
    deployment_id: Annotated[str | None, Field(description="null: of the whole workspace.")]
    deployment_name: str | None
    kind: KindName
    name: Annotated[str, Field(examples=["warehouse"])]
    description: str
    is_secret: bool
    is_deleted: bool
    fields: Mapping[str, Any]
    secret_fields: list[str]
    is_auto_linked: Annotated[bool, Field(description="All deployments of the workspace get it, later ones too.")]
    links: list[EnvironmentLink]
    version: int
    created_at: datetime
    updated_at: datetime
    updated_by: str


class EnvironmentVersion(View):
    """One version of an object; values of secret fields are masked."""

    object_id: str
    number: int
    change: Annotated[str, Field(examples=["updated"])]
    changed: Annotated[list[str], Field(examples=[["host", "password"]])]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    note: str
    actor: str
    at: datetime
    is_current: bool


class EnvironmentPlace(View):
    """One place where a name exists for a deployment."""

    place: Annotated[str, Field(examples=["metadata database"])]
    detail: str
    wins: bool


class EffectiveObject(View):
    """A name as a deployment's Airflow finds it."""

    kind: KindName
    name: str
    object_id: str | None
    version: int | None
    source: str
    fields: Mapping[str, Any]
    is_secret: bool
    description: str
    overridden: list[str]
    places: list[EnvironmentPlace]


class EffectiveEnvironment(View):
    """All that a deployment's Airflow finds, and what hides what."""

    items: list[EffectiveObject]
    remark: Annotated[str, Field(description="Why a place could not be looked at; empty when all were.")]


class ConnectionTested(View):
    """What a test from inside the deployment gave."""

    outcome: Annotated[str, Field(description="good, bad, missing, no-provider or timeout.")]
    message: str
    hint: str
    seconds: float


class ImportedLine(View):
    """What happened, or would happen, to one object of the file."""

    name: str
    outcome: Annotated[str, Field(description="new, changed, same, skipped or invalid.")]
    message: str


class Imported(View):
    """The result of an import."""

    kind: KindName
    lines: list[ImportedLine]
    counts: Mapping[str, int]
    is_dry_run: bool


class Exported(View):
    """A file in Airflow's own format."""

    text: str


class _Exact(Body):
    """A body whose texts are kept as they are: blanks may be part of a value."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=False)


class EnvironmentObjectBody(_Exact):
    """What an object is to be. It is made when there is none of that kind and name; what is left out stays as it is."""

    workspace: Ref = None
    deployment: Ref = None
    kind: KindName
    name: Annotated[str, Field(min_length=1, max_length=250)]
    fields: Fields
    secrets: SecretFields
    uri: Annotated[str | None, Field(max_length=65_536, description="A connection as Airflow's URI.")] = None
    is_secret: bool | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None

    def wish(self) -> Wish:
        given = formats.fields_of_input(self.kind, self.fields, self.secrets, self.uri)
        return Wish(self.kind, self.name, given, self.is_secret, self.description)


class LinkBody(_Exact):
    """How the object reaches one deployment."""

    is_excluded: bool = False
    fields: Fields
    secrets: SecretFields


class LinksBody(Body):
    """Whether all deployments of the workspace get the object."""

    is_auto_linked: bool


class RestoreBody(Body):
    """Which version to bring back."""

    version: Annotated[int, Field(ge=1, lt=2**31)]


class TestBody(Body):
    """Which connection to test."""

    __test__ = False
    connection: Annotated[str, Field(min_length=1, max_length=250)]
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 30.0


class ImportBody(_Exact):
    """A file to be imported."""

    workspace: Ref = None
    deployment: Ref = None
    kind: KindName
    format: Annotated[str, Field(description="json, yaml or env", examples=["json"])] = "json"
    text: str
    policy: Annotated[str, Field(description="What to do with names that are there: fail, skip or overwrite.")] = "fail"
    is_dry_run: bool = False
    is_secret: bool | None = None


class ExportBody(Body):
    """What to export."""

    workspace: Ref = None
    deployment: Ref = None
    kind: KindName
    format: Annotated[str, Field(description="json, yaml or env", examples=["json"])] = "json"
    with_secrets: bool = False


@router.get("/environment-objects", responses=NAMED)
def list_environment_objects(
    the: The,
    actor: Caller,
    workspace: Annotated[str | None, Query(max_length=100, description="Only those of this workspace itself.")] = None,
    deployment: Annotated[
        str | None, Query(max_length=100, description="Only those of this deployment itself.")
    ] = None,
    kind: Annotated[KindName | None, Query()] = None,
    with_deleted: Annotated[bool, Query(description="Also those that were deleted.")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[EnvironmentObject]:
    """List the objects that you may see, in the order in which they were made."""
    views = the.fleet.environment.list_all(
        actor, workspace=workspace, deployment=deployment, kind=kind, with_deleted=with_deleted
    )
    return page_of(views, EnvironmentObject, limit, cursor, lambda view: view.id)


@router.put("/environment-objects", responses=NAMED | problems(409))
def put_environment_object(the: The, actor: Caller, body: EnvironmentObjectBody) -> EnvironmentObject:
    """Make or change an object; its deployments get it in the background, without a restart unless it is of kind env."""
    view = the.fleet.environment.put(actor, body.wish(), workspace=body.workspace, deployment=body.deployment)
    return EnvironmentObject.model_validate(view)


@router.post("/environment-objects/import", responses=NAMED | problems(409))
def import_environment_objects(the: The, actor: Caller, body: ImportBody) -> Imported:
    """Import a file of Airflow's command line, or a `.env` file; all or nothing."""
    wish = ImportWish(body.kind, body.format, Secret(body.text), body.policy, body.is_dry_run, body.is_secret)
    report = the.fleet.environment.import_file(actor, wish, workspace=body.workspace, deployment=body.deployment)
    return imported(report)


@router.post("/environment-objects/export", responses=NAMED)
def export_environment_objects(the: The, actor: Caller, body: ExportBody) -> Exported:
    """Write objects as a file for Airflow's command line; secret values need the permission `environment.reveal`."""
    text = the.fleet.environment.export(
        actor,
        body.kind,
        body.format,
        workspace=body.workspace,
        deployment=body.deployment,
        with_secrets=body.with_secrets,
    )
    return Exported(text=text.reveal())


@router.get("/environment-objects/{object_id}", responses=NAMED)
def get_environment_object(the: The, actor: Caller, object_id: str) -> EnvironmentObject:
    """Show an object."""
    return EnvironmentObject.model_validate(the.fleet.environment.get(actor, object_id))


@router.delete("/environment-objects/{object_id}", responses=NAMED | problems(409))
def delete_environment_object(the: The, actor: Caller, object_id: str) -> EnvironmentObject:
    """Delete an object; an older version can be restored."""
    return EnvironmentObject.model_validate(the.fleet.environment.delete(actor, object_id))


@router.get("/environment-objects/{object_id}/versions", responses=NAMED)
def list_environment_versions(
    the: The, actor: Caller, object_id: str, limit: Limit = 100, cursor: Cursor = None
) -> Page[EnvironmentVersion]:
    """List who changed an object and what, newest first."""
    views = the.fleet.environment.history(actor, object_id)
    return page_of(views, EnvironmentVersion, limit, cursor, lambda view: f"{view.number:010d}", newest=True)


@router.post("/environment-objects/{object_id}/restore", responses=NAMED | problems(409))
def restore_environment_version(the: The, actor: Caller, object_id: str, body: RestoreBody) -> EnvironmentObject:
    """Bring an older version back as a new one, secret values included; nobody sees them."""
    return EnvironmentObject.model_validate(the.fleet.environment.restore(actor, object_id, body.version))


@router.put("/environment-objects/{object_id}/links", responses=NAMED | problems(409))
def link_environment_object_to_all(the: The, actor: Caller, object_id: str, body: LinksBody) -> EnvironmentObject:
    """Let all deployments of the workspace get the object, or only those that are linked one by one."""
    view = the.fleet.environment.link_all(actor, object_id, is_auto_linked=body.is_auto_linked)
    return EnvironmentObject.model_validate(view)


@router.put("/environment-objects/{object_id}/links/{deployment}", responses=NAMED | problems(409))
def link_environment_object(
    the: The, actor: Caller, object_id: str, deployment: str, body: LinkBody
) -> EnvironmentObject:
    """Let a deployment get the object, with other fields when given, or keep it away from it."""
    if body.is_excluded:
        return EnvironmentObject.model_validate(the.fleet.environment.exclude(actor, object_id, deployment))
    kind = the.fleet.environment.get(actor, object_id).kind
    overrides = formats.fields_of_input(kind, body.fields, body.secrets, None)
    return EnvironmentObject.model_validate(the.fleet.environment.link(actor, object_id, deployment, overrides))


@router.delete("/environment-objects/{object_id}/links/{deployment}", responses=NAMED | problems(409))
def unlink_environment_object(the: The, actor: Caller, object_id: str, deployment: str) -> EnvironmentObject:
    """Forget what was said about one deployment: it gets the object when all do."""
    return EnvironmentObject.model_validate(the.fleet.environment.unlink(actor, object_id, deployment))


@router.get("/deployments/{ref}/environment", responses=NAMED)
def get_effective_environment(
    the: The, actor: Caller, ref: str, kind: Annotated[KindName | None, Query()] = None
) -> EffectiveEnvironment:
    """Show what a deployment's Airflow finds: every name, where it comes from, and what it hides."""
    return EffectiveEnvironment.model_validate(the.fleet.environment.effective(actor, ref, kind))


@router.post("/deployments/{ref}/environment/test", responses=NAMED | problems(503))
def try_deployment_connection(the: The, actor: Caller, ref: str, body: TestBody) -> ConnectionTested:
    """Test a connection from inside the deployment, where its tasks run."""
    return ConnectionTested.model_validate(the.fleet.environment.test(actor, ref, body.connection, body.timeout_s))


def imported(report: ImportReport) -> Imported:
    """Give the answer for a report."""
    return Imported.model_validate(report)
