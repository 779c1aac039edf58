"""/migrations: from a source Airflow to a deployment here. Long work answers at once; look at the migration for progress."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from pydantic import Field, SecretStr

from aerodrome.migration.service.source_fields import login_from
from aerodrome.migration.service.source_kinds import AnySourceInput, from_fields
from aerodrome.web.api.edge import GUARDED, NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems

router = APIRouter(tags=["migrations"])


class Step(View):
    """One step of a track, as the journal has it."""

    key: str
    phase: str
    kind: str
    title: str
    status: str
    attempts: int
    progress: str | None
    started_at: datetime | None
    finished_at: datetime | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None


class Track(View):
    """One walk over a list of steps: `apply`, `cutover:<wave>` or `rollback:<wave>`."""

    name: str
    status: str
    done_count: int
    steps: list[Step]


class Migration(View):
    """A migration and how far it has come."""

    id: Annotated[str, Field(examples=["mig_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    name: str
    workspace_id: str
    source_kind: str
    source_label: Annotated[str, Field(description="Where the source is; passwords are masked.")]
    source_version: str | None
    target_deployment_id: str | None
    target_version: str | None
    status: str
    estate_digest: str | None
    plan_digest: str | None
    found: Mapping[str, int]
    findings: Mapping[str, int]
    waves: list[str]
    tracks: list[Track]
    error: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime


class NewMigration(Body):
    """A source to register. Paths are on the machine that runs the server; each kind of source has its own fields."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["legacy"])]
    workspace: Annotated[str, Field(min_length=1, examples=["data"])]
    kind: Annotated[
        Literal["airflow-db", "airflow-archive", "airflow-rest", "starship", "mwaa", "composer", "oozie", "controlm"],
        Field(
            description="A metadata database, an archive that the script of `aerodrome export` wrote, a REST API, "
            "an Airflow with the Starship plugin, Amazon MWAA or Google Cloud Composer; or definitions of Oozie or Control-M."
        ),
    ] = "airflow-db"
    database_url: Annotated[
        SecretStr | None, Field(description="`airflow-db`: SQLAlchemy URL of the source's metadata database.")
    ] = None
    fernet_keys: Annotated[
        SecretStr, Field(description="`airflow-db`: the source's Fernet keys, newest first, comma-separated.")
    ] = SecretStr("")
    dags_folder: Annotated[
        str | None,
        Field(min_length=1, examples=["/opt/airflow/dags"], description="Needed unless the kind brings the code."),
    ] = None
    plugins_folder: str | None = None
    include_folder: str | None = None
    requirements_file: str | None = None
    config_file: Annotated[str | None, Field(description="The source's airflow.cfg.")] = None
    env_file: Annotated[str | None, Field(description="NAME=value lines of the scheduler's environment.")] = None
    archive: Annotated[
        str | None,
        Field(
            description="`airflow-archive`: the file, or s3://bucket/key, or gs://bucket/key. "
            "`mwaa`, `composer`: what the exporter wrote in the environment, if it ran."
        ),
    ] = None
    archive_key: Annotated[
        SecretStr | None,
        Field(
            description="`airflow-archive`: the private key (PEM) that `aerodrome export` wrote; "
            "not for an archive that was sealed to this platform."
        ),
    ] = None
    base_url: Annotated[
        str | None,
        Field(
            description="`airflow-rest`, `starship`: where Airflow's web server is.",
            examples=["https://airflow.example.org"],
        ),
    ] = None
    user: Annotated[
        str | None,
        Field(description="`airflow-rest`, `starship`: a user, with `password`; or give `token`. `oozie`: a user."),
    ] = None
    password: SecretStr | None = None
    token: Annotated[SecretStr | None, Field(description="`airflow-rest`, `starship`: a bearer token.")] = None

    environment: Annotated[
        str | None,
        Field(
            description="`mwaa`: the environment's name; `composer`: its full one.",
            examples=["projects/p/locations/europe-west1/environments/etl"],
        ),
    ] = None
    region: Annotated[str | None, Field(description="AWS region.", examples=["eu-west-1"])] = None
    profile: Annotated[str | None, Field(description="A profile of the server's AWS configuration.")] = None
    role_arn: Annotated[str | None, Field(description="An AWS role to assume.")] = None
    endpoint_url: Annotated[str | None, Field(description="Only for private endpoints of the cloud.")] = None
    access_key_id: Annotated[
        str | None, Field(description="AWS; without it, what the server's machine has is used.")
    ] = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    service_account_key: Annotated[
        SecretStr | None,
        Field(description="Google, JSON; without it, what the server's machine has is used."),
    ] = None
    definitions: Annotated[
        str | None,
        Field(description="`oozie`, `controlm`: a folder with definitions, or one file.", examples=["/srv/oozie/apps"]),
    ] = None
    profile_file: Annotated[
        str | None,
        Field(
            description="`oozie`, `controlm`: the profile (YAML) of `aerodrome convert`: where things run, what is left open."
        ),
    ] = None
    server_url: Annotated[
        str | None,
        Field(
            description="`oozie`: its web services, to suspend and resume coordinators and to read how far they are. "
            "`user`, and `password` for a gateway, sign in.",
            examples=["http://oozie.example.org:11000/oozie"],
        ),
    ] = None

    def source(self) -> AnySourceInput:
        """Give the source; Invalid `field-missing` naming the field that this kind needs."""
        return from_fields(self.kind, _revealed(self, "name", "workspace"))


class Account(Body):
    """Where to look for managed environments, and who looks."""

    kind: Literal["mwaa", "composer"]
    location: Annotated[str, Field(description="`composer`: projects/PROJECT/locations/REGION.")] = ""
    region: str | None = None
    profile: str | None = None
    role_arn: str | None = None
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    service_account_key: SecretStr | None = None


class ManagedEnvironment(View):
    """An environment that could be connected."""

    environment: str
    status: str
    airflow_version: str


def _revealed(body: Body, *left_out: str) -> dict[str, str | None]:
    values = {name: getattr(body, name) for name in type(body).model_fields if name not in left_out}
    return {name: value.get_secret_value() if isinstance(value, SecretStr) else value for name, value in values.items()}


class Plan(View):
    """The plan as people edit it (YAML text) and as apply runs it (steps)."""

    text: str
    digest: str
    estate_digest: str
    steps: list[Mapping[str, Any]]
    waves: Mapping[str, list[Mapping[str, Any]]]
    notes: Annotated[list[str], Field(description="Remarks that hinder nothing: dependent DAGs in different waves.")]


class PlanText(Body):
    """An edited plan."""

    text: Annotated[str, Field(min_length=1, max_length=20_000_000)]


class DryRunStep(View):
    """One step that would run, in order."""

    number: int
    track: str
    phase: str
    key: str
    title: str


class ApplyWish(Body):
    """Which plan to apply; give the digest that you looked at."""

    plan_digest: str | None = None


class ArchiveKey(View):
    """A public key of the platform: what an exporter seals to it, only this platform opens."""

    key_id: str
    public_key: Annotated[str, Field(description="PEM.")]


@router.get("/archive-key", responses=GUARDED)
def get_archive_key(the: The, actor: Caller) -> ArchiveKey:  # noqa: ARG001
    """Show the public key to which exporters seal archives for this platform."""
    return ArchiveKey.model_validate(the.migrations.archive_key())


@router.post("/managed-environments", responses=GUARDED | problems(404))
def list_managed_environments(the: The, actor: Caller, body: Account) -> list[ManagedEnvironment]:
    """List the MWAA or Composer environments that an account may see. Nothing of the account is kept."""
    found = the.migrations.environments(actor, body.kind, body.location, login_from(_revealed(body)))
    return [ManagedEnvironment.model_validate(each) for each in found]


@router.get("/migrations", responses=GUARDED)
def list_migrations(the: The, actor: Caller, limit: Limit = 100, cursor: Cursor = None) -> Page[Migration]:
    """List the migrations that you may see, newest first."""
    return page_of(the.migrations.list(actor), Migration, limit, cursor, lambda view: view.id, newest=True)


@router.post("/migrations", status_code=201, responses=GUARDED | problems(404, 409))
def connect_migration(the: The, actor: Caller, body: NewMigration) -> Migration:
    """Register a source. It is probed first, read-only; nothing is kept when a check fails."""
    return Migration.model_validate(the.migrations.connect(actor, body.name, body.workspace, body.source()))


@router.get("/migrations/{ref}", responses=NAMED)
def get_migration(the: The, actor: Caller, ref: str) -> Migration:
    """Show a migration by id or name, with its tracks and steps."""
    return Migration.model_validate(the.migrations.get(actor, ref))


@router.post("/migrations/{ref}/assess", status_code=202, responses=NAMED | problems(409))
def assess_migration(the: The, actor: Caller, ref: str) -> Migration:
    """Scan the source into a frozen estate, assess it and propose a plan; changes nothing in the source."""
    return Migration.model_validate(the.migrations.assess(actor, ref))


@router.get("/migrations/{ref}/assessment", responses=NAMED)
def get_migration_assessment(the: The, actor: Caller, ref: str) -> Mapping[str, Any]:
    """Give the findings and the risk of each DAG."""
    return the.migrations.assessment(actor, ref)


@router.get("/migrations/{ref}/assessment.html", responses=NAMED, response_class=HTMLResponse)
def get_migration_assessment_page(the: The, actor: Caller, ref: str) -> HTMLResponse:
    """Give the assessment as one self-contained page."""
    return _document(the.migrations.assessment_html(actor, ref))


@router.get("/migrations/{ref}/plan", responses=NAMED | problems(409))
def get_migration_plan(the: The, actor: Caller, ref: str) -> Plan:
    """Give the present plan."""
    return Plan.model_validate(the.migrations.plan(actor, ref))


@router.put("/migrations/{ref}/plan", responses=NAMED | problems(409))
def save_migration_plan(the: The, actor: Caller, ref: str, body: PlanText) -> Plan:
    """Check and keep an edited plan; an error names line and field, and the plan before stays."""
    return Plan.model_validate(the.migrations.save_plan(actor, ref, body.text))


@router.get("/migrations/{ref}/dry-run", responses=NAMED | problems(409))
def dry_run_migration(the: The, actor: Caller, ref: str) -> list[DryRunStep]:
    """Give the very steps that apply and cutover run, in order."""
    return [DryRunStep.model_validate(row) for row in the.migrations.dry_run(actor, ref)]


@router.post("/migrations/{ref}/apply", status_code=202, responses=NAMED | problems(409))
def apply_migration(the: The, actor: Caller, ref: str, body: ApplyWish) -> Migration:
    """Walk the plan up to cutover, or go on where it stopped."""
    return Migration.model_validate(the.migrations.apply(actor, ref, body.plan_digest))


@router.get("/migrations/{ref}/bridge", responses=NAMED)
def get_migration_bridge(the: The, actor: Caller, ref: str) -> Mapping[str, Any]:
    """Tell which DAGs wait across the sides for assets or runs of each other, and what was carried between them."""
    return the.migrations.bridge(actor, ref)


@router.get("/migrations/{ref}/report", responses=NAMED)
def get_migration_report(the: The, actor: Caller, ref: str) -> Mapping[str, Any]:
    """Give the report as data."""
    return the.migrations.report(actor, ref)


@router.get("/migrations/{ref}/report.html", responses=NAMED, response_class=HTMLResponse)
def get_migration_report_page(the: The, actor: Caller, ref: str) -> HTMLResponse:
    """Give the report as one self-contained page."""
    return _document(the.migrations.report_html(actor, ref))


def _document(text: str) -> HTMLResponse:
    """Serve a self-contained document: its own inline style is allowed, scripts only if it is the sandboxed report's own."""
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'unsafe-inline'; sandbox allow-scripts"
    return HTMLResponse(text, headers={"Content-Security-Policy": policy})
