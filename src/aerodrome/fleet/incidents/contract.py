"""What the watcher looks at, the limits it judges by, and what it finds. Frozen; used by rules, watch and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from aerodrome.runtimes.contract import Measurement

Severity = Literal["info", "warning", "critical"]
PLATFORM: Final = "platform"
"""The scope of incidents that no deployment owns."""


@dataclass(frozen=True)
class Limits:
    """When something counts as wrong."""

    watch_every_s: float = 20.0
    thorough_every_s: float = 300.0
    calm_s: float = 45.0  # a trouble is over when it was not seen for so long
    heartbeat_late_s: float = 60.0
    heartbeat_missing_s: float = 180.0
    restarts: int = 3  # of one component …
    restarts_within_s: float = 600.0  # … in so long are a loop
    database_bytes: int = 20 << 30
    queue_wait_s: float = 300.0
    parse_age_s: float = 600.0
    parse_s: float = 30.0
    disk_warning_share: float = 0.10
    disk_critical_share: float = 0.03
    backup_late_s: float = 3600.0


@dataclass(frozen=True)
class Backups:
    """What is known about the scheduled backups of a deployment."""

    due_at: datetime | None = None  # the last moment at which one should have begun; None: no schedule
    last_kept_at: datetime | None = None
    last_failure: Mapping[str, Any] | None = None  # the error of the newest one, when it failed


@dataclass(frozen=True)
class Look:
    """All that is known about one deployment at one moment."""

    now: datetime
    name: str
    desired: str
    status: str
    parallelism: int
    error: Mapping[str, Any] | None
    health: str | None
    reasons: tuple[str, ...]
    components: tuple[Mapping[str, Any], ...]  # of the observation
    deploy_number: int | None
    measurement: Measurement | None
    trouble: str | None = None  # why there is no measurement
    backups: Backups = field(default_factory=Backups)
    disk_is_shared: bool = True  # with the platform's home, which has an incident of its own


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong now. `code` and `subject` name it."""

    code: str
    severity: Severity
    reason: str  # a sentence
    hint: str
    subject: str = ""
    patience_s: float = 0.0  # it must be seen for so long before it becomes an incident
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.code}/{self.subject}"


@dataclass(frozen=True)
class Verdict:
    """What a look showed: the problems, and the codes about which nothing could be said (they stay as they are)."""

    problems: tuple[Problem, ...]
    blind: frozenset[str]
    memory: Mapping[str, Any]  # JSON, given back at the next look


@dataclass(frozen=True)
class IncidentView:
    """An incident as people see it."""

    id: str
    deployment_id: str | None  # None: of the platform
    deployment_name: str | None
    workspace_name: str | None
    code: str
    subject: str
    severity: str
    reason: str
    hint: str
    data: Mapping[str, Any]
    opened_at: datetime
    last_seen_at: datetime
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None
