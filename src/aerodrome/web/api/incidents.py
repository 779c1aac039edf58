"""/incidents and /deployments/{ref}/incidents: what is or was wrong, since when, why, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from aerodrome.fleet.incidents.contract import IncidentView
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import Invalid
from aerodrome.web.api.edge import GUARDED, NAMED, Caller, Cursor, Limit, Page, The, View, read_cursor, write_cursor

router = APIRouter(tags=["incidents"])
State = Annotated[Literal["open", "closed", "all"], Query(description="Only open ones, only closed ones, or both.")]


class Incident(View):
    """Something that was wrong, from when it was first seen until it was gone."""

    id: Annotated[str, Field(examples=["inc_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    deployment_id: Annotated[str | None, Field(description="Null: of the platform itself.")]
    deployment_name: str | None
    workspace_name: str | None
    code: Annotated[str, Field(examples=["import-errors"])]
    subject: Annotated[str, Field(description="The component or pool that it is about, if any.")]
    severity: Literal["info", "warning", "critical"]
    reason: str
    hint: str
    data: Mapping[str, Any]
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None


@router.get("/incidents", responses=GUARDED)
def list_incidents(
    the: The, actor: Caller, state: State = "open", limit: Limit = 100, cursor: Cursor = None
) -> Page[Incident]:
    """List incidents of the platform and of all deployments that you may see, newest first."""
    views = the.fleet.list_incidents(actor, is_open=_is_open(state), limit=limit + 1, before=_before(cursor))
    return _page(views, limit)


@router.get("/deployments/{ref}/incidents", responses=NAMED)
def list_deployment_incidents(
    the: The, actor: Caller, ref: str, state: State = "open", limit: Limit = 100, cursor: Cursor = None
) -> Page[Incident]:
    """List the incidents of a deployment, newest first."""
    views = the.fleet.deployment_incidents(actor, ref, is_open=_is_open(state), limit=limit + 1, before=_before(cursor))
    return _page(views, limit)


def _is_open(state: str) -> bool | None:
    return {"open": True, "closed": False}.get(state)


def _before(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    at, _, incident_id = read_cursor(cursor).partition("|")
    try:
        moment = from_text(at)
    except ValueError:
        moment = None
    if moment is None:
        raise Invalid(
            "The cursor was not made by this server.", code="cursor-invalid", hint="Start again without a cursor."
        )
    return moment, incident_id


def _page(views: Sequence[IncidentView], limit: int) -> Page[Incident]:
    chunk = views[:limit]
    following = write_cursor(f"{to_text(chunk[-1].opened_at)}|{chunk[-1].id}") if len(views) > limit else None
    return Page[Incident](items=[Incident.model_validate(view) for view in chunk], next_cursor=following)
