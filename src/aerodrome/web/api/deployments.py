"""/deployments: each is one Airflow. Wanted and seen state are shown side by side."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from aerodrome.fleet.requests import DeploymentChanges, NewDeployment
from aerodrome.kernel.errors import Invalid, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.web.api.databases import DatabaseKind, DatabaseUrl
from aerodrome.web.api.edge import GUARDED, NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems
from aerodrome.web.api.once import Key, once
from aerodrome.web.platform import Platform

router = APIRouter(tags=["deployments"])
Version = Annotated[str, Field(max_length=40, examples=["3.3.2"])]
Env = Annotated[dict[str, Annotated[str, Field(max_length=32_768)]], Field(max_length=1000)]
Config = Annotated[
    dict[str, Annotated[str, Field(max_length=8192)]],
    Field(max_length=1000, examples=[{"core.max_active_runs_per_dag": "4"}]),
]


class Component(View):
    """One process of a deployment as last seen."""

    name: Annotated[str, Field(examples=["scheduler"])]
    state: Annotated[str, Field(examples=["running"])]
    pid: int | None
    started_at: datetime | None
    restarts: int
    reason: str | None


class Deployment(View):
    """A deployment: what is wanted (`desired`, `generation`) and what was seen (`status`, `components`)."""

    id: Annotated[str, Field(examples=["dep_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    name: Annotated[str, Field(examples=["sales-nightly"])]
    workspace_id: str
    workspace_name: str
    cluster_name: str
    airflow_version: Version
    python_version: Annotated[str, Field(examples=["3.11"])]
    executor: str
    parallelism: int
    env: Annotated[Mapping[str, Any], Field(description="Environment variables; secret values are masked.")]
    config: Mapping[str, str]
    description: str
    database: Annotated[str, Field(description="sqlite, postgresql (managed) or existing.", examples=["postgresql"])]
    drain_s: Annotated[int, Field(description="Seconds that running tasks get to finish before it sleeps.")]
    log_retention_days: Annotated[int, Field(description="Days that task logs are kept; 0 for ever.")]
    pools: Annotated[
        Mapping[str, int], Field(description="Pools with their slots, kept true in Airflow; -1: no limit.")
    ]
    upkeep: Annotated[Mapping[str, Any], Field(description="clean_days: older rows are cleaned daily; empty: never.")]
    desired: Literal["running", "hibernated", "deleted"]
    status: Annotated[str, Field(examples=["healthy"])]
    reasons: list[str]
    components: list[Component]
    generation: int
    observed_generation: int | None
    current_deploy_id: str | None
    airflow_url: Annotated[str | None, Field(description="Path of Airflow's own pages on the gate; null: not up.")]
    created_at: datetime
    updated_at: datetime
    observed_at: datetime | None


class NewDeploymentBody(Body):
    """A wish for a new Airflow; what is left out is chosen by the platform."""

    name: Annotated[str, Field(min_length=1, max_length=100, examples=["sales-nightly"])]
    workspace: Annotated[str, Field(min_length=1, max_length=100, description="Id or name.", examples=["sales"])]
    airflow_version: Version | None = None
    python_version: Annotated[str, Field(max_length=20, examples=["3.11"])] | None = None
    cluster: Annotated[str, Field(max_length=100)] = "local"
    parallelism: Annotated[int, Field(ge=1, le=1024)] = 4
    env: Annotated[Env, Field(default_factory=dict, examples=[{"REGION": "eu"}])]
    secret_env: Annotated[
        Env, Field(default_factory=dict, description="Environment variables that nobody may read back.")
    ]
    config: Annotated[Config, Field(default_factory=dict)]
    description: Annotated[str, Field(max_length=2000)] = ""
    database: DatabaseKind = "sqlite"
    database_url: DatabaseUrl = None


class DeploymentChangesBody(Body):
    """What to change; what is left out or null stays as it is. `config` replaces the whole mapping."""

    name: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    description: Annotated[str, Field(max_length=2000)] | None = None
    airflow_version: Version | None = None
    python_version: Annotated[str, Field(max_length=20)] | None = None
    parallelism: Annotated[int, Field(ge=1, le=1024)] | None = None
    config: Config | None = None
    drain_s: Annotated[int, Field(ge=0, le=86_400)] | None = None
    log_retention_days: Annotated[int, Field(ge=0, le=3650)] | None = None
    pools: Annotated[dict[str, Annotated[int, Field(ge=-1, le=100_000)]], Field(max_length=500)] | None = None
    upkeep: Annotated[dict[str, int], Field(max_length=10, examples=[{"clean_days": 365}])] | None = None


class LifeBody(Body):
    """How long it is to stay so, and how long running tasks get."""

    until: Annotated[datetime | None, Field(description="Schedules rest till then; null: till the next event.")] = None
    for_s: Annotated[int | None, Field(ge=60, le=31_536_000, description="The same as a span from now.")] = None
    drain_s: Annotated[int | None, Field(ge=0, le=86_400, description="Changes the drain window.")] = None


class EnvBody(Body):
    """Environment variables to set; a null value removes the variable."""

    values: Annotated[
        dict[str, str | None], Field(default_factory=dict, max_length=1000, examples=[{"REGION": "eu", "OLD": None}])
    ]
    secrets: Annotated[
        dict[str, Annotated[str, Field(max_length=32_768)]],
        Field(default_factory=dict, max_length=1000, description="Values that nobody may read back."),
    ]


class LogTail(View):
    """The end of a component's log, oldest line first."""

    component: str
    lines: list[str]


class AirflowLink(View):
    """Where to open Airflow's own pages."""

    url: str


@router.get("/deployments", responses=GUARDED)
def list_deployments(
    the: The,
    actor: Caller,
    workspace: Annotated[str | None, Query(max_length=100, description="Only of this workspace (id or name).")] = None,
    status: Annotated[str | None, Query(max_length=40, description="Only those in this status.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Deployment]:
    """List the deployments that you may see, in the order in which they were made."""
    return page_of(
        the.fleet.list_deployments(actor, workspace, status), Deployment, limit, cursor, lambda view: view.id
    )


@router.post("/deployments", status_code=201, responses=NAMED | problems(409, 503))
def create_deployment(the: The, actor: Caller, body: NewDeploymentBody, key: Key = None) -> Deployment:
    """Create a deployment; it starts in the background (`status` is `creating` until Airflow is healthy)."""
    env: dict[str, str | Secret] = {**body.env, **{name: Secret(value) for name, value in body.secret_env.items()}}
    wish = NewDeployment(
        name=body.name,
        workspace=body.workspace,
        airflow_version=body.airflow_version,
        python_version=body.python_version,
        cluster=body.cluster,
        parallelism=body.parallelism,
        env=env,
        config=body.config,
        description=body.description,
        database=body.database,
        database_url=Secret(body.database_url) if body.database_url else None,
    )
    return once(
        the, actor, key, Deployment, ("create_deployment", body), lambda: the.fleet.create_deployment(actor, wish)
    )


@router.get("/deployments/{ref}", responses=NAMED)
def get_deployment(the: The, actor: Caller, ref: str) -> Deployment:
    """Show a deployment by id or name."""
    return Deployment.model_validate(the.fleet.get_deployment(actor, ref))


@router.patch("/deployments/{ref}", responses=NAMED | problems(409, 503))
def update_deployment(the: The, actor: Caller, ref: str, body: DeploymentChangesBody) -> Deployment:
    """Change a deployment; the change is carried out in the background."""
    changes = DeploymentChanges(**body.model_dump())
    return Deployment.model_validate(the.fleet.update_deployment(actor, ref, changes))


@router.delete("/deployments/{ref}", status_code=202, responses=NAMED | problems(409))
def delete_deployment(the: The, actor: Caller, ref: str) -> Deployment:
    """Stop a deployment and remove all it holds, its run history included; done in the background."""
    return Deployment.model_validate(the.fleet.delete_deployment(actor, ref))


@router.post("/deployments/{ref}/hibernate", status_code=202, responses=NAMED | problems(409))
def hibernate_deployment(the: The, actor: Caller, ref: str, body: LifeBody | None = None) -> Deployment:
    """Stop all processes of a deployment and keep everything else; running tasks may finish within the drain window."""
    until, drain_s = _until(the, body)
    return Deployment.model_validate(the.fleet.keeping.set_life(actor, ref, "hibernated", until, drain_s))


@router.post("/deployments/{ref}/wake", status_code=202, responses=NAMED | problems(409))
def wake_deployment(the: The, actor: Caller, ref: str, body: LifeBody | None = None) -> Deployment:
    """Start a hibernated deployment."""
    until, drain_s = _until(the, body)
    return Deployment.model_validate(the.fleet.keeping.set_life(actor, ref, "running", until, drain_s))


@router.patch("/deployments/{ref}/env", responses=NAMED | problems(409))
def set_deployment_env(the: The, actor: Caller, ref: str, body: EnvBody) -> Deployment:
    """Set or remove environment variables; the deployment restarts with them in the background."""
    values: dict[str, str | Secret | None] = {
        **body.values,
        **{name: Secret(value) for name, value in body.secrets.items()},
    }
    return Deployment.model_validate(the.fleet.set_env(actor, ref, values))


@router.get("/deployments/{ref}/logs", responses=NAMED)
def get_deployment_logs(
    the: The,
    actor: Caller,
    ref: str,
    component: Annotated[str, Query(max_length=60, examples=["scheduler"])],
    tail: Annotated[int, Query(ge=1, le=10_000, description="How many lines, counted from the end.")] = 200,
) -> LogTail:
    """Show the end of the log of one component."""
    return LogTail(component=component, lines=list(the.fleet.deployment_logs(actor, ref, component, tail)))


@router.get("/deployments/{ref}/airflow", responses=NAMED | problems(503))
def get_airflow_link(the: The, actor: Caller, ref: str) -> AirflowLink:
    """Tell where Airflow's own pages open; the browser must be signed in to Aerodrome."""
    view = the.fleet.get_deployment(actor, ref)
    if view.airflow_url is None:
        raise Unavailable(
            f"{view.name} has no Airflow that could be opened now: it is {view.status}.",
            code="airflow-not-up",
            hint=f"Look at `aerodrome deployment show {view.name}`.",
        )
    return AirflowLink(url=f"{the.settings.url}/deployments/{view.id}/airflow")


def _until(the: Platform, body: LifeBody | None) -> tuple[datetime | None, int | None]:
    if body is None:
        return None, None
    if body.for_s is not None:
        return the.clock.now() + timedelta(seconds=body.for_s), body.drain_s
    until = body.until
    if until is not None and until.tzinfo is None:
        raise Invalid(
            "The moment has no time zone.",
            code="until-without-zone",
            hint="Write 2026-12-24T18:00:00+01:00.",
            details={"field": "until"},
        )
    return until, body.drain_s
