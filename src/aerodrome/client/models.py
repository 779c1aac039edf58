"""What the API answers, as frozen dataclasses; read from JSON by `read`. Unknown members are ignored."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache
from typing import Any, Literal, TypeVar, Union, cast

from aerodrome.kernel.clock import from_text
from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret

T = TypeVar("T")


@dataclass(frozen=True)
class Workspace:
    id: str
    name: str
    description: str
    created_at: datetime
    deployment_count: int


@dataclass(frozen=True)
class Cluster:
    id: str
    name: str
    kind: str
    created_at: datetime


@dataclass(frozen=True)
class Component:
    name: str
    state: str
    pid: int | None
    started_at: datetime | None
    restarts: int
    reason: str | None


@dataclass(frozen=True)
class Deployment:
    id: str
    name: str
    workspace_id: str
    workspace_name: str
    cluster_name: str
    airflow_version: str
    python_version: str
    executor: str
    parallelism: int
    env: Mapping[str, Any]  # secret values are masked
    config: Mapping[str, str]
    description: str
    database: str  # sqlite | postgresql | existing
    drain_s: int
    log_retention_days: int
    pools: Mapping[str, int]
    upkeep: Mapping[str, Any]
    desired: str  # running | hibernated | deleted
    status: str  # creating | deploying | healthy | degraded | unhealthy | hibernated | deleting | failed
    reasons: tuple[str, ...]
    components: tuple[Component, ...]
    generation: int
    observed_generation: int | None
    current_deploy_id: str | None
    airflow_url: str | None
    created_at: datetime
    updated_at: datetime
    observed_at: datetime | None


@dataclass(frozen=True)
class Deploy:
    id: str
    deployment_id: str
    number: int
    status: str  # queued | building | switching | returning | live | superseded | failed
    bundle_digest: str
    kind: str  # full | dags | packages | bundle: what differs from the deploy before
    cause: str  # deploy | rollback | upgrade
    description: str
    actor: str
    origin: str  # cli | api | page | ci | migration
    file_count: int
    size_bytes: int
    airflow_version: str | None
    python_version: str | None
    requirements: tuple[str, ...]
    extra_bundles: Mapping[str, str]  # named DAG bundle -> digest
    project: Mapping[str, Any] | None  # what the project file says
    revision: Mapping[str, Any] | None
    git: Mapping[str, Any] | None  # remote, branch, commit, author, message, is_dirty
    checks: Mapping[str, Any] | None
    is_forced: bool
    rollback_of: str | None
    snapshot_id: str | None
    error: Mapping[str, Any] | None
    steps: tuple[Mapping[str, Any], ...]
    created_at: datetime
    live_at: datetime | None
    artefacts_removed_at: datetime | None  # its files went by age


@dataclass(frozen=True)
class VersionChoice:
    airflow_version: str
    pythons: tuple[str, ...]
    way: str  # none | forward | back
    is_possible: bool


@dataclass(frozen=True)
class Rehearsal:
    """A change of version that was tried on a copy."""

    id: str
    deployment_id: str
    kind: str  # upgrade | rollback
    status: str  # queued | running | passed | refused | failed
    from_version: str
    to_version: str
    python_version: str
    rollback_of: str | None
    log: str
    report: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    actor: str
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class StepLog:
    deploy: int
    step: str
    status: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class FileChange:
    bundle: str
    path: str
    part: str
    change: str  # added | removed | changed
    size_before: int | None
    size_after: int | None
    is_binary: bool
    diff: str | None  # unified


@dataclass(frozen=True)
class Change:
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class DeployDiff:
    """What lies between two deploys."""

    deployment_id: str
    before: int
    after: int
    is_empty: bool
    files: tuple[FileChange, ...]
    requirements: tuple[Change, ...]
    versions: tuple[Change, ...]
    settings: tuple[Change, ...]
    environment: tuple[Change, ...]  # environment objects by version
    bundles: tuple[Change, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class Role:
    role: str
    scope: str  # "" is everything


@dataclass(frozen=True)
class Me:
    id: str
    name: str
    kind: str  # user | token
    roles: tuple[Role, ...]


@dataclass(frozen=True)
class User:
    id: str
    name: str
    email: str | None
    is_active: bool
    has_password: bool
    roles: tuple[Role, ...]
    created_at: datetime
    last_login_at: datetime | None


@dataclass(frozen=True)
class Token:
    id: str
    user_id: str
    user_name: str
    name: str
    hint: str  # its last four characters
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class NewToken:
    """A token just made; its text is shown this once."""

    token: Token
    text: Secret


@dataclass(frozen=True)
class LoginLink:
    """A link just made; its URL is shown this once."""

    url: Secret
    expires_at: datetime


@dataclass(frozen=True)
class AuditEntry:
    seq: int
    at: datetime
    actor_id: str
    actor_name: str
    actor_kind: str
    action: str
    target: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    seq: int
    id: str
    at: datetime
    type: str
    subject: str
    actor: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Job:
    id: str
    kind: str
    key: str
    lane: str | None
    state: str  # waiting | leased | parked
    run_at: datetime | None
    attempts: int
    lease_owner: str | None
    lease_until: datetime | None
    last_error: Mapping[str, Any] | None
    created_at: datetime


@dataclass(frozen=True)
class Health:
    status: str
    version: str


def read(cls: type[T], data: Any) -> T:
    """Make a dataclass of JSON data: nested dataclasses, tuples, moments and Secrets included.

    Broken when the data does not fit: the server is of another version, or it is no Aerodrome.
    """
    hints = _hints(cast("Any", cls))
    try:
        return cls(**{item.name: _read(hints[item.name], data[item.name]) for item in fields(cast("Any", cls))})
    except (KeyError, TypeError, ValueError) as error:
        raise Broken(
            f"The server's answer does not describe a {cls.__name__.lower()}.",
            code="answer-unreadable",
            hint="Compare `aerodrome version` here and on the server, and check the address.",
        ) from error


@cache
def _hints(cls: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _read(hint: Any, value: Any) -> Any:
    origin = typing.get_origin(hint)
    if origin in {Union, types.UnionType}:
        if value is None:
            return None
        hint = next(part for part in typing.get_args(hint) if part is not type(None))
        origin = typing.get_origin(hint)
    if hint is datetime:
        return from_text(value)
    if hint is Secret:
        return Secret(value)
    if origin is tuple:
        (part, *_) = typing.get_args(hint)
        return tuple(_read(part, item) for item in value)
    if origin is Literal:
        return value
    if isinstance(hint, type) and is_dataclass(hint):
        return read(hint, value)
    return value
