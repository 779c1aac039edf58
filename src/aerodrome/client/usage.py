"""What DAGs need, and whether a project could be deployed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aerodrome.client.models import read
from aerodrome.client.packing import MEDIA_TYPE, pack
from aerodrome.client.transport import Transport, segment


@dataclass(frozen=True)
class UsePlace:
    file: str
    line: int | None
    via: str
    is_required: bool
    dag_ids: tuple[str, ...]


@dataclass(frozen=True)
class UsedObject:
    kind: str
    name: str
    is_required: bool
    is_missing: bool
    dag_ids: tuple[str, ...]
    places: tuple[UsePlace, ...]


@dataclass(frozen=True)
class Usage:
    deployment_id: str
    deployment_name: str
    deploy_number: int | None
    live_at: datetime | None
    objects: tuple[UsedObject, ...]


@dataclass(frozen=True)
class CheckFinding:
    code: str
    severity: str
    subject: str
    message: str
    hint: str
    file: str
    line: int | None
    kind: str
    dag_ids: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class CheckedDag:
    dag_id: str
    file: str


@dataclass(frozen=True)
class CheckResult:
    is_blocking: bool
    counts: dict[str, int]
    findings: tuple[CheckFinding, ...]
    dags: tuple[CheckedDag, ...]
    airflow_version: str
    seconds: float


class UsageOfDags:
    """`client.usage`."""

    def __init__(self, http: Transport) -> None:
        self._http = http

    def of_deployment(self, deployment: str, kind: str | None = None) -> Usage:
        """Give what the live deploy needs."""
        return read(Usage, self._http.get(f"/deployments/{segment(deployment)}/usage", {"kind": kind}))

    def of_object(self, kind: str, name: str) -> list[Usage]:
        """Give the deployments whose DAGs name the object."""
        return [read(Usage, item) for item in self._http.get("/usage", {"kind": kind, "name": name})]

    def check(
        self,
        deployment: str,
        folder: Path,
        *,
        kind: str = "full",
        bundle: str | None = None,
        progress: Callable[[int, int], None] = lambda _done, _all: None,
    ) -> CheckResult:
        """Upload a project folder and have it checked as a deploy would be; nothing is deployed."""
        path = f"/deployments/{segment(deployment)}/checks"
        params: dict[str, str | int | None] = {"kind": kind, "bundle": bundle}
        return read(CheckResult, self._http.upload(path, params, pack(folder, progress), MEDIA_TYPE))
