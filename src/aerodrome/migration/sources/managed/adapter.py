"""The source adapter of a managed environment: its cloud's APIs, its bucket, its Airflow's REST API, and an archive of it.

With an archive (the exporter ran in the environment), objects with their secrets, earlier tries and XComs come from there;
runs, task instances, the state of the scheduler and the pause come from the living Airflow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from shutil import rmtree

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import AerodromeError, Conflict
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import AssetEvent, HistoryBatch, HistoryKind, HistoryWindow, PendingAsset
from aerodrome.migration.estate.records import ConfigRecord, PoolRecord, Record
from aerodrome.migration.sources.airflow_archive.adapter import AirflowArchiveSource, unpacked_code
from aerodrome.migration.sources.airflow_db import surroundings
from aerodrome.migration.sources.airflow_rest.activity import Activity
from aerodrome.migration.sources.airflow_rest.adapter import AirflowRestSource
from aerodrome.migration.sources.contract import (
    AssetHistory,
    CarriedRuns,
    CloudConfig,
    CodeFolders,
    ConfigRows,
    ConnectionValue,
    DagState,
    Probe,
    Progress,
    RestConfig,
    SourceConfig,
    SourceDescription,
    VariableValue,
    asset_history,
    for_each,
)
from aerodrome.migration.sources.lanes import RunKey
from aerodrome.migration.sources.managed.contract import DAGS, PLUGINS, REQUIREMENTS, ManagedEnvironment

LIVE: tuple[HistoryKind, ...] = ("run", "task_instance")
_NO_ARCHIVE = (
    "Run `aerodrome export` in the environment (with `--out` in its bucket), and connect with `--archive` too."
)


class ManagedSource:
    """Implements SourceAdapter. Nothing connects before the first call."""

    def __init__(
        self, config: CloudConfig, environment: ManagedEnvironment, fingerprint_key: bytes, clock: Clock
    ) -> None:
        self._config = config
        self._environment = environment
        self._key = fingerprint_key
        self._clock = clock

    @cached_property
    def _picture(self) -> AirflowArchiveSource | None:
        archive = self._config.archive
        return AirflowArchiveSource(archive, self._key, self._clock) if archive else None

    @cached_property
    def _live(self) -> LiveAirflow:
        return LiveAirflow(self._config, self._environment, self._key, self._clock)

    def describe(self) -> SourceDescription:
        """Probe cloud, Airflow and archive; a failed check is a Probe."""
        found: list[Probe] = []
        version = ""
        try:
            found.extend(self._environment.probes())
            version = self._environment.airflow_version
            if self._environment.has_rest:
                said = self._live.describe().probes
                found += [each for each in said if self._picture is None or each.name not in _IN_ARCHIVE]
            else:
                found.append(
                    Probe(
                        "REST API",
                        False,
                        f"The REST API of Airflow {version} cannot be reached this way.",
                        _NO_ARCHIVE,
                        is_required=self._picture is None,
                    )
                )
        except AerodromeError as error:
            found.append(Probe("environment", False, error.message, error.hint))
        if self._picture is not None:
            said = self._picture.describe().probes
            found += [replace(each, name=f"archive: {each.name}") for each in said if each.name != "pausing"]
        return SourceDescription(self._config.kind, version, "", "", tuple(found))

    def records(self, progress: Progress) -> Iterator[Record]:
        """Stream the estate: of the archive where there is one, else of the cloud, the bucket and REST."""
        if self._picture is not None:
            yield from self._picture.records(progress)
            return
        progress("copying files", 0, None)
        code = copied(self._config, self._environment, lambda done: progress("copying files", done, None))
        yield from self._live.with_code(code).records(progress)

    def connection_values(self, conn_ids: Sequence[str]) -> Iterator[ConnectionValue]:
        return self._objects.connection_values(conn_ids)

    def variable_values(self, names: Sequence[str]) -> Iterator[VariableValue]:
        return self._objects.variable_values(names)

    def pool_values(self, names: Sequence[str]) -> Iterator[PoolRecord]:
        return self._objects.pool_values(names)

    def env_values(self, names: Sequence[str]) -> Iterator[tuple[str, Secret]]:
        return self._objects.env_values(names)

    @property
    def _objects(self) -> AirflowArchiveSource | LiveAirflow:
        return self._picture or self._live

    def _history_of(self, kind: HistoryKind) -> AirflowArchiveSource | LiveAirflow:
        is_live = self._environment.has_rest and (kind in LIVE or self._picture is None)
        return self._live if is_live else self._objects

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        return self._history_of(kind).history(kind, window)

    def history_watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        return self._history_of("run").history_watermark(dag_ids)

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        found = dict(self._objects.history_counts(window))
        if self._environment.has_rest:
            live = self._live.history_counts(window)
            found |= {kind: live[kind] for kind in LIVE}
        return found

    def history_changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        return self._history_of("run").history_changed(dag_ids, since)

    def has_executor_configs(self, kind: HistoryKind) -> bool:
        return self._history_of(kind).has_executor_configs(kind)

    def executor_configs(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[ConfigRows]:
        return self._history_of(kind).executor_configs(kind, window)

    def asset_events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        return self._history_of("run").asset_events(dag_ids)

    def asset_runs(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[RunKey, AssetEvent]]]:
        return self._history_of("run").asset_runs(dag_ids)

    def asset_history(self, dag_ids: Sequence[str]) -> Iterator[AssetHistory]:
        return asset_history(self._history_of("run"), dag_ids)

    def asset_queue(self, dag_ids: Sequence[str]) -> list[PendingAsset]:
        return self._history_of("run").asset_queue(dag_ids)

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        return self._control.dag_states(dag_ids)

    def activity(self, since: datetime) -> Activity:
        """Tell what went on since a moment, and goes on now; Conflict `source-without-rest`."""
        return self._control.activity(since)

    def pause_dag(self, dag_id: str, mark: str) -> None:
        self._control.pause_dag(dag_id, mark)

    def unpause_dag(self, dag_id: str, mark: str) -> None:
        self._control.unpause_dag(dag_id, mark)

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return for_each(lambda dag_id: self.pause_dag(dag_id, mark), dag_ids)

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return for_each(lambda dag_id: self.unpause_dag(dag_id, mark), dag_ids)

    def locked(self, dag_ids: Sequence[str]) -> AbstractContextManager[None]:
        return self._control.locked(dag_ids)

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        return self._control.carry_runs(carried, mark)

    def hold_back(self, dag_id: str, mark: str) -> None:
        self._control.hold_back(dag_id, mark)

    @property
    def _control(self) -> LiveAirflow:
        if not self._environment.has_rest:
            raise Conflict(
                f"Airflow {self._environment.airflow_version} has no REST API here: nothing can be paused or watched.",
                code="source-without-rest",
                hint="Move everything up to the cutover; then pause the DAGs in its own pages.",
            )
        return self._live

    def close(self) -> None:
        for name in ("_live", "_picture"):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()
        self._environment.close()


_IN_ARCHIVE = ("connection secrets", "variable secrets", "history", "dependencies", "time zones", "users")
"""What REST leaves behind and an archive brings."""


class LiveAirflow(AirflowRestSource):
    """The REST API of a managed environment, with what its cloud says of options and variables."""

    def __init__(
        self, config: CloudConfig, environment: ManagedEnvironment, fingerprint_key: bytes, clock: Clock
    ) -> None:
        self._managed = environment
        folder = config.folder / DAGS
        rest = RestConfig(config.name, "", "", Secret(""), Secret(""), folder, kind=config.kind)
        super().__init__(rest, fingerprint_key, clock, environment.reader())

    def with_code(self, code: CodeFolders) -> LiveAirflow:
        """Read code from these folders from now on."""
        self.__dict__["_files"] = SourceConfig(
            kind=self._config.kind,
            name=self._config.name,
            database_url=Secret(""),
            fernet_keys=Secret(""),
            **vars(code),
        )
        return self

    @cached_property
    def _env(self) -> dict[str, Secret]:
        return dict(self._managed.env())

    def _file_probes(self) -> Iterable[Probe]:
        return ()  # the bucket was probed

    def _config_records(self) -> Iterator[ConfigRecord]:
        spelled = {
            f"AIRFLOW__{option.replace('.', '__', 1)}".upper(): Secret(value)
            for option, value in self._managed.options().items()
        }
        for record in surroundings.config_records(None, spelled):
            yield replace(record, origin="file")


def copied(config: CloudConfig, environment: ManagedEnvironment, progress: Callable[[int], None]) -> CodeFolders:
    """Copy the bucket anew into the folder, in the place of what was copied before."""
    draft = config.folder.with_name(f"{config.folder.name}.draft")
    rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    environment.copy(draft, progress)
    (draft / DAGS).mkdir(exist_ok=True)
    rmtree(config.folder, ignore_errors=True)
    draft.rename(config.folder)
    return folders_in(config.folder)


def managed_code(config: CloudConfig, environment: ManagedEnvironment) -> CodeFolders:
    """Give the code as it was assessed; it is copied if that did not happen yet."""
    if config.archive is not None:
        return unpacked_code(config.archive)
    if not config.folder.is_dir():
        return copied(config, environment, lambda _done: None)
    return folders_in(config.folder)


def folders_in(folder: Path) -> CodeFolders:
    """Name what was copied."""
    plugins, requirements = folder / PLUGINS, folder / REQUIREMENTS
    return CodeFolders(
        folder / DAGS,
        plugins if plugins.is_dir() else None,
        None,
        requirements if requirements.is_file() else None,
    )
