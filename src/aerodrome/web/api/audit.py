"""/audit: who did what, newest first."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from aerodrome.kernel.errors import Invalid
from aerodrome.web.api.edge import GUARDED, Caller, Cursor, Limit, Page, The, View, read_cursor, write_cursor

router = APIRouter(tags=["audit"])


class AuditEntry(View):
    """One act."""

    seq: int
    at: datetime
    actor_id: str
    actor_name: str
    actor_kind: str
    action: Annotated[str, Field(examples=["deployment.create"])]
    target: str
    details: Mapping[str, Any]


@router.get("/audit", responses=GUARDED)
def list_audit_entries(
    *,
    the: The,
    actor: Caller,
    actor_id: Annotated[str | None, Query(max_length=60, description="Only acts of this person.")] = None,
    action: Annotated[str | None, Query(max_length=80)] = None,
    target: Annotated[str | None, Query(max_length=200, description="Only acts on this scope or below it.")] = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[AuditEntry]:
    """List acts, newest first."""
    views = the.access.list_audit(
        actor, before=_before(cursor), limit=limit + 1, actor_id=actor_id, action=action, target=target
    )
    chunk = views[:limit]
    return Page[AuditEntry](
        items=[AuditEntry.model_validate(view) for view in chunk],
        next_cursor=write_cursor(str(chunk[-1].seq)) if len(views) > limit else None,
    )


def _before(cursor: str | None) -> int | None:
    if cursor is None:
        return None
    text = read_cursor(cursor)
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise Invalid(
            "The cursor was not made by this list.", code="cursor-invalid", hint="Start again without a cursor."
        )
    return int(text)
