"""The words of the environment manager: kinds, contents, versions, and what a deployment gets of all of it.

An object belongs to a workspace or to one deployment. A deployment gets the objects of its own, then those of its workspace
that are linked to it; of two with one name its own wins. A field is `host`, `password` or `extra.<key>` of a connection, and
`value` of the others. Values of secret fields live in the secret store only; here stand their paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol

from aerodrome.kernel.secret import Secret

Kind = Literal["connection", "variable", "env"]
KINDS: Final[tuple[Kind, ...]] = ("connection", "variable", "env")
CONNECTION_FIELDS: Final = ("conn_type", "host", "port", "schema", "login", "password")  # and extra.<key>


class Secrets(Protocol):
    """Where secret values live; the bulk verbs are one round trip each."""

    def put_many(self, values: Mapping[str, Secret]) -> None: ...

    def get_many(self, paths: Sequence[str]) -> dict[str, Secret]: ...

    def delete_many(self, paths: Sequence[str]) -> None: ...


@dataclass(frozen=True)
class Link:
    """What one deployment gets of a workspace's object: nothing (excluded), or it with other fields."""

    is_excluded: bool = False
    fields: Mapping[str, Any] = field(default_factory=dict)  # plain fields in place of the object's own
    secrets: Mapping[str, str] = field(default_factory=dict)  # secret field -> path of its value


@dataclass(frozen=True)
class Content:
    """The whole of one version of an object."""

    fields: Mapping[str, Any] = field(default_factory=dict)  # plain fields
    secrets: Mapping[str, str] = field(default_factory=dict)  # secret field -> path of its value
    is_secret: bool = False
    description: str = ""
    is_auto_linked: bool = True  # workspace objects: all deployments get it, later ones too
    links: Mapping[str, Link] = field(default_factory=dict)  # deployment id -> link


@dataclass(frozen=True)
class Wish:
    """What somebody wants an object to be. None means: as it is. A field that is None is removed."""

    kind: Kind
    name: str
    fields: Mapping[str, Any] = field(default_factory=dict)  # values may be Secret
    is_secret: bool | None = None
    description: str | None = None
    replaces: bool = False  # fields that are not given go; otherwise they stay


@dataclass(frozen=True)
class LinkView:
    """How a workspace's object reaches one deployment; secret overrides are masked."""

    deployment_id: str
    deployment_name: str
    is_excluded: bool
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class ObjectView:
    """An object as people see it; values of secret fields are masked."""

    id: str
    workspace_id: str
    workspace_name: str
    deployment_id: str | None  # None: of the whole workspace
    deployment_name: str | None
    kind: Kind
    name: str
    description: str
    is_secret: bool
    is_deleted: bool
    fields: Mapping[str, Any]  # masked
    secret_fields: tuple[str, ...]
    is_auto_linked: bool
    links: tuple[LinkView, ...]
    version: int
    created_at: datetime
    updated_at: datetime
    updated_by: str


@dataclass(frozen=True)
class VersionView:
    """One version in an object's history."""

    object_id: str
    number: int
    change: str  # created | updated | linked | deleted | restored
    changed: tuple[str, ...]  # names of fields; for a plain field the values stand in before and after
    before: Mapping[str, Any]  # masked
    after: Mapping[str, Any]  # masked
    note: str
    actor: str
    at: datetime
    is_current: bool


@dataclass(frozen=True)
class ResolvedItem:
    """One name that a deployment gets, from where, and what it hides."""

    kind: Kind
    name: str
    object_id: str
    version: int
    source: Literal["deployment", "workspace"]
    fields: Mapping[str, Any]
    secrets: Mapping[str, str]
    is_secret: bool
    description: str
    overridden: tuple[str, ...]  # fields that the link to this deployment replaces
    shadows: tuple[str, ...]  # ids of the workspace's objects that this one hides


@dataclass(frozen=True)
class Resolved:
    """All that a deployment gets, by kind and name; no secret values."""

    items: tuple[ResolvedItem, ...]

    def of(self, kind: Kind) -> tuple[ResolvedItem, ...]:
        return tuple(item for item in self.items if item.kind == kind)


@dataclass(frozen=True)
class KnownNames:
    """The names that a deployment's DAGs may ask the environment manager for."""

    connections: frozenset[str]
    variables: frozenset[str]
    env: frozenset[str]


@dataclass(frozen=True)
class Values:
    """What a runtime hands to Airflow: connections as Airflow's JSON, variables and environment variables."""

    connections: Mapping[str, Secret]
    variables: Mapping[str, Secret]
    env: Mapping[str, str | Secret]


@dataclass(frozen=True)
class Place:
    """One place where a name exists for a deployment."""

    place: Literal["secrets backend", "deployment", "workspace", "env var", "metadata database"]
    detail: str
    wins: bool


@dataclass(frozen=True)
class EffectiveView:
    """One name as the deployment gets it: the value that wins (masked), and every place where it exists."""

    kind: Kind
    name: str
    object_id: str | None  # None: not in the environment manager
    version: int | None
    source: str
    fields: Mapping[str, Any]  # masked
    is_secret: bool
    description: str
    overridden: tuple[str, ...]
    places: tuple[Place, ...]

    @property
    def is_shadowing(self) -> bool:
        return len(self.places) > 1


Listing = Callable[[], Mapping[Kind, frozenset[str]]]  # names in one further place
