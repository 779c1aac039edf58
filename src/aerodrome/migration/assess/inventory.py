"""An estate in memory, indexed for checks. History is not in it, so it is small: names, schedules, counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from sys import intern
from typing import Any

from aerodrome.migration.assess.network import Addresses, Reach, reaches
from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.dependencies import Edge, components, edges
from aerodrome.migration.estate.records import (
    AssetRecord,
    CodeFactRecord,
    ConfigRecord,
    ConnectionRecord,
    ConversionRecord,
    DagRecord,
    EndpointRecord,
    EnvVarRecord,
    FileRecord,
    ImportErrorRecord,
    MeasureRecord,
    PackageRecord,
    PoolRecord,
    RoleRecord,
    UserRecord,
    VariableRecord,
)


@dataclass(frozen=True)
class Inventory:
    """Everything that checks may read."""

    source_version: str
    target_version: str
    dags: tuple[DagRecord, ...] = ()
    connections: tuple[ConnectionRecord, ...] = ()
    variables: tuple[VariableRecord, ...] = ()
    pools: tuple[PoolRecord, ...] = ()
    env_vars: tuple[EnvVarRecord, ...] = ()
    config: tuple[ConfigRecord, ...] = ()
    packages: tuple[PackageRecord, ...] = ()
    files: tuple[FileRecord, ...] = ()
    users: tuple[UserRecord, ...] = ()
    import_errors: tuple[ImportErrorRecord, ...] = ()
    code_facts: tuple[CodeFactRecord, ...] = ()
    endpoints: tuple[EndpointRecord, ...] = ()
    roles: tuple[RoleRecord, ...] = ()
    measures: tuple[MeasureRecord, ...] = ()
    conversions: tuple[ConversionRecord, ...] = ()
    assets: tuple[AssetRecord, ...] = ()
    taken_at: str = ""  # ISO 8601 UTC
    addresses: Addresses = field(default_factory=dict)  # what DNS said, where it was asked
    source_kind: str = ""  # "airflow-db", "airflow-rest", …
    database: str = ""  # "postgresql 15.18"
    history: Mapping[str, int] = field(
        default_factory=dict
    )  # rows that can move, by kind; kinds that were not counted are missing

    @classmethod
    def of(cls, estate: Estate, target_version: str, addresses: Addresses | None = None) -> Inventory:
        """Read an estate. Tasks keep only what checks ask: equal ones are one object, however many there are."""
        shared: dict[tuple[tuple[str, Any], ...], dict[str, Any]] = {}
        return cls(
            source_version=estate.header.source_version,
            target_version=target_version,
            dags=tuple(
                replace(dag, tasks=tuple(_slim(task, shared) for task in dag.tasks)) for dag in estate.all(DagRecord)
            ),
            connections=tuple(estate.all(ConnectionRecord)),
            variables=tuple(estate.all(VariableRecord)),
            pools=tuple(estate.all(PoolRecord)),
            env_vars=tuple(estate.all(EnvVarRecord)),
            config=tuple(estate.all(ConfigRecord)),
            packages=tuple(estate.all(PackageRecord)),
            files=tuple(estate.all(FileRecord)),
            users=tuple(estate.all(UserRecord)),
            import_errors=tuple(estate.all(ImportErrorRecord)),
            code_facts=tuple(_shared(fact) for fact in estate.all(CodeFactRecord)),
            endpoints=tuple(estate.all(EndpointRecord)),
            roles=tuple(estate.all(RoleRecord)),
            measures=tuple(estate.all(MeasureRecord)),
            conversions=tuple(estate.all(ConversionRecord)),
            assets=tuple(estate.all(AssetRecord)),
            taken_at=estate.header.taken_at,
            addresses=addresses or {},
            source_kind=estate.header.source_kind,
            database=estate.header.database,
            history=estate.header.facts.get("history", {}),
        )

    @cached_property
    def active_dags(self) -> tuple[DagRecord, ...]:
        return tuple(dag for dag in self.dags if dag.is_active)

    @cached_property
    def dags_by_file(self) -> dict[str, tuple[DagRecord, ...]]:
        """DAGs per file of the DAGs folder."""
        found: dict[str, list[DagRecord]] = {}
        for dag in self.active_dags:
            found.setdefault(dag.file, []).append(dag)
        return {file: tuple(dags) for file, dags in found.items()}

    def option(self, name: str) -> str | None:
        """Give the value of a configuration option ("scheduler.catchup_by_default") if it is set and no secret."""
        return self._options.get(name)

    @cached_property
    def _options(self) -> dict[str, str | None]:
        return {record.option: record.value for record in reversed(self.config)}

    def measure(self, name: str) -> int | None:
        """Give a figure about the source; None when it was not taken."""
        return self._measures.get(name)

    @cached_property
    def _measures(self) -> dict[str, int]:
        return {measure.name: measure.amount for measure in self.measures}

    @cached_property
    def now(self) -> datetime | None:
        """When the estate was taken."""
        return moment(self.taken_at)

    @cached_property
    def reaches(self) -> tuple[Reach, ...]:
        """The hosts that connections and code name."""
        return reaches(self.connections, self.endpoints, self.active_dags, self.addresses)

    @cached_property
    def links(self) -> tuple[Edge, ...]:
        """What depends on what, among active DAGs."""
        return edges(self.active_dags)

    @cached_property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """Active DAGs that depend on each other, directly or not; most groups have one member."""
        return tuple(components((dag.dag_id for dag in self.active_dags), self.links))

    @property
    def is_major_upgrade(self) -> bool:
        """Tell whether the target's major version is newer than the source's."""
        return _major(self.source_version) < _major(self.target_version)


def moment(text: str | None) -> datetime | None:
    """Read an ISO 8601 moment; None for what is none, and naive ones mean UTC."""
    try:
        found = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found and found.tzinfo is None else found


def _shared(fact: CodeFactRecord) -> CodeFactRecord:
    """Let equal texts be one object."""
    return CodeFactRecord(
        intern(fact.part), intern(fact.path), fact.line, intern(fact.rule), intern(fact.message), intern(fact.hint),
        fact.is_fixable, fact.number,
    )  # fmt: skip


_ASKED = (
    "operator", "class", "trigger_rule", "has_sla", "has_callbacks", "has_executor_config", "is_mapped", "is_sensor",
    "is_poking", "depends_on_past", "queue",
)  # fmt: skip


def _slim(task: dict[str, Any], shared: dict[tuple[tuple[str, Any], ...], dict[str, Any]]) -> dict[str, Any]:
    kept = tuple((name, task[name]) for name in _ASKED if task.get(name))
    try:
        return shared.setdefault(kept, dict(kept))
    except TypeError:  # a source gave something that has no hash
        return dict(kept)


def _major(version: str) -> int:
    head = version.split(".", maxsplit=1)[0]
    return int(head) if head.isdigit() else 0
