"""Frozen views that the migration service gives to the API, the pages, the CLI and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

StepStatus = Literal["pending", "running", "done", "failed"]
TrackStatus = Literal["pending", "running", "done", "failed", "stopped"]


@dataclass(frozen=True)
class StepView:
    """One journal step."""

    key: str
    phase: str
    kind: str
    title: str
    status: StepStatus
    attempts: int
    progress: str | None  # "12,000 of 40,000 task instances"
    started_at: datetime | None
    finished_at: datetime | None
    result: Mapping[str, Any] | None
    error: Mapping[str, Any] | None  # code, message, hint


@dataclass(frozen=True)
class TrackView:
    """One walk over a list of steps: "apply", "cutover:<wave>" or "rollback:<wave>"."""

    name: str
    status: TrackStatus
    steps: tuple[StepView, ...]

    @property
    def done_count(self) -> int:
        return sum(step.status == "done" for step in self.steps)


@dataclass(frozen=True)
class MigrationView:
    """A migration: a source, its frozen estate, a plan, and how far the work has come."""

    id: str
    name: str
    workspace_id: str
    source_kind: str
    source_label: str  # redacted
    source_version: str | None
    target_deployment_id: str | None
    target_version: str | None
    status: Literal[
        "connected",
        "assessing",
        "assessed",
        "planned",
        "applying",
        "applied",
        "cutting-over",
        "rolling-back",
        "done",
        "failed",
    ]
    estate_digest: str | None
    plan_digest: str | None
    found: Mapping[str, int]  # record kind -> count, plus run, task_instance, …
    findings: Mapping[str, int]  # severity -> count
    waves: tuple[str, ...]
    tracks: tuple[TrackView, ...]
    error: Mapping[str, Any] | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class PlanView:
    """The plan as people edit it and as apply runs it."""

    text: str
    digest: str
    estate_digest: str
    steps: tuple[Mapping[str, Any], ...]
    waves: Mapping[str, tuple[Mapping[str, Any], ...]]
    notes: tuple[str, ...] = ()  # remarks that hinder nothing, such as dependent DAGs in different waves
