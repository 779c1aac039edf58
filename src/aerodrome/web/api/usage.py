"""/deployments/{ref}/usage, /usage and /deployments/{ref}/checks: what DAGs need, and whether a project could be deployed."""

from __future__ import annotations

import tempfile
from datetime import datetime
from typing import Annotated, BinaryIO, Literal, cast

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from aerodrome.fleet.composing import TAKEN
from aerodrome.web.api.deploys import BundleName, Kind, receive
from aerodrome.web.api.edge import GUARDED, NAMED, Caller, The, View, problems
from aerodrome.web.uploads import check_may_deploy

router = APIRouter(tags=["deploys"])
ObjectKind = Literal["connection", "variable", "pool", "env"]
_KEPT_IN_MEMORY = 4 << 20


class UsePlace(View):
    """One place that names an object."""

    file: Annotated[str, Field(examples=["dags/sales.py"])]
    line: Annotated[int | None, Field(description="null: a task names it that Airflow made of the file.")]
    via: Annotated[str, Field(description="An argument, a call or a template.", examples=["postgres_conn_id"])]
    is_required: Annotated[bool, Field(description="false: the code has a default, or an operator names it by itself.")]
    dag_ids: list[str]


class UsedObject(View):
    """One connection, variable, pool or environment variable that DAGs name."""

    kind: ObjectKind
    name: Annotated[str, Field(examples=["warehouse"])]
    is_required: bool
    is_missing: Annotated[bool, Field(description="It did not exist when the deploy was checked.")]
    dag_ids: list[str]
    places: list[UsePlace]


class Usage(View):
    """What the live deploy of a deployment needs."""

    deployment_id: str
    deployment_name: str
    deploy_number: Annotated[int | None, Field(description="null: nothing is deployed.")]
    live_at: datetime | None
    objects: list[UsedObject]


class CheckFinding(View):
    """One thing that is wrong with a deploy."""

    code: Annotated[str, Field(examples=["missing-connection"])]
    severity: Literal["blocker", "warning"]
    subject: Annotated[str, Field(examples=["warehouse"])]
    message: str
    hint: str
    file: str
    line: int | None
    kind: str
    dag_ids: list[str]
    detail: str


class CheckedDag(View):
    """One DAG that was read."""

    dag_id: str
    file: str


class CheckResult(View):
    """What the checks before a deploy found."""

    is_blocking: Annotated[bool, Field(description="A deploy of it would be refused, unless it is forced.")]
    counts: dict[str, int]
    findings: list[CheckFinding]
    dags: list[CheckedDag]
    airflow_version: str
    seconds: float


@router.get("/deployments/{ref}/usage", responses=NAMED)
def get_usage(the: The, actor: Caller, ref: str, kind: ObjectKind | None = None) -> Usage:
    """Show which DAGs need which connections, variables, pools and environment variables."""
    found = Usage.model_validate(the.fleet.usage(actor, ref))
    objects = [item for item in found.objects if kind in (None, item.kind)]
    return found.model_copy(update={"objects": objects})


@router.get("/usage", responses=GUARDED)
def find_usage(
    the: The, actor: Caller, kind: ObjectKind, name: Annotated[str, Query(max_length=250, examples=["warehouse"])]
) -> list[Usage]:
    """Show the deployments whose DAGs name one object, and where."""
    return [Usage.model_validate(view) for view in the.fleet.usage_of(actor, kind, name)]


@router.post(
    "/deployments/{ref}/checks",
    responses=NAMED | problems(409, 413, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The project folder as tar.gz, as for a deploy.",
            "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def check_project(
    *, request: Request, the: The, actor: Caller, ref: str, kind: Kind = "full", bundle: BundleName = None
) -> CheckResult:
    """Upload a project folder and have it checked as a deploy would be; nothing is deployed."""
    kind = "bundle" if bundle is not None else kind
    await run_in_threadpool(check_may_deploy, the, actor, ref)
    with tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY) as spool:
        await receive(request, cast("BinaryIO", spool))
        kept = await run_in_threadpool(the.bundles.put_archive, cast("BinaryIO", spool), TAKEN[kind])
    found = await run_in_threadpool(the.fleet.check, actor, ref, kept, kind=kind, bundle_name=bundle)
    return CheckResult.model_validate(found)
