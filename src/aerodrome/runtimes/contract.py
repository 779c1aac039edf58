"""What every runtime offers: make a spec true, tell what is true, stop, show logs.

Called by fleet's reconciler. A runtime never touches the platform's database or settings, and calls nobody back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from aerodrome.kernel.secret import Secret

Health = Literal["healthy", "starting", "degraded", "unhealthy", "stopped", "missing"]


@dataclass(frozen=True)
class RuntimeSpec:
    """All that a runtime needs to run one Airflow. Equal specs are the same wish; `generation` only orders them."""

    deployment_id: str
    generation: int
    airflow_version: str  # "3.3.2"
    python_version: str  # "3.11"
    venv: Path  # ready virtualenv that holds this Airflow
    project: (
        Path | None
    )  # folder of the current deploy's bundle (dags/, plugins/, include/ below), None before the first
    bundle_digest: str | None  # digest of that bundle; a change that touches only dags/ must not restart anything
    fernet_key: Secret
    signing_key: Secret  # Ed25519 private key (PEM) of the control plane for this deployment's API tokens
    database_url: Secret | None = None  # None: SQLite inside the deployment's own folder
    env: Mapping[str, str | Secret] = field(default_factory=dict)  # environment variables, Airflow config ones included
    config: Mapping[str, str] = field(default_factory=dict)  # "section.option" -> value, wins over our defaults
    parallelism: int = 4
    public_url: str | None = None  # where people reach this Airflow's UI, behind the gate; path included
    is_running: bool = True  # False: hibernated


@dataclass(frozen=True)
class ComponentObservation:
    """One process of a deployment."""

    name: str  # scheduler, api-server, webserver, dag-processor, triggerer
    state: Literal["running", "starting", "backing-off", "stopped", "failed"]
    pid: int | None
    started_at: datetime | None
    restarts: int
    last_exit_code: int | None
    reason: str | None


@dataclass(frozen=True)
class Observation:
    """What is true about one deployment now."""

    deployment_id: str
    health: Health
    reasons: tuple[str, ...]  # a sentence each, empty when healthy
    generation: int | None  # generation that the running processes have
    airflow_version: str | None
    base_url: str | None  # loopback URL of this Airflow's own web/API server
    components: tuple[ComponentObservation, ...]
    observed_at: datetime


@dataclass(frozen=True)
class AirflowAccess:
    """How the control plane reaches one running Airflow: its API and its metadata database."""

    base_url: str
    airflow_version: str
    database_url: Secret  # SQLAlchemy URL (sqlite:///… or postgresql+psycopg://…)
    fernet_key: Secret
    signing_key: Secret


class Runtime(Protocol):
    """Four verbs and a few looks. All are idempotent and safe to repeat after a crash at any line."""

    def apply(self, spec: RuntimeSpec) -> None:
        """Make the spec true: returns once the wish is durably handed over, does not wait until Airflow is healthy."""
        ...

    def observe(self, deployment_id: str) -> Observation:
        """Tell what is true now, in well under a second; never raises because Airflow is down."""
        ...

    def stop(self, deployment_id: str, grace_s: float) -> None:
        """Stop all processes: TERM, wait up to `grace_s`, KILL. Leaves files and data."""
        ...

    def delete(self, deployment_id: str) -> None:
        """Stop and remove everything that this runtime keeps for the deployment, its metadata database file included."""
        ...

    def logs(self, deployment_id: str, component: str, tail: int) -> Iterator[str]:
        """Give the last `tail` lines of a component's log, oldest first; NotFound for an unknown component."""
        ...

    def access(self, spec: RuntimeSpec) -> AirflowAccess:
        """Tell how to reach this Airflow; Unavailable before its first start."""
        ...
