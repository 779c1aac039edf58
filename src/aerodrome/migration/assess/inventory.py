"""An estate in memory, indexed for checks. History is not in it, so it is small: names, schedules, counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from aerodrome.migration.estate.archive import Estate
from aerodrome.migration.estate.records import (
    CodeFactRecord,
    ConfigRecord,
    ConnectionRecord,
    DagRecord,
    EnvVarRecord,
    FileRecord,
    ImportErrorRecord,
    PackageRecord,
    PoolRecord,
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

    @classmethod
    def of(cls, estate: Estate, target_version: str) -> Inventory:
        """Read an estate."""
        return cls(
            source_version=estate.header.source_version,
            target_version=target_version,
            dags=tuple(estate.all(DagRecord)),
            connections=tuple(estate.all(ConnectionRecord)),
            variables=tuple(estate.all(VariableRecord)),
            pools=tuple(estate.all(PoolRecord)),
            env_vars=tuple(estate.all(EnvVarRecord)),
            config=tuple(estate.all(ConfigRecord)),
            packages=tuple(estate.all(PackageRecord)),
            files=tuple(estate.all(FileRecord)),
            users=tuple(estate.all(UserRecord)),
            import_errors=tuple(estate.all(ImportErrorRecord)),
            code_facts=tuple(estate.all(CodeFactRecord)),
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
        return next((record.value for record in self.config if record.option == name), None)

    @property
    def is_major_upgrade(self) -> bool:
        """Tell whether the target's major version is newer than the source's."""
        return _major(self.source_version) < _major(self.target_version)


def _major(version: str) -> int:
    head = version.split(".", maxsplit=1)[0]
    return int(head) if head.isdigit() else 0
