"""Metadata databases of the local runtime: implements `runtimes.databases.Databases`."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from aerodrome.databases import crossing, probing, quieting, read_snapshot, restore, row_counts, scratch
from aerodrome.databases.contract import AirflowTool
from aerodrome.databases.crossing import Crossing
from aerodrome.databases.probing import DatabaseFacts
from aerodrome.databases.quieting import Quieted
from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import Progress, RuntimeSpec
from aerodrome.runtimes.databases import Unfinished, Upkeep
from aerodrome.runtimes.local import airflow_logs, upkeep
from aerodrome.runtimes.local.changes import Database
from aerodrome.runtimes.local.layout import Layout
from aerodrome.runtimes.local.managed import ManagedPostgres

Held = Callable[[RuntimeSpec], AbstractContextManager[tuple[Database, AirflowTool]]]
"""Holds the deployment's lock, requires that nothing of it runs, and gives its database and its Airflow."""


class LocalDatabases:
    """The managed server below the platform's home, and the SQLite files in the deployments' folders."""

    def __init__(self, root: Path, managed: ManagedPostgres, held: Held) -> None:
        self._root = root
        self.managed = managed
        self._held = held

    def create(self, name: str, password: Secret) -> Secret:
        return self.managed.create(name, password)

    def drop(self, name: str) -> None:
        self.managed.drop(name)

    def names(self) -> AbstractSet[str]:
        return frozenset(self.managed.names())

    def is_empty(self, name: str) -> bool:
        return self.managed.is_empty(name)

    def keep(self) -> bool:
        if not self.managed.is_wanted():
            return False
        self.managed.ensure()
        return True

    def probe(self, url: Secret) -> DatabaseFacts:
        return probing.probe(url)

    def cross(self, before: RuntimeSpec, after: RuntimeSpec, mark: str, progress: Progress) -> Crossing:
        with self._held(before) as (source, tool):
            target = Layout.of(self._root, after.deployment_id)
            url = after.database_url or Secret(f"sqlite:///{target.database}")
            return crossing.copy_across(source.url, url, tool, progress, mark=mark)

    def settle(self, spec: RuntimeSpec) -> None:
        with self._held(spec) as (database, tool):
            crossing.settle(database.url)
            database.now_belongs_to(tool.version)

    def uncross(self, spec: RuntimeSpec, mark: str) -> None:
        layout = Layout.of(self._root, spec.deployment_id)
        if spec.database_url is not None:
            crossing.discard(spec.database_url, mark)
        elif layout.database.exists() and crossing.discard(Secret(f"sqlite:///{layout.database}"), mark):
            self.abandon_file(spec.deployment_id)

    def verify(self, spec: RuntimeSpec, folder: Path) -> Mapping[str, int]:
        taken = read_snapshot(folder)
        with self._scratch(spec, taken.dialect, folder) as url:
            restore(folder, url, lambda _line: None)
            found = dict(row_counts(url))
        wrong = sorted(
            name for name in found.keys() | taken.row_counts if found.get(name) != taken.row_counts.get(name)
        )
        if wrong:
            raise Broken(
                f"The backup gives other rows than it was taken of: {', '.join(wrong[:3])}.",
                code="backup-not-equal",
                hint="Take another one, and keep this one for a look.",
                details={"tables": wrong},
            )
        return found

    @contextmanager
    def _scratch(self, spec: RuntimeSpec, dialect: str, folder: Path) -> Iterator[Secret]:
        if dialect == "sqlite":
            with tempfile.TemporaryDirectory(prefix=".verify-", dir=folder.parent) as place:
                yield Secret(f"sqlite:///{place}/airflow.db")
        elif spec.database_url is not None:
            with scratch(spec.database_url) as url:
                yield url
        else:  # the deployment has moved to SQLite since: a database of its own, for this alone
            name = f"verify_{folder.name.lower()}"[:63]
            try:
                yield self.managed.create(name, Secret(secrets.token_urlsafe(32)))
            finally:
                self.managed.drop(name)

    def quiet(self, spec: RuntimeSpec) -> Quieted:
        with self._held(spec) as (database, _tool):
            return quieting.quiet(database.url)

    def keep_up(self, spec: RuntimeSpec, pools: Mapping[str, int], log_days: int) -> Upkeep:
        layout = Layout.of(self._root, spec.deployment_id)
        if not layout.migrated.exists():
            return Upkeep((), 0, 0)
        url = spec.database_url or Secret(f"sqlite:///{layout.database}")
        changed = upkeep.set_pools(url, pools) if pools else ()
        unfinished = upkeep.unfinished_runs(url) if log_days else set()
        removed = airflow_logs.tidy(layout.home / "logs", log_days, unfinished)
        return Upkeep(changed, removed.files, removed.size_bytes)

    def oldest_unfinished(self, spec: RuntimeSpec) -> Unfinished | None:
        layout = Layout.of(self._root, spec.deployment_id)
        return upkeep.oldest_unfinished(spec.database_url or Secret(f"sqlite:///{layout.database}"))

    def abandon_file(self, deployment_id: str) -> None:
        layout = Layout.of(self._root, deployment_id)
        for suffix in ("", "-wal", "-shm"):
            layout.database.with_name(layout.database.name + suffix).unlink(missing_ok=True)
