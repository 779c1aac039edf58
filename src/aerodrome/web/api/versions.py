"""/deployments/{ref}/versions, /rehearsals, /upgrade and /deploys/{number}/rollback: other versions, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from aerodrome.fleet.versions import Change
from aerodrome.web.api.deploys import Deploy
from aerodrome.web.api.edge import NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems

router = APIRouter(tags=["versions"])
Version = Annotated[str, Field(max_length=40, examples=["3.3.2"])]


class VersionChoice(View):
    """An Airflow version, and how the deployment could get there."""

    airflow_version: Version
    pythons: list[str]
    way: Annotated[Literal["none", "forward", "back"], Field(description="none: the deployment has this one.")]
    is_possible: Annotated[bool, Field(description="A way back needs the snapshot from when it left that version.")]


class Rehearsal(View):
    """A change of version, tried on a copy."""

    id: Annotated[str, Field(examples=["reh_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    deployment_id: str
    kind: Literal["upgrade", "rollback"]
    status: Annotated[
        Literal["queued", "running", "passed", "refused", "failed"],
        Field(description="refused: it found problems; failed: it could not be done."),
    ]
    from_version: str
    to_version: str
    python_version: str
    rollback_of: Annotated[str | None, Field(description="The deploy that a rollback would bring back.")]
    log: str
    report: Annotated[
        Mapping[str, Any] | None,
        Field(description="problems, database, dags, packages, config, scheduling, and for a way back: loss."),
    ]
    error: Mapping[str, Any] | None
    actor: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


class RehearsalBody(Body):
    """What to try: an upgrade to a version, or the way back to a deploy."""

    to: Version | None = None
    python: Annotated[str, Field(max_length=20, examples=["3.12"])] | None = None
    deploy: Annotated[str, Field(max_length=60, description="Number or id of the deploy to go back to.")] | None = None


class UpgradeBody(Body):
    """The upgrade that is wanted."""

    to: Version | None = None
    python: Annotated[str, Field(max_length=20, examples=["3.12"])] | None = None
    rehearsal_id: Annotated[
        str | None, Field(max_length=60, description="One that passed; without it the deploy rehearses by itself.")
    ] = None
    description: Annotated[str, Field(max_length=500)] = ""
    origin: Literal["api", "cli"] = "api"
    force: Annotated[bool, Field(description="Go on although checks or the rehearsal find problems.")] = False


class RollbackBody(Body):
    """How a deploy comes back."""

    with_configuration: Annotated[bool, Field(description="Its settings and environment objects too.")] = False
    rehearsal_id: Annotated[str | None, Field(max_length=60)] = None
    description: Annotated[str, Field(max_length=500)] = ""
    origin: Literal["api", "cli"] = "api"
    force: bool = False


@router.get("/deployments/{ref}/versions", responses=NAMED)
def list_versions(the: The, actor: Caller, ref: str) -> list[VersionChoice]:
    """List every Airflow version, newest first, and whether the deployment can get there."""
    return [VersionChoice.model_validate(choice) for choice in the.fleet.list_versions(actor, ref)]


@router.get("/deployments/{ref}/rehearsals", responses=NAMED)
def list_rehearsals(the: The, actor: Caller, ref: str, limit: Limit = 100, cursor: Cursor = None) -> Page[Rehearsal]:
    """List the rehearsals of a deployment, newest first."""
    views = the.fleet.list_rehearsals(actor, ref)
    return page_of(views, Rehearsal, limit, cursor, lambda view: view.id, newest=True)


@router.get("/deployments/{ref}/rehearsals/{rehearsal_id}", responses=NAMED)
def get_rehearsal(the: The, actor: Caller, ref: str, rehearsal_id: str) -> Rehearsal:
    """Show a rehearsal: its log while it runs, then its report."""
    return Rehearsal.model_validate(the.fleet.get_rehearsal(actor, ref, rehearsal_id))


@router.post("/deployments/{ref}/rehearsals", status_code=202, responses=NAMED | problems(409))
def rehearse(the: The, actor: Caller, ref: str, body: RehearsalBody) -> Rehearsal:
    """Try a change of version on a copy; the deployment itself is only read."""
    change = Change(to=body.to, python=body.python, deploy=body.deploy)
    return Rehearsal.model_validate(the.fleet.rehearse(actor, ref, change))


@router.post("/deployments/{ref}/upgrade", status_code=202, responses=NAMED | problems(409))
def upgrade_deployment(the: The, actor: Caller, ref: str, body: UpgradeBody) -> Deploy:
    """Take another Airflow or Python version: a deploy that is rehearsed, keeps a snapshot, and goes back when it fails."""
    change = Change(
        to=body.to,
        python=body.python,
        rehearsal_id=body.rehearsal_id,
        description=body.description,
        origin=body.origin,
        is_forced=body.force,
    )
    return Deploy.model_validate(the.fleet.upgrade(actor, ref, change))


@router.post("/deployments/{ref}/deploys/{number}/rollback", status_code=202, responses=NAMED | problems(409))
def roll_back(the: The, actor: Caller, ref: str, number: str, body: RollbackBody) -> Deploy:
    """Bring an earlier deploy back as a new one, across Airflow versions too."""
    change = Change(
        deploy=number,
        with_configuration=body.with_configuration,
        rehearsal_id=body.rehearsal_id,
        description=body.description,
        origin=body.origin,
        is_forced=body.force,
    )
    return Deploy.model_validate(the.fleet.roll_back(actor, ref, change))
