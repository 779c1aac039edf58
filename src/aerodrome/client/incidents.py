"""Incidents."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Literal

from aerodrome.client.models import read
from aerodrome.client.transport import Transport, segment


@dataclass(frozen=True)
class Incident:
    """Something that is or was wrong."""

    id: str
    deployment_id: str | None  # None: of the platform itself
    deployment_name: str | None
    workspace_name: str | None
    code: str
    subject: str
    severity: str  # info | warning | critical
    reason: str
    hint: str
    data: Mapping[str, Any]
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None


class Incidents:
    """`client.incidents`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def list(
        self, deployment: str | None = None, *, state: Literal["open", "closed", "all"] = "open", limit: int = 200
    ) -> builtins.list[Incident]:
        """Give the newest `limit` incidents of a deployment (id or name), or of all and of the platform."""
        path = "/incidents" if deployment is None else f"/deployments/{segment(deployment)}/incidents"
        pages = self._http.pages(path, {"state": state, "limit": min(limit, 500)})
        return [read(Incident, item) for item in islice(pages, limit)]
