"""/deployments/{ref}/deploys: immutable versions put on a deployment."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, BinaryIO, Literal, cast

from fastapi import APIRouter, Query, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from aerodrome.builds.git import GitSource, clean_url
from aerodrome.fleet.composing import TAKEN
from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.web.api.edge import (
    NAMED,
    Body,
    Caller,
    Cursor,
    Limit,
    Page,
    The,
    View,
    malformed_cursor,
    page_of,
    problems,
    read_cursor,
)
from aerodrome.web.api.once import Key, once
from aerodrome.web.uploads import check_may_deploy

router = APIRouter(tags=["deploys"])
_KEPT_IN_MEMORY = 4 << 20
_DIGITS = 12  # of a deploy's number in a cursor
_ARCHIVE_TYPES = frozenset(
    {"application/gzip", "application/x-gzip", "application/x-tar+gzip", "application/octet-stream"}
)
_GIT_FIELDS = ("remote", "branch", "commit", "author", "message")
Kind = Annotated[
    Literal["full", "dags", "packages", "bundle"],
    Query(
        description="Which part of the project is taken; the rest stays as in the deploy before. bundle: see `bundle`."
    ),
]
BundleName = Annotated[
    str | None, Query(max_length=63, description="Airflow 3: the project's dags/ becomes the DAG bundle of this name.")
]
Origin = Annotated[Literal["api", "cli", "ci", "page"], Query(description="From where it is sent.")]


class Deploy(View):
    """One immutable version put on a deployment: bundles, versions, requirements, settings, environment objects."""

    id: Annotated[str, Field(examples=["dpl_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    deployment_id: str
    number: Annotated[int, Field(description="1, 2, 3 … within the deployment.")]
    status: Literal["queued", "building", "switching", "returning", "live", "superseded", "failed"]
    bundle_digest: Annotated[str, Field(description="Empty while a project is still being fetched from git.")]
    kind: Annotated[
        Literal["full", "dags", "packages", "bundle"],
        Field(description="What differs from the deploy before. dags: only DAG files, nothing restarts."),
    ]
    cause: Literal["deploy", "rollback", "upgrade"]
    description: str
    actor: str
    origin: Annotated[str, Field(examples=["cli", "api", "page", "ci", "migration"])]
    file_count: int
    size_bytes: int
    airflow_version: str | None
    python_version: str | None
    requirements: list[str]
    parts: Annotated[Mapping[str, str], Field(description="Part of the project -> digest.")]
    extra_bundles: Annotated[Mapping[str, str], Field(description="Named DAG bundle -> digest.")]
    project: Annotated[Mapping[str, Any] | None, Field(description="What the project file says.")]
    revision: Annotated[
        Mapping[str, Any] | None, Field(description="Settings and versions of environment objects; never a value.")
    ]
    git: Annotated[Mapping[str, Any] | None, Field(description="remote, branch, commit, author, message, is_dirty.")]
    checks: Annotated[Mapping[str, Any] | None, Field(description="What the checks before the switch found.")]
    is_forced: bool
    rollback_of: str | None
    rehearsal_id: str | None
    snapshot_id: str | None
    error: Mapping[str, Any] | None
    steps: list[Mapping[str, Any]]
    created_at: datetime
    live_at: datetime | None
    artefacts_removed_at: Annotated[datetime | None, Field(description="Its files went by age: no way back to it.")]


class StepLog(View):
    """What one step of a deploy said."""

    deploy: int
    step: str
    status: str
    lines: list[str]


class FileChange(View):
    """A file that differs."""

    bundle: Annotated[str, Field(description="`project`, or the name of a DAG bundle.")]
    path: str
    part: str
    change: Literal["added", "removed", "changed"]
    size_before: int | None
    size_after: int | None
    is_binary: bool
    diff: Annotated[str | None, Field(description="Unified diff; null for what is binary or too long.")]


class Change(View):
    """A value that differs; null: not there."""

    name: str
    before: str | None
    after: str | None


class DeployDiff(View):
    """What lies between two deploys."""

    deployment_id: str
    before: int
    after: int
    is_empty: bool
    files: list[FileChange]
    requirements: list[Change]
    versions: list[Change]
    settings: list[Change]
    environment: list[Change]
    bundles: list[Change]
    remarks: list[str]


class GitDeployBody(Body):
    """A project in a repository, fetched by the server."""

    url: Annotated[str, Field(min_length=1, max_length=1000, examples=["https://git.example.com/team/airflow.git"])]
    ref: Annotated[
        str | None, Field(max_length=200, description="Branch, tag or full commit; null: the default branch.")
    ] = None
    folder: Annotated[str, Field(max_length=500, description="Of the project, inside of the repository.")] = ""
    credentials: Annotated[
        str | None, Field(max_length=250, description="Name of a secret in the environment manager, never the secret.")
    ] = None
    kind: Literal["full", "dags", "packages", "bundle"] = "full"
    bundle: Annotated[str | None, Field(max_length=63)] = None
    description: Annotated[str, Field(max_length=500)] = ""
    origin: Literal["api", "cli", "ci", "page"] = "api"
    is_forced: bool = False


class _Uploaded(Body):
    """What makes an upload the same request as an earlier one: its content and what is asked for."""

    ref: str
    digest: str
    more: Mapping[str, Any]


@router.get("/deployments/{ref}/deploys", responses=NAMED)
def list_deploys(the: The, actor: Caller, ref: str, limit: Limit = 100, cursor: Cursor = None) -> Page[Deploy]:
    """List the deploys of a deployment, newest first."""
    views = the.fleet.list_deploys(actor, ref, limit=limit + 1, below=_below(cursor))
    return page_of(views, Deploy, limit, None, lambda view: f"{view.number:0{_DIGITS}}", newest=True)


def _below(cursor: str | None) -> int | None:
    """Give the number of the last deploy of the page before; only what stands below it is read."""
    if cursor is None:
        return None
    text = read_cursor(cursor)
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise malformed_cursor()
    return int(text)


@router.get("/deployments/{ref}/deploys/{number}", responses=NAMED)
def get_deploy(the: The, actor: Caller, ref: str, number: str) -> Deploy:
    """Show a deploy by number or id."""
    return Deploy.model_validate(the.fleet.get_deploy(actor, ref, number))


@router.get("/deployments/{ref}/deploys/{number}/steps/{step}/log", responses=NAMED)
def get_step_log(the: The, actor: Caller, ref: str, number: str, step: str) -> StepLog:
    """Show what a step of a deploy said, oldest line first."""
    view = the.fleet.get_deploy(actor, ref, number)
    for found in view.steps:
        if found["name"] == step:
            lines = str(found["log"]).splitlines()
            return StepLog(deploy=view.number, step=step, status=found["status"], lines=lines)
    names = ", ".join(str(found["name"]) for found in view.steps)
    raise NotFound(
        f"Deploy {view.number} has no step {step[:80]!r}.",
        code="step-not-found",
        hint=f"It has {names}." if names else "It has not begun.",
    )


@router.get("/deployments/{ref}/deploys/{before}/diff/{after}", responses=NAMED)
def diff_deploys(the: The, actor: Caller, ref: str, before: str, after: str) -> DeployDiff:
    """Say what differs between two deploys: code, requirements, versions, settings, environment objects."""
    return DeployDiff.model_validate(the.fleet.diff_deploys(actor, ref, before, after))


@router.post(
    "/deployments/{ref}/deploys",
    status_code=202,
    responses=NAMED | problems(409, 413, 503),
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "The project folder (dags/, plugins/, include/, requirements.txt, aerodrome.yaml) as tar.gz.",
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
    origin: Origin = "api",
    kind: Kind = "full",
    bundle: BundleName = None,
    forced: Annotated[bool, Query(description="Failing checks do not block.")] = False,
    git: Annotated[
        str | None, Query(max_length=4000, description="JSON: remote, branch, commit, author, message, is_dirty.")
    ] = None,
    key: Key = None,
) -> Deploy:
    """Upload a project folder and put it on the deployment; answers once the upload is kept, before it is live."""
    kind, facts = _kind(kind, bundle), _git(git)
    await run_in_threadpool(check_may_deploy, the, actor, ref)  # before reading hundreds of MB from a stranger
    with tempfile.SpooledTemporaryFile(max_size=_KEPT_IN_MEMORY) as spool:
        await receive(request, cast("BinaryIO", spool))
        kept = await run_in_threadpool(the.bundles.put_archive, cast("BinaryIO", spool), TAKEN[kind])
    more = {"kind": kind, "bundle_name": bundle, "is_forced": forced, "git": facts}
    body = _Uploaded(ref=ref, digest=kept.digest, more={**more, "description": description, "origin": origin})
    return await run_in_threadpool(
        once,
        the,
        actor,
        key,
        Deploy,
        ("create_deploy", body),
        lambda: the.fleet.deploy(actor, ref, kept, description, origin, **more),
    )


@router.post("/deployments/{ref}/git-deploys", status_code=202, responses=NAMED | problems(409, 503))
def create_git_deploy(the: The, actor: Caller, ref: str, body: GitDeployBody, key: Key = None) -> Deploy:
    """Deploy a project from a repository; it is fetched in the deploy's first step."""
    source = GitSource(body.url, body.ref, body.folder, body.credentials)
    more = {"kind": _kind(body.kind, body.bundle), "bundle_name": body.bundle, "is_forced": body.is_forced}
    return once(
        the,
        actor,
        key,
        Deploy,
        (f"create_git_deploy {ref}", body),
        lambda: the.fleet.deploy(actor, ref, None, body.description, body.origin, source=source, **more),
    )


@router.delete("/deployments/{ref}/dag-bundles/{name}", status_code=202, responses=NAMED | problems(409, 503))
def remove_dag_bundle(the: The, actor: Caller, ref: str, name: str) -> Deploy:
    """Take a named DAG bundle away, by a new deploy without it."""
    text = f"Remove the DAG bundle {name}"
    view = the.fleet.deploy(actor, ref, None, text, "api", kind="bundle", bundle_name=name)
    return Deploy.model_validate(view)


def _kind(kind: Any, bundle: str | None) -> Any:
    if bundle is not None and kind not in {"full", "bundle"}:
        raise Invalid(
            "A named DAG bundle consists of DAGs only.",
            code="deploy-kind-contradicts",
            hint="Give either `bundle` or another `kind`.",
            details={"field": "kind"},
        )
    return "bundle" if bundle is not None else kind


def _git(text: str | None) -> dict[str, Any] | None:
    """Read the facts that the sender tells about its work tree; unknown ones are dropped."""
    if text is None:
        return None
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise Invalid("`git` is not a JSON object.", code="git-facts-malformed", details={"field": "git"})
    facts: dict[str, Any] = {
        name: str(told[name]).replace("\0", "")[:500] for name in _GIT_FIELDS if told.get(name) is not None
    }
    if "remote" in facts:
        facts["remote"] = clean_url(facts["remote"])
    return {**facts, "is_dirty": bool(told.get("is_dirty"))}


async def receive(request: Request, spool: BinaryIO) -> None:
    """Take the uploaded archive; Invalid when it is not declared as one."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media not in _ARCHIVE_TYPES:
        raise Invalid(
            "The body is not declared as a tar.gz archive.",
            code="archive-type-wrong",
            hint="Send Content-Type: application/gzip, or use `aerodrome deploy PATH`.",
        )
    async for block in request.stream():
        if spool.tell() < _KEPT_IN_MEMORY:
            spool.write(block)  # memory: not worth a thread
        else:
            await run_in_threadpool(spool.write, block)
    spool.seek(0)
