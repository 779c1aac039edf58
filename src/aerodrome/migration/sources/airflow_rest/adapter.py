"""The source adapter over the stable REST API of an Airflow. Reads; pause, unpause and their mark are the only writes."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import datetime
from functools import cached_property

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import AerodromeError, Conflict, Denied, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import AssetEvent, HistoryBatch, HistoryKind, HistoryWindow, PendingAsset
from aerodrome.migration.estate.records import ConfigRecord, PoolRecord, Record
from aerodrome.migration.sources.airflow_db import probes, surroundings
from aerodrome.migration.sources.airflow_db.objects import Failure, connection_record, variable_record
from aerodrome.migration.sources.airflow_rest import objects, states
from aerodrome.migration.sources.airflow_rest.activity import Activity, activity
from aerodrome.migration.sources.airflow_rest.assets import RestAssets, knows_queue
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.migration.sources.airflow_rest.dags import DagReader
from aerodrome.migration.sources.airflow_rest.history import RestHistory
from aerodrome.migration.sources.code_reading import CodeReading
from aerodrome.migration.sources.contract import (
    AssetHistory,
    CarriedRuns,
    ConfigRows,
    ConnectionValue,
    DagState,
    Probe,
    Progress,
    RestConfig,
    SourceConfig,
    SourceDescription,
    VariableValue,
    for_each,
)
from aerodrome.migration.sources.lanes import RunKey

_ELSE = "Connect the metadata database or an archive (`aerodrome export`) instead, or provide them in the target."


class AirflowRestSource:
    """Implements SourceAdapter. Nothing connects before the first call."""

    def __init__(
        self, config: RestConfig, fingerprint_key: bytes, clock: Clock, reader: RestReader | None = None
    ) -> None:
        self._config = config
        self._key = fingerprint_key
        self._clock = clock
        self._reader = reader or RestReader(config.base_url, config.user, config.password, config.token)
        self._history = RestHistory(self._reader)

    @cached_property
    def _files(self) -> SourceConfig:
        """The paths that were given, as the readers of files take them."""
        config = self._config
        return SourceConfig(
            kind=config.kind,
            name=config.name,
            database_url=Secret(""),
            fernet_keys=Secret(""),
            dags_folder=config.dags_folder,
            plugins_folder=config.plugins_folder,
            include_folder=config.include_folder,
            requirements_file=config.requirements_file,
            config_file=config.config_file,
            env_file=config.env_file,
        )

    @cached_property
    def _env(self) -> dict[str, Secret]:
        return surroundings.read_env(self._files.env_file)

    def describe(self) -> SourceDescription:
        """Probe the source; a failed check is a Probe."""
        version = ""
        found = [probes.attempt("REST API", self._reach)]
        if found[0].is_ok:
            version = self._reader.version
            checks: tuple[tuple[str, str], ...] = (
                ("DAGs", "/dags"), ("connections", "/connections"), ("variables", "/variables"), ("pools", "/pools"),
            )  # fmt: skip
            found.extend(probes.attempt(f"reading {what}", self._reading(what, path)) for what, path in checks)
            found.extend(self._left_behind())
        found.extend(self._file_probes())
        return SourceDescription(self._config.kind, version, "", "", tuple(found))

    def _file_probes(self) -> Iterable[Probe]:
        return probes.folders(self._files)

    def _reach(self) -> Probe:
        return Probe("REST API", True, f"{self._reader.url} is an Airflow {self._reader.version}.")

    def _reading(self, what: str, path: str) -> Callable[[], Probe]:
        def check() -> Probe:
            total = self._reader.get(path, limit=1)["total_entries"]
            return Probe(f"reading {what}", True, f"{total:,} {what} can be read.")

        return check

    def _left_behind(self) -> Iterator[Probe]:
        """Tell what REST cannot give; nothing of it is needed to begin."""
        hidden = [each.key for each in self._variables() if isinstance(each, Failure)]
        said = [
            ("connection secrets", "Passwords and extras of connections do not come over REST.", _ELSE),
            (
                "history",
                "Earlier tries, XComs, pods beside rendered fields and the audit log stay behind; runs and task instances move.",
                "Connect the metadata database or an archive for them.",
            ),
            (
                "dependencies",
                "Sensors and triggers between DAGs are not told by REST; datasets and assets are.",
                "Look at the waves of the plan.",
            ),
            (
                "holding back",
                "A DAG that is let go until its runs end may start one more run meanwhile; it is moved, too.",
                "",
            ),
        ]
        if hidden:
            said.insert(1, ("variable secrets", f"{len(hidden)} variables are masked: {', '.join(hidden[:5])}.", _ELSE))
        if not knows_queue(self._reader.version):
            said.append(
                (
                    "pending datasets",
                    "Which datasets a DAG was told of and has not run for does not come over REST before Airflow 2.9.",
                    "Let DAGs that wait for several datasets run just before their cutover, or connect the database.",
                )
            )
        if not self._reader.is_v2:
            said.append(("time zones", "The time zones of DAGs do not come over REST of Airflow 2.", ""))
        else:
            said.append(("users", "Users and roles do not come over REST of Airflow 3.", ""))
        for name, message, hint in said:
            yield Probe(name, False, message, hint, is_required=False)

    def records(self, progress: Progress) -> Iterator[Record]:
        """Stream the estate, kind by kind."""
        reader = DagReader(self._reader, self._files.dags_folder, self._clock.now())
        kinds: tuple[tuple[str, Iterable[Record]], ...] = (
            ("dag", reader.records()),
            ("connection", self._connection_records()),
            ("variable", self._variable_records()),
            ("pool", objects.pools(self._reader)),
            *self._surrounding_records(self._users(), reader.import_errors()),
            *self._measures(),
            ("asset", RestAssets(self._reader).records()),
        )
        yield from self._told(kinds, progress)

    def _measures(self) -> tuple[tuple[str, Iterable[Record]], ...]:
        """Give the kind of figures about the source, where there are any."""
        return ()

    def _surrounding_records(
        self, users: Iterable[Record] = (), import_errors: Iterable[Record] = ()
    ) -> tuple[tuple[str, Iterable[Record]], ...]:
        """Give the kinds that come from files, with the two that stand between them, in the order of records.KINDS."""
        reading = CodeReading.of(self._files)
        return (
            ("env_var", surroundings.env_records(self._env, self._key)),
            ("config", self._config_records()),
            ("package", surroundings.package_records(self._files.requirements_file)),
            ("file", surroundings.file_records(self._files)),
            ("user", users),
            ("import_error", import_errors),
            ("code_fact", reading.facts()),
            ("endpoint", reading.endpoints()),
        )

    def _config_records(self) -> Iterator[ConfigRecord]:
        return surroundings.config_records(self._files.config_file, self._env)

    @staticmethod
    def _told(kinds: Sequence[tuple[str, Iterable[Record]]], progress: Progress) -> Iterator[Record]:
        for kind, records in kinds:
            done = 0
            progress(f"reading {kind}", 0, None)
            for done, record in enumerate(records, 1):
                if done % 100 == 0:
                    progress(f"reading {kind}", done, None)
                yield record
            progress(f"reading {kind}", done, done)

    def _users(self) -> Iterator[Record]:
        with suppress(Denied):  # only an administrator may see them
            yield from objects.users(self._reader)

    def _connection_records(self) -> Iterator[Record]:
        in_env = {value.conn_id.upper(): value for value in surroundings.env_connections(self._env)}
        for value in in_env.values():
            yield connection_record(value, "environment", self._key)
        for record in objects.connection_records(self._reader, self._key):
            if record.conn_id.upper() not in in_env:  # the environment wins in Airflow
                yield record

    def _variable_records(self) -> Iterator[Record]:
        names = {value.name.upper() for value in surroundings.env_variables(self._env)}
        for value in surroundings.env_variables(self._env):
            yield variable_record(value, "environment", self._key)
        for row in self._variable_rows():
            if (row.key if isinstance(row, Failure) else row.name).upper() not in names:
                yield variable_record(row, "metadata-db", self._key)

    def _variable_rows(self) -> Iterator[VariableValue | Failure]:
        return objects.variable_rows(self._reader)

    def _variables(self) -> Iterator[VariableValue | Failure]:
        try:
            yield from objects.variable_rows(self._reader)
        except AerodromeError:
            return  # the probe that reads them says why

    def connection_values(self, conn_ids: Sequence[str]) -> Iterator[ConnectionValue]:
        """Read connections of the environment; those of Airflow's database raise Invalid `connection-unreadable`."""
        found = {value.conn_id: value for value in surroundings.env_connections(self._env)}
        all_there("connection", conn_ids, found)
        yield from (found[conn_id] for conn_id in conn_ids)

    def variable_values(self, names: Sequence[str]) -> Iterator[VariableValue]:
        """Read variables, in the order asked; Invalid `variable-unreadable` names those that are masked."""
        found = {row.name: row for row in self._variable_rows() if not isinstance(row, Failure)}
        found.update({value.name: value for value in surroundings.env_variables(self._env)})
        all_there("variable", names, found)
        yield from (found[name] for name in names)

    def pool_values(self, names: Sequence[str]) -> Iterator[PoolRecord]:
        found = {pool.name: pool for pool in objects.pools(self._reader)}
        all_there("pool", names, found)
        yield from (found[name] for name in names)

    def env_values(self, names: Sequence[str]) -> Iterator[tuple[str, Secret]]:
        all_there("env-var", names, self._env)
        yield from ((name, self._env[name]) for name in names)

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        return self._history.stream(kind, window)

    def history_watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        del dag_ids
        return self._history.watermark()

    def history_changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        del since
        return set(dag_ids)

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        return self._history.counts(window)

    def has_executor_configs(self, kind: HistoryKind) -> bool:
        return kind == "task_instance"

    def executor_configs(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[ConfigRows]:
        """Stream what the API shows of them; tries come without."""
        return self._history.executor_configs(window) if kind == "task_instance" else iter(())

    def asset_events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        return RestAssets(self._reader).events(dag_ids)

    def asset_runs(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[RunKey, AssetEvent]]]:
        return RestAssets(self._reader).started(dag_ids)

    def asset_history(self, dag_ids: Sequence[str]) -> Iterator[AssetHistory]:
        return RestAssets(self._reader).history(dag_ids)

    def asset_queue(self, dag_ids: Sequence[str]) -> list[PendingAsset]:
        return RestAssets(self._reader).pending(dag_ids)

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        return states.dag_states(self._reader, self._history, dag_ids)

    def activity(self, since: datetime) -> Activity:
        """Tell what went on since a moment, and goes on now."""
        return activity(self._reader, since)

    def pause_dag(self, dag_id: str, mark: str) -> None:
        states.pause(self._reader, dag_id, mark)

    def unpause_dag(self, dag_id: str, mark: str) -> None:
        states.unpause(self._reader, dag_id, mark)

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return for_each(lambda dag_id: self.pause_dag(dag_id, mark), dag_ids)

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return for_each(lambda dag_id: self.unpause_dag(dag_id, mark), dag_ids)

    def locked(self, dag_ids: Sequence[str]) -> AbstractContextManager[None]:
        """Lock nothing: REST cannot. The fence finds a DAG that somebody unpauses in that moment."""
        del dag_ids
        return nullcontext()

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        del mark
        raise Conflict(
            f"A source over REST cannot be told that {carried.dag_id} ran elsewhere.",
            code="source-cannot-carry",
            hint="Connect the source by its metadata database for this way back, or go on in the target.",
            details={"dag_id": carried.dag_id},
        )

    def hold_back(self, dag_id: str, mark: str) -> None:
        """Do nothing: REST has no way to keep an unpaused DAG from starting; a run that starts is moved, too."""

    def close(self) -> None:
        self._reader.close()


def all_there(what: str, wanted: Sequence[str], found: Container[str]) -> None:
    bad = [name for name in wanted if name not in found]
    if bad:
        raise Invalid(
            f"The source shows no value of the {what} {', '.join(bad)}.",
            code=f"{what}-unreadable",
            hint="Leave it out of the plan and provide it in the target, or connect the metadata database or an archive.",
            details={"names": bad},
        )
