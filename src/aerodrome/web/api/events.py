"""/events: what happened, in order, as pages or as a stream that stays open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import Field

from aerodrome.access.permissions import require
from aerodrome.store import outbox
from aerodrome.web.api.edge import GUARDED, Caller, Limit, The, View
from aerodrome.web.platform import Platform

router = APIRouter(tags=["events"])
_LOOK_EVERY_S = 1.0
_BATCH = 200
After = Annotated[int, Query(ge=0, le=2**53, description="Only events with a greater `seq`.")]
Subject = Annotated[str | None, Query(max_length=200, description="Only events about this id.")]


class Event(View):
    """One thing that happened."""

    seq: int
    id: str
    at: datetime
    type: Annotated[str, Field(examples=["deploy.live"])]
    subject: str
    actor: str
    data: Mapping[str, Any]


class EventPage(View):
    """Events in order; give `last_seq` as `after` to read on."""

    items: list[Event]
    last_seq: int


@router.get("/events", responses=GUARDED)
def list_events(the: The, actor: Caller, after: After = 0, subject: Subject = None, limit: Limit = 100) -> EventPage:
    """List events after a sequence number, oldest first."""
    require(actor, "events.read", "")
    events = _read(the, after, limit, subject)
    return EventPage(
        items=[Event.model_validate(event) for event in events], last_seq=events[-1].seq if events else after
    )


@router.get("/events/stream", response_class=EventSourceResponse, responses=GUARDED)
async def stream_events(
    *,
    request: Request,
    the: The,
    actor: Caller,
    after: After | None = None,
    subject: Subject = None,
    last_event_id: Annotated[int | None, Header(ge=0, le=2**53)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """Stream events as they happen; a browser that reconnects goes on where it was (Last-Event-ID)."""
    require(actor, "events.read", "")
    seen = last_event_id if last_event_id is not None else after
    if seen is None:
        seen = await run_in_threadpool(_newest, the)
    while not await request.is_disconnected():
        for event in await run_in_threadpool(_read, the, seen, _BATCH, subject):
            seen = event.seq
            data = Event.model_validate(event).model_dump(mode="json")
            yield ServerSentEvent(data=data, event=event.type, id=str(event.seq))
        await asyncio.sleep(_LOOK_EVERY_S)


def _read(the: Platform, after: int, limit: int, subject: str | None) -> list[outbox.Event]:
    with the.store.reading() as session:
        return outbox.read(session, after, limit, subject=subject)


def _newest(the: Platform) -> int:
    with the.store.reading() as session:
        return outbox.last_seq(session)
