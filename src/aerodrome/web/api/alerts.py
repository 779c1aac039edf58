"""/alert-channels: whom the platform tells what, and what it has told."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field, SecretStr

from aerodrome.kernel.secret import Secret
from aerodrome.web.api.edge import GUARDED, NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems

router = APIRouter(tags=["alerts"])


class AlertChannel(View):
    """A web address that is told what happens in a workspace. The address itself cannot be read back."""

    id: Annotated[str, Field(examples=["alc_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    workspace_id: str
    workspace_name: str
    name: str
    label: Annotated[str, Field(description="Scheme, host and port of the address.")]
    events: Annotated[list[str], Field(description="Patterns of event types.", examples=[["migration.*"]])]
    created_by: str
    created_at: datetime


class AlertDelivery(View):
    """One event for one channel."""

    id: str
    channel: str
    event_type: str
    text: str
    status: Literal["waiting", "sent", "failed"]
    attempts: int
    error: Annotated[str, Field(description="Why the last attempt did not work.")]
    created_at: datetime
    sent_at: datetime | None


class NewAlertChannel(Body):
    """A channel to make."""

    workspace: Annotated[str, Field(min_length=1, max_length=100)]
    name: Annotated[str, Field(min_length=1, max_length=100, examples=["on-call"])]
    url: Annotated[SecretStr, Field(min_length=1, max_length=2000, description="It takes events by POST, as JSON.")]
    events: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=100)]],
        Field(max_length=50, description="Patterns of event types; empty: all that needs somebody."),
    ] = Field(default_factory=list)


@router.get("/alert-channels", responses=GUARDED)
def list_alert_channels(the: The, actor: Caller, limit: Limit = 100, cursor: Cursor = None) -> Page[AlertChannel]:
    """List the alert channels that you may see, in the order in which they were made."""
    return page_of(the.alerts.list(actor), AlertChannel, limit, cursor, lambda view: view.id)


@router.post("/alert-channels", status_code=201, responses=NAMED | problems(409))
def create_alert_channel(the: The, actor: Caller, body: NewAlertChannel) -> AlertChannel:
    """Make a channel; what happened before is not told."""
    url = Secret(body.url.get_secret_value())
    return AlertChannel.model_validate(the.alerts.create(actor, body.workspace, body.name, url, body.events))


@router.delete("/alert-channels/{ref}", status_code=204, responses=NAMED | problems(409))
def delete_alert_channel(the: The, actor: Caller, ref: str) -> None:
    """Forget a channel, its address and what it was told."""
    the.alerts.delete(actor, ref)


@router.post("/alert-channels/{ref}/test", status_code=202, responses=NAMED | problems(409))
def send_test_alert(the: The, actor: Caller, ref: str) -> AlertDelivery:
    """Send a test; the deliveries tell what became of it."""
    return AlertDelivery.model_validate(the.alerts.test(actor, ref))


@router.get("/alert-channels/{ref}/deliveries", responses=NAMED | problems(409))
def list_alert_deliveries(
    the: The, actor: Caller, ref: str, limit: Limit = 100, cursor: Cursor = None
) -> Page[AlertDelivery]:
    """List what a channel was told in the last 30 days, newest first."""
    views = the.alerts.deliveries(actor, ref)
    return page_of(views, AlertDelivery, limit, cursor, lambda view: view.id, newest=True)
