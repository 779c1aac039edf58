"""/deployments/{ref}/deploys: immutable versions put on a deployment."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Literal, cast

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import require
from aerodrome.kernel.errors import Invalid
from aerodrome.web.api.edge import NAMED, Caller, Cursor, Limit, Page, The, View, page_of, problems
from aerodrome.web.platform import Platform

router = APIRouter(tags=["deploys"])
_KEPT_IN_MEMORY = 4 << 20
_ARCHIVE_TYPES = frozenset(
    {"application/gzip", "application/x-gzip", "application/x-tar+gzip", "application/octet-stream"}
)


class Deploy(View):
    """One immutable version put on a deployment."""

    id: Annotated[str, Field(examples=["dpl_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    deployment_id: str
    number: Annotated[int, Field(description="1, 2, 3 … within the deployment.")]
    status: Literal["queued", "building", "switching", "returning", "live", "superseded", "failed"]
    bundle_digest: str
    kind: Annotated[Literal["full", "dags"], Field(description="dags: only DAG files differ, nothing restarts.")]
    description: str
    actor: str
    origin: str
    file_count: int
    size_bytes: int
    error: Mapping[str, Any] | None
    steps: list[Mapping[str, Any]]
    created_at: datetime
    live_at: datetime | None


@router.get("/deployments/{ref}/deploys", responses=NAMED)
def list_deploys(the: The, actor: Caller, ref: str, limit: Limit = 100, cursor: Cursor = None) -> Page[Deploy]:
    """List the deploys of a deployment, newest first."""
    views = the.fleet.list_deploys(actor, ref)
    return page_of(views, Deploy, limit, cursor, lambda view: f"{view.number:012}", newest=True)


@router.get("/deployments/{ref}/deploys/{number}", responses=NAMED)
def get_deploy(the: The, actor: Caller, ref: str, number: str) -> Deploy:
    """Show a deploy by number or id."""
    return Deploy.model_validate(the.fleet.get_deploy(actor, ref, number))


@router.post(
    "/deployments/{ref}/deploys",
    status_code=202,
    responses=NAMED | problems(409, 413),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The project folder (dags/, plugins/, include/, requirements.txt) as tar.gz.",
            "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def create_deploy(
    *,
    request: Request,
    the: The,
    actor: Caller,
    ref: str,
    description: Annotated[str, Query(max_length=500)] = "",
    origin: Annotated[Literal["api", "cli"], Query()] = "api",
) -> Deploy:
    """Upload a project folder and put it on the deployment; answers once the upload is kept, before it is live."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _ARCHIVE_TYPES:
        raise Invalid(
            "The body is not declared as a tar.gz archive.",
            code="archive-type-wrong",
            hint="Send Content-Type: application/gzip, or use `aerodrome deploy PATH`.",
        )
    await run_in_threadpool(_check_may_deploy, the, actor, ref)  # before reading hundreds of MB from a stranger
    with tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY) as spool:
        async for block in request.stream():
            await run_in_threadpool(spool.write, block)
        spool.seek(0)
        bundle = await run_in_threadpool(the.bundles.put_archive, cast("BinaryIO", spool))
    view = await run_in_threadpool(the.fleet.deploy, actor, ref, bundle, description, origin)
    return Deploy.model_validate(view)


def _check_may_deploy(the: Platform, actor: Actor, ref: str) -> None:
    view = the.fleet.get_deployment(actor, ref)
    require(actor, "deploy.create", f"workspace/{view.workspace_id}/deployment/{view.id}")
