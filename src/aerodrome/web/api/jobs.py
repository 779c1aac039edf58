"""/jobs: the worker's table, for operators."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from aerodrome.access.permissions import require
from aerodrome.store import jobs
from aerodrome.web.api.edge import GUARDED, Caller, Cursor, Limit, Page, The, View, page_of

router = APIRouter(tags=["jobs"])
_MOST = 10_000


class Job(View):
    """A wish to look at something, and how its last tries went."""

    id: str
    kind: Annotated[str, Field(examples=["deployment.reconcile"])]
    key: str
    lane: str | None
    state: Annotated[str, Field(examples=["waiting"])]
    run_at: datetime | None
    attempts: int
    lease_owner: str | None
    lease_until: datetime | None
    last_error: Mapping[str, Any] | None
    created_at: datetime


@router.get("/jobs", responses=GUARDED)
def list_jobs(
    the: The,
    actor: Caller,
    kind: Annotated[str | None, Query(max_length=80)] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Job]:
    """List the jobs that wait, run or are parked after a failure."""
    require(actor, "jobs.read", "")
    with the.store.reading() as session:
        views = jobs.view(session, kind, _MOST)
    return page_of(views, Job, limit, cursor, lambda view: view.id)
