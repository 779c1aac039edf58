"""Alert channels."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from aerodrome.client.models import read
from aerodrome.client.transport import Transport, segment
from aerodrome.kernel.secret import Secret


@dataclass(frozen=True)
class AlertChannel:
    """A web address that is told what happens in a workspace."""

    id: str
    workspace_id: str
    workspace_name: str
    name: str
    label: str
    events: builtins.list[str]
    created_by: str
    created_at: datetime


@dataclass(frozen=True)
class AlertDelivery:
    """One event for one channel."""

    id: str
    channel: str
    event_type: str
    text: str
    status: str  # waiting | sent | failed
    attempts: int
    error: str
    created_at: datetime
    sent_at: datetime | None


class Alerts:
    """`client.alerts`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def create(self, workspace: str, name: str, url: Secret, events: Sequence[str] = ()) -> AlertChannel:
        body = {"workspace": workspace, "name": name, "url": url.reveal(), "events": [*events]}
        return read(AlertChannel, self._http.post("/alert-channels", body))

    def list(self) -> builtins.list[AlertChannel]:
        return [read(AlertChannel, item) for item in self._http.pages("/alert-channels")]

    def delete(self, ref: str) -> None:
        self._http.delete(f"/alert-channels/{segment(ref)}")

    def test(self, ref: str) -> AlertDelivery:
        """Have a test sent; `deliveries` tells what became of it."""
        return read(AlertDelivery, self._http.post(f"/alert-channels/{segment(ref)}/test"))

    def deliveries(self, ref: str, limit: int = 50) -> builtins.list[AlertDelivery]:
        """Give the newest `limit` deliveries of a channel."""
        pages = self._http.pages(f"/alert-channels/{segment(ref)}/deliveries", {"limit": min(limit, 500)})
        return [read(AlertDelivery, item) for item in islice(pages, limit)]
