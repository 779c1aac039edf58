"""What callers hand to fleet's commands. Plain values; fleet checks them and names the wrong field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from aerodrome.kernel.secret import Secret


@dataclass(frozen=True)
class NewDeployment:
    """A wish for a new Airflow. None means: the platform's default."""

    name: str
    workspace: str  # id or name
    airflow_version: str | None = None
    python_version: str | None = None
    cluster: str = "local"
    parallelism: int = 4
    env: Mapping[str, str | Secret] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)  # "section.option" -> value
    description: str = ""


@dataclass(frozen=True)
class DeploymentChanges:
    """Changes of a deployment. None means: leave as it is; `config` replaces the whole mapping."""

    name: str | None = None
    description: str | None = None
    airflow_version: str | None = None
    python_version: str | None = None
    parallelism: int | None = None
    config: Mapping[str, str] | None = None
