"""/deployments/{ref}/database, /deployments/{ref}/acts, /acts/{id}: the metadata database, and what is done to it step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from aerodrome.kernel.secret import Secret
from aerodrome.web.api.edge import NAMED, Body, Caller, The, View, problems

router = APIRouter(tags=["databases"])
DatabaseKind = Literal["sqlite", "postgresql", "existing"]
DatabaseUrl = Annotated[
    str | None,
    Field(max_length=4000, description="Of an existing, empty PostgreSQL database; nobody may read it back."),
]


class ActStep(View):
    """One step of an act."""

    key: str
    title: str
    status: Literal["pending", "running", "done", "failed"]
    progress: str
    started_at: datetime | None
    finished_at: datetime | None


class Act(View):
    """A move or a restore: it stops Airflow for a while and takes itself back when a step fails."""

    id: Annotated[str, Field(examples=["act_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    deployment_id: str
    kind: Literal["move", "restore", "clone", "bring-back"]
    status: Literal["queued", "running", "returning", "done", "failed"]
    title: str
    result: Mapping[str, Any]
    error: Mapping[str, Any] | None
    actor: str
    steps: Sequence[ActStep]
    created_at: datetime
    finished_at: datetime | None


class MoveBody(Body):
    """Where the metadata are to be: a SQLite file, the managed PostgreSQL server, or an existing PostgreSQL database."""

    kind: DatabaseKind
    url: DatabaseUrl = None


@router.post("/deployments/{ref}/database", status_code=202, responses=NAMED | problems(409, 503))
def move_database(the: The, actor: Caller, ref: str, body: MoveBody) -> Act:
    """Move a deployment to another metadata database by a proved copy; the old one is kept as a snapshot."""
    url = Secret(body.url) if body.url else None
    return Act.model_validate(the.fleet.move_database(actor, ref, body.kind, url))


@router.get("/deployments/{ref}/acts", responses=NAMED)
def list_acts(the: The, actor: Caller, ref: str) -> list[Act]:
    """List the newest 20 moves and restores of a deployment with their steps, newest first."""
    return [Act.model_validate(view) for view in the.fleet.list_acts(actor, ref)]


@router.get("/acts/{act_id}", responses=NAMED)
def get_act(the: The, actor: Caller, act_id: str) -> Act:
    """Show one move or restore."""
    return Act.model_validate(the.fleet.get_act(actor, act_id))
