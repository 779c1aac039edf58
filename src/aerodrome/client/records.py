"""What is on record: audit entries, events, jobs, and whether the server is there."""

from __future__ import annotations

import builtins
from itertools import islice

from aerodrome.client.models import AuditEntry, Event, Health, Job, read
from aerodrome.client.transport import Params, Transport


class Records:
    """`client.records`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def health(self) -> Health:
        return read(Health, self._http.get("/health"))

    def audit(
        self, limit: int = 100, *, target: str | None = None, actor_id: str | None = None, action: str | None = None
    ) -> builtins.list[AuditEntry]:
        """Give the newest audit entries, newest first."""
        only: Params = {"target": target, "actor_id": actor_id, "action": action, "limit": min(limit, 500)}
        pages = self._http.pages("/audit", only)
        return [read(AuditEntry, item) for item in islice(pages, limit)]

    def events(self, after: int = 0, *, subject: str | None = None, limit: int = 100) -> builtins.list[Event]:
        """Give events after a sequence number, oldest first."""
        page = self._http.get("/events", {"after": after, "subject": subject, "limit": limit})
        return [read(Event, item) for item in page["items"]]

    def jobs(self, kind: str | None = None) -> builtins.list[Job]:
        return [read(Job, item) for item in self._http.pages("/jobs", {"kind": kind})]
