"""Frozen views that fleet gives to the API, the pages and the migration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal


@dataclass(frozen=True)
class WorkspaceView:
    """A workspace."""

    id: str
    name: str
    description: str
    created_at: datetime
    deployment_count: int


@dataclass(frozen=True)
class ClusterView:
    """Where deployments run; `local` is this machine."""

    id: str
    name: str
    kind: str  # local | kubernetes
    created_at: datetime


@dataclass(frozen=True)
class ComponentView:
    """One process of a deployment as last seen."""

    name: str
    state: str
    pid: int | None
    started_at: datetime | None
    restarts: int
    reason: str | None


@dataclass(frozen=True)
class DeploymentView:
    """A deployment: what is wanted (desired) and what was seen (health, components), kept apart."""

    id: str
    name: str
    workspace_id: str
    workspace_name: str
    cluster_name: str
    airflow_version: str
    python_version: str
    executor: str
    parallelism: int
    env: Mapping[str, Any]  # name -> value, masked for secrets
    config: Mapping[str, str]
    desired: Literal["running", "hibernated", "deleted"]
    # creating | deploying | starting | healthy | degraded | unhealthy | hibernating | hibernated | deleting | failed
    status: str
    reasons: tuple[str, ...]
    components: tuple[ComponentView, ...]
    generation: int
    observed_generation: int | None
    current_deploy_id: str | None
    airflow_url: str | None  # path on the gate, opens Airflow's UI signed in
    created_at: datetime
    updated_at: datetime
    observed_at: datetime | None
    description: str = ""
    database: str = "sqlite"  # sqlite | postgresql | existing
    drain_s: int = 60
    log_retention_days: int = 90
    pools: Mapping[str, int] = field(default_factory=dict)
    upkeep: Mapping[str, Any] = field(default_factory=dict)  # clean_days, cleans; empty: old rows are kept for ever
    error: Mapping[str, Any] | None = None  # code, message, hint of what keeps the wish from coming true


@dataclass(frozen=True)
class DeployView:
    """One immutable version put on a deployment."""

    id: str
    deployment_id: str
    number: int  # 1, 2, 3 … within the deployment
    status: Literal["queued", "building", "switching", "returning", "live", "superseded", "failed"]
    bundle_digest: str
    # what differs from the deploy before; dags: only dags/, nothing restarts
    kind: Literal["full", "dags", "packages", "bundle"]
    description: str
    actor: str
    origin: str  # cli | api | page | ci | migration
    file_count: int
    size_bytes: int
    error: Mapping[str, Any] | None
    steps: tuple[Mapping[str, Any], ...]  # name, status, started_at, finished_at, log
    created_at: datetime
    live_at: datetime | None
    cause: Literal["deploy", "rollback", "upgrade"] = "deploy"
    airflow_version: str | None = None  # None in deploys from before versions were recorded
    python_version: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)  # part of the project -> digest
    requirements: tuple[str, ...] = ()
    extra_bundles: Mapping[str, str] = field(default_factory=dict)  # named DAG bundle -> bundle digest
    project: Mapping[str, Any] | None = None  # what the project file says: env, config, system_packages, remarks
    revision: Mapping[str, Any] | None = None  # settings and versions of environment objects; never a secret value
    git: Mapping[str, Any] | None = None  # remote, branch, commit, author, message, is_dirty
    checks: Mapping[str, Any] | None = None  # what the checks before the switch found
    is_forced: bool = False
    rollback_of: str | None = None  # the deploy whose state this one brought back
    rehearsal_id: str | None = None
    snapshot_id: str | None = None
    conversion: Mapping[str, Any] | None = None  # what a change of version did to the metadata database
    artefacts_removed_at: datetime | None = None  # its files went by age: it cannot be rolled back to


@dataclass(frozen=True)
class VersionChoice:
    """An Airflow version, and how a deployment could get there."""

    airflow_version: str
    pythons: tuple[str, ...]
    way: Literal["none", "forward", "back"]  # none: it has this one
    is_possible: bool  # a way back needs a snapshot from when it left that version


@dataclass(frozen=True)
class RehearsalView:
    """A change of version that was tried on a copy."""

    id: str
    deployment_id: str
    kind: Literal["upgrade", "rollback"]
    status: Literal["queued", "running", "passed", "refused", "failed"]
    from_version: str
    to_version: str
    python_version: str
    rollback_of: str | None  # the deploy that would come back
    log: str
    report: Mapping[str, Any] | None  # see runtimes/contract.py, Rehearsal
    error: Mapping[str, Any] | None
    actor: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
