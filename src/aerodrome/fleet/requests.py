"""What callers hand to fleet's commands. Plain values; fleet checks them and names the wrong field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aerodrome.builds.contract import Bundle
from aerodrome.builds.git import GitSource
from aerodrome.kernel.secret import Secret

DeployKind = Literal["full", "dags", "packages", "bundle"]
Cause = Literal["deploy", "rollback", "upgrade"]


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
    database: str = "sqlite"  # sqlite | postgresql | existing
    database_url: Secret | None = None  # of an existing PostgreSQL database


@dataclass(frozen=True)
class DeploymentChanges:
    """Changes of a deployment. None means: leave as it is; `config` replaces the whole mapping."""

    name: str | None = None
    description: str | None = None
    airflow_version: str | None = None
    python_version: str | None = None
    parallelism: int | None = None
    config: Mapping[str, str] | None = None
    drain_s: int | None = None
    log_retention_days: int | None = None
    pools: Mapping[str, int] | None = None
    upkeep: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class NewDeploy:
    """A wish for the next version of a deployment. What is None stays as in the deploy before (the newest not failed).

    `kind` says which part of `bundle` is taken: full: all of it; dags: only dags/; packages: only requirements.txt,
    packages.txt and the project file; bundle: its dags/ becomes the named DAG bundle `bundle_name` (None: remove it).
    """

    bundle: Bundle | None = None
    kind: DeployKind = "full"
    bundle_name: str | None = None
    extra_bundles: Mapping[str, str] | None = None  # replaces all named bundles: name -> digest of a kept bundle
    airflow_version: str | None = None  # None: the project file's, else what the deployment has (or is about to)
    python_version: str | None = None
    description: str = ""
    origin: str = "api"  # cli | api | page | ci | migration
    cause: Cause = "deploy"
    source: GitSource | None = None  # fetch the project from a repository, in the deploy's first step
    git: Mapping[str, Any] | None = None  # remote, branch, commit, author, message, is_dirty
    is_forced: bool = False  # failing checks do not block
    check_policy: Literal["block", "record"] = "block"  # record: the checks write down what they find and block nothing
    rollback_of: str | None = None  # id of the deploy whose state comes back
    rehearsal_id: str | None = None
    revision: Mapping[str, Any] | None = None  # None: `revisions.take` of the deployment as it is
