"""The source adapter over an Airflow metadata database. Reads only; pause and unpause are the only writes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from functools import cached_property
from pathlib import Path

from aerodrome.airflowkit.fernet import AirflowFernet
from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import AerodromeError, Conflict, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import AssetEvent, HistoryBatch, HistoryKind, HistoryWindow, PendingAsset
from aerodrome.migration.estate.records import MeasureRecord, PoolRecord, Record
from aerodrome.migration.sources.airflow_db import (
    carrying,
    concurrency,
    counting,
    measures,
    objects,
    probes,
    states,
    surroundings,
)
from aerodrome.migration.sources.airflow_db import history_text as database_text
from aerodrome.migration.sources.airflow_db.assets import AssetReader
from aerodrome.migration.sources.airflow_db.dags import DagReader, versions
from aerodrome.migration.sources.airflow_db.executor_configs import executor_configs
from aerodrome.migration.sources.airflow_db.history import HistoryReader
from aerodrome.migration.sources.airflow_db.history_sql import PostgresHistory
from aerodrome.migration.sources.airflow_db.revisions import oldest_with, version_of
from aerodrome.migration.sources.airflow_db.schedules import Schedules
from aerodrome.migration.sources.airflow_db.stopping import Stopper
from aerodrome.migration.sources.code_reading import CodeReading
from aerodrome.migration.sources.contract import (
    CarriedRuns,
    ConfigRows,
    ConnectionValue,
    DagState,
    Peaks,
    Probe,
    Progress,
    SourceConfig,
    SourceDescription,
    StoppedRuns,
    VariableValue,
)
from aerodrome.migration.sources.lanes import RunKey, SqlHistory, TextHistory
from aerodrome.migration.sources.task_logs.place import LogPlace, login_from, place_of
from aerodrome.migration.sources.task_logs.reading import probe as probe_logs


class AirflowDatabaseSource:
    """Implements SourceAdapter. Nothing connects before the first call."""

    def __init__(self, config: SourceConfig, fingerprint_key: bytes, clock: Clock) -> None:
        self._config = config
        self._key = fingerprint_key
        self._clock = clock
        self._database = MetadataDatabase(config.database_url)

    @cached_property
    def _fernet(self) -> AirflowFernet:
        keys = self._config.fernet_keys
        if not keys.reveal().strip():
            with suppress(AerodromeError):  # the probes of the folders say it
                keys = surroundings.fernet_keys(self._config.config_file, self._env)
        return AirflowFernet(keys)

    @cached_property
    def _env(self) -> dict[str, Secret]:
        return surroundings.read_env(self._config.env_file)

    @property
    def _history(self) -> HistoryReader:
        return HistoryReader(self._database, self._schedules())

    def _schedules(self) -> Schedules:
        """Give the schedules, read anew: DAGs change while a source runs."""
        options = self._options()
        # True by default before Airflow 3; said only when the configuration is known
        default = "true" if self._config.config_file and not self._database.has("dag_run", "logical_date") else ""
        catchup = options.get("scheduler.catchup_by_default", default)
        return Schedules(
            self._database,
            self._config.dags_folder,
            options.get("core.default_timezone"),
            {"true": True, "false": False}.get(catchup.lower()),
        )

    def _options(self) -> dict[str, str]:
        """Give the options that are known: "section.option" -> value."""
        options: dict[str, str] = {}
        with suppress(AerodromeError):  # the probes of the folders say it
            for record in surroundings.config_records(self._config.config_file, self._env):
                options[record.option] = record.value or ""
        return options

    @cached_property
    def _logs(self) -> tuple[Probe, ...]:
        """Tell of the task logs, where the configuration says where they are; asked once."""
        place = place_of(self._options())
        if place == LogPlace("local", ""):
            return ()
        return (probe_logs(place, login_from(place, self)),)

    def describe(self) -> SourceDescription:
        """Probe the source; a failed check is a Probe."""
        database = self._database
        found = [probes.attempt("database", lambda: probes.reach(database))]
        version, product, revision = "", "", ""
        if found[0].is_ok:
            product, revision = database.version(), database.revision()
            known, reason = version_of(revision, self._claimed_version())
            version = known or oldest_with(database)
            said = f"Airflow {version}" if known else f"Airflow {version} or newer, by its tables"
            found.append(Probe("version", known is not None, f"{said}: {reason}.", is_required=False))
            found.append(probes.attempt("schema", lambda: probes.schema(database)))
            found.append(probes.attempt("reading", lambda: probes.reading(database)))
            path = Path(self._config.database_url.reveal().partition("///")[2].partition("?")[0])
            found.append(
                probes.attempt(
                    "pausing",
                    lambda: probes.pausing(database, path if database.dialect == "sqlite" else None),
                    is_required=False,
                )
            )
            try:
                found.extend(probes.fernet_key(database, self._fernet))
            except AerodromeError as error:
                found.append(Probe("fernet key", False, error.message, error.hint))
        found.extend(probes.folders(self._config))
        found.extend(self._logs)
        return SourceDescription(self._config.kind, version, product, revision, tuple(found))

    def _claimed_version(self) -> str | None:
        """Give the version that the environment or the requirements name, if they do."""
        try:
            if "AIRFLOW_VERSION" in self._env:
                return self._env["AIRFLOW_VERSION"].reveal()
            for package in surroundings.package_records(self._config.requirements_file):
                pin = re.fullmatch(r"==\s*(\d+\.\d+\.\d+)", package.version or "")
                if package.name == "apache-airflow" and pin:
                    return pin[1]
        except AerodromeError:
            return None  # the probes of the folders say it
        return None

    def records(self, progress: Progress) -> Iterator[Record]:
        """Stream the estate. Invalid `fernet-key-wrong` before the first record when the key opens nothing."""
        self._check_fernet_key()
        progress("reading code", 0, None)
        reader = DagReader(self._database, self._config.dags_folder, self._clock.now(), self._schedules())
        with ThreadPoolExecutor(1) as beside:  # the database sums up while we read files
            history = beside.submit(reader.summaries)
            code = CodeReading.of(self._config)
            summaries = history.result()
        yield from self._told("dag", reader.records(code.mentions, summaries), progress)
        yield from self._told("connection", self._connection_records(), progress)
        yield from self._told("variable", self._variable_records(), progress)
        yield from self._told("pool", objects.pools(self._database), progress)
        yield from self._told("env_var", surroundings.env_records(self._env, self._key), progress)
        yield from self._told("config", surroundings.config_records(self._config.config_file, self._env), progress)
        yield from self._told("package", surroundings.package_records(self._config.requirements_file), progress)
        yield from self._told("file", surroundings.file_records(self._config), progress)
        yield from self._told("user", objects.users(self._database), progress)
        yield from self._told("import_error", reader.import_errors(), progress)
        yield from self._told("code_fact", code.facts(), progress)
        yield from self._told("endpoint", code.endpoints(), progress)
        yield from self._told("role", measures.roles(self._database), progress)
        yield from self._told("measure", self._measures(), progress)
        yield from self._told("asset", AssetReader(self._database).records(), progress)

    def _measures(self) -> Iterator[Record]:
        yield from measures.measures(self._database)
        yield from (MeasureRecord("logs:readable", int(each.is_ok)) for each in self._logs)

    @staticmethod
    def _told(kind: str, records: Iterator[Record], progress: Progress) -> Iterator[Record]:
        done = 0
        progress(f"reading {kind}", 0, None)
        for done, record in enumerate(records, 1):
            if done % 100 == 0:
                progress(f"reading {kind}", done, None)
            yield record
        progress(f"reading {kind}", done, done)

    def _check_fernet_key(self) -> None:
        readable, failed = objects.check_rows(self._database, self._fernet)
        if failed and not readable:
            raise Invalid(
                f"The Fernet key opens none of the {len(failed)} encrypted connections and variables.",
                code="fernet-key-wrong",
                hint="Give the source's [core] fernet_key; after a rotation all keys, comma-separated, newest first.",
            )

    def _connection_records(self) -> Iterator[Record]:
        in_env = {value.conn_id.upper(): value for value in surroundings.env_connections(self._env)}
        for value in in_env.values():
            yield objects.connection_record(value, "environment", self._key)
        for row in objects.connection_rows(self._database, self._fernet):
            conn_id = row.key if isinstance(row, objects.Failure) else row.conn_id
            if conn_id.upper() not in in_env:  # the environment wins in Airflow
                yield objects.connection_record(row, "metadata-db", self._key)

    def _variable_records(self) -> Iterator[Record]:
        in_env = {value.name.upper(): value for value in surroundings.env_variables(self._env)}
        for value in in_env.values():
            yield objects.variable_record(value, "environment", self._key)
        for row in objects.variable_rows(self._database, self._fernet):
            name = row.key if isinstance(row, objects.Failure) else row.name
            if name.upper() not in in_env:
                yield objects.variable_record(row, "metadata-db", self._key)

    def connection_values(self, conn_ids: Sequence[str]) -> Iterator[ConnectionValue]:
        """Read connections with their secrets, in the order asked; Invalid `connection-unreadable` names the culprits."""
        found: dict[str, ConnectionValue | objects.Failure] = {}
        for row in objects.connection_rows(self._database, self._fernet):
            found[row.key if isinstance(row, objects.Failure) else row.conn_id] = row
        found.update({value.conn_id: value for value in surroundings.env_connections(self._env)})
        _all_readable("connection", conn_ids, found)
        for conn_id in conn_ids:
            value = found[conn_id]
            if isinstance(value, ConnectionValue):
                yield value

    def variable_values(self, names: Sequence[str]) -> Iterator[VariableValue]:
        """Read variables, in the order asked; Invalid `variable-unreadable` names the culprits."""
        found: dict[str, VariableValue | objects.Failure] = {}
        for row in objects.variable_rows(self._database, self._fernet):
            found[row.key if isinstance(row, objects.Failure) else row.name] = row
        found.update({value.name: value for value in surroundings.env_variables(self._env)})
        _all_readable("variable", names, found)
        for name in names:
            value = found[name]
            if isinstance(value, VariableValue):
                yield value

    def pool_values(self, names: Sequence[str]) -> Iterator[PoolRecord]:
        """Read pools, in the order asked; Invalid `pool-unreadable` names those that are not there."""
        found = {pool.name: pool for pool in objects.pools(self._database)}
        _all_readable("pool", names, found)
        for name in names:
            yield found[name]

    def env_values(self, names: Sequence[str]) -> Iterator[tuple[str, Secret]]:
        """Read environment variables; Invalid `env_var-unreadable` when one is missing."""
        _all_readable("env_var", names, self._env)
        for name in names:
            yield name, self._env[name]

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        return self._history.stream(kind, window)

    def history_watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        return self._history.windows.watermark(dag_ids)

    def history_changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        return self._history.windows.changed(dag_ids, since)

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        found = counting.whole_counts(self._database, window)
        return self._history.counts(window) if found is None else found

    def sql_history(self) -> SqlHistory | None:
        """Give the history for a transfer from database to database, where this one is a PostgreSQL."""
        return PostgresHistory(self._database, self._history) if self._database.dialect == "postgresql" else None

    def text_history(self) -> TextHistory | None:
        """Give the history as text, where this is a SQLite or a MySQL."""
        has_text = self._database.dialect in {"sqlite", "mysql"}
        return database_text.TextHistory(self._database, self._history) if has_text else None

    def has_executor_configs(self, kind: HistoryKind) -> bool:
        return kind in ("task_instance", "task_try")

    def executor_configs(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[ConfigRows]:
        return executor_configs(self._database, self._history, kind, window)

    def asset_events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        return AssetReader(self._database).events(dag_ids)

    def asset_runs(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[RunKey, AssetEvent]]]:
        return AssetReader(self._database).started(dag_ids)

    def asset_queue(self, dag_ids: Sequence[str]) -> list[PendingAsset]:
        return AssetReader(self._database).pending(dag_ids)

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        return states.dag_states(self._database, dag_ids, self._schedules(), self._clock.now())

    def pause_dag(self, dag_id: str, mark: str) -> None:
        _raise_first(self.pause_dags((dag_id,), mark))

    def unpause_dag(self, dag_id: str, mark: str) -> None:
        _raise_first(self.unpause_dags((dag_id,), mark))

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return states.pause(self._database, self._clock, dag_ids, mark)

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return states.unpause(self._database, self._clock, dag_ids, mark)

    def locked(self, dag_ids: Sequence[str]) -> AbstractContextManager[None]:
        return states.locked(self._database, dag_ids)

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        state = self.dag_states((carried.dag_id,)).get(carried.dag_id)
        if state is None or mark not in {state.mark, state.let_go}:
            raise Conflict(
                f"{carried.dag_id} is not held in the source by this cutover.",
                code="source-cannot-carry",
                hint="Pause it in the source by hand, then roll back again.",
                details={"dag_id": carried.dag_id},
            )
        return carrying.carry(self._database, self._clock, carried)

    def dag_versions(self, dag_ids: Sequence[str]) -> dict[str, str]:
        return versions(self._database, dag_ids)

    def concurrency(self, dag_ids: Sequence[str], since: datetime) -> Peaks:
        return concurrency.peaks(self._database, dag_ids, since)

    @cached_property
    def _stopper(self) -> Stopper:
        return Stopper(self._database, self._clock)

    def stop_runs(self, dag_id: str, mark: str) -> None:
        self._stopper.stop_runs(dag_id, mark)

    def stopped_runs(self, dag_ids: Sequence[str], mark: str) -> dict[str, StoppedRuns]:
        return self._stopper.stopped_runs(dag_ids, mark)

    def resume_runs(self, dag_id: str, mark: str, outcomes: Mapping[str, str]) -> None:
        self._stopper.resume_runs(dag_id, mark, outcomes)

    def hold_back(self, dag_id: str, mark: str) -> None:
        states.hold_back(self._database, dag_id, mark)

    def close(self) -> None:
        self._database.close()


def _raise_first(failed: Mapping[str, AerodromeError]) -> None:
    for error in failed.values():
        raise error


def _all_readable(what: str, wanted: Sequence[str], found: Mapping[str, object]) -> None:
    bad = [name for name in wanted if name not in found or isinstance(found[name], objects.Failure)]
    if bad:
        raise Invalid(
            f"The source has no readable {what} {', '.join(bad)}.",
            code=f"{what.replace('_', '-')}-unreadable",
            hint="Leave it out of the plan, or enter its value anew in the source.",
            details={"names": bad},
        )
