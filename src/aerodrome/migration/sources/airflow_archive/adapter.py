"""The source adapter over an archive: a picture of an Airflow. Everything can be read from it, and nothing done with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import AerodromeError, Conflict
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import AssetEvent, HistoryBatch, HistoryKind, HistoryWindow, PendingAsset
from aerodrome.migration.estate.records import KINDS, ConfigRecord, PackageRecord, PoolRecord, Record
from aerodrome.migration.sources.airflow_archive import unpacking
from aerodrome.migration.sources.airflow_archive.sealing import local_fernet_key
from aerodrome.migration.sources.airflow_db.adapter import AirflowDatabaseSource
from aerodrome.migration.sources.airflow_db.surroundings import config_records
from aerodrome.migration.sources.contract import (
    ArchiveConfig,
    CarriedRuns,
    CodeFolders,
    ConfigRows,
    ConnectionValue,
    DagState,
    Peaks,
    Probe,
    Progress,
    SourceConfig,
    SourceDescription,
    VariableValue,
    for_each,
)
from aerodrome.migration.sources.lanes import RunKey, TextHistory

SHOWN_NAMES = 5
_LIVE = "Connect the running source for that (`--database-url-env`, or `--rest-url`), in a migration of its own."


class AirflowArchiveSource:
    """Implements SourceAdapter. The archive is unpacked when records are first asked for, and then no more needed."""

    def __init__(self, config: ArchiveConfig, fingerprint_key: bytes, clock: Clock) -> None:
        self._config = config
        self._key = fingerprint_key
        self._clock = clock

    def describe(self) -> SourceDescription:
        """Read the archive to its end, checking every part, unless that was done; nothing is unpacked."""
        config = self._config
        try:
            summary = unpacking.known(config.archive, config.key, config.unpacked)
            summary = summary or unpacking.check(config.archive, config.key)
        except AerodromeError as error:
            return SourceDescription(
                self._config.kind, "", "", "", (Probe("archive", False, error.message, error.hint),)
            )
        found = summary.surroundings
        return SourceDescription(
            self._config.kind, found.airflow_version, found.database, found.revision, tuple(_probes(summary))
        )

    @cached_property
    def _surroundings(self) -> unpacking.Surroundings:
        unpacking.unpack(self._config.archive, self._config.key, self._config.unpacked)
        return unpacking.surroundings(self._config.unpacked, self._config.key)

    @cached_property
    def _inner(self) -> _UnpackedSource:
        found, code = self._surroundings, unpacked_code(self._config)
        keys = (found.fernet_keys.reveal(), local_fernet_key(self._config.key).reveal())
        config = SourceConfig(
            kind=self._config.kind,
            name=self._config.name,
            database_url=Secret(f"sqlite:///{self._config.unpacked / unpacking.DATABASE}"),
            fernet_keys=Secret(",".join(filter(None, keys))),
            dags_folder=code.dags_folder,
            plugins_folder=code.plugins_folder,
            include_folder=code.include_folder,
            requirements_file=code.requirements_file,
        )
        options = {record.option: record.value or "" for record in self._config_records()}
        return _UnpackedSource(config, self._key, self._clock, found.env, options)

    def records(self, progress: Progress) -> Iterator[Record]:
        """Stream the estate; options and packages come from what the exporter found in the running Airflow."""
        order = list(KINDS)
        waiting: dict[str, Iterator[Record]] = {"config": self._config_records(), "package": self._package_records()}
        for record in self._inner.records(progress):
            for kind in [kind for kind in waiting if order.index(kind) < order.index(record.kind)]:
                yield from waiting.pop(kind)
            if record.kind != "config":  # the environment's share of it stands in ours, too
                yield record
        for rest in waiting.values():
            yield from rest

    def _config_records(self) -> Iterator[ConfigRecord]:
        found = self._surroundings.config
        spelled = {f"AIRFLOW__{option.replace('.', '__', 1)}".upper(): value for option, (value, _) in found.items()}
        origins = {option.lower(): origin for option, (_, origin) in found.items()}
        for record in config_records(None, spelled):
            is_from_env = origins.get(record.option, "").startswith("env")
            yield replace(record, origin="environment" if is_from_env else "file")

    def _package_records(self) -> Iterator[PackageRecord]:
        seen: set[str] = set()
        for name, version in self._surroundings.packages:
            normal = name.lower().replace("_", "-").replace(".", "-")
            if normal not in seen:
                seen.add(normal)
                yield PackageRecord(normal, version, "installed")

    def connection_values(self, conn_ids: Sequence[str]) -> Iterator[ConnectionValue]:
        return self._inner.connection_values(conn_ids)

    def variable_values(self, names: Sequence[str]) -> Iterator[VariableValue]:
        return self._inner.variable_values(names)

    def pool_values(self, names: Sequence[str]) -> Iterator[PoolRecord]:
        return self._inner.pool_values(names)

    def env_values(self, names: Sequence[str]) -> Iterator[tuple[str, Secret]]:
        return self._inner.env_values(names)

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        return self._inner.history(kind, window)

    def history_watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        return self._inner.history_watermark(dag_ids)

    def history_changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        del since
        return set(dag_ids)

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        return self._inner.history_counts(window)

    def text_history(self) -> TextHistory | None:
        """Give the history as the unpacked database writes it."""
        return self._inner.text_history()

    def has_executor_configs(self, kind: HistoryKind) -> bool:
        return self._inner.has_executor_configs(kind)

    def executor_configs(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[ConfigRows]:
        return self._inner.executor_configs(kind, window)

    def asset_events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        return self._inner.asset_events(dag_ids)

    def asset_runs(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[RunKey, AssetEvent]]]:
        return self._inner.asset_runs(dag_ids)

    def asset_queue(self, dag_ids: Sequence[str]) -> list[PendingAsset]:
        return self._inner.asset_queue(dag_ids)

    def concurrency(self, dag_ids: Sequence[str], since: datetime) -> Peaks:
        return self._inner.concurrency(dag_ids, since)

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        del dag_ids
        _refuse("tell what the scheduler does now")

    def pause_dag(self, dag_id: str, mark: str) -> None:
        del dag_id, mark
        _refuse("pause a DAG")

    def unpause_dag(self, dag_id: str, mark: str) -> None:
        del dag_id, mark
        _refuse("unpause a DAG")

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return for_each(lambda dag_id: self.pause_dag(dag_id, mark), dag_ids)

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return for_each(lambda dag_id: self.unpause_dag(dag_id, mark), dag_ids)

    def locked(self, dag_ids: Sequence[str]) -> AbstractContextManager[None]:
        del dag_ids
        return nullcontext()

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        del carried, mark
        _refuse("write runs")

    def hold_back(self, dag_id: str, mark: str) -> None:
        del dag_id, mark
        _refuse("hold a DAG back")

    def close(self) -> None:
        if "_inner" in self.__dict__:
            self._inner.close()


class _UnpackedSource(AirflowDatabaseSource):
    """A metadata database whose environment and options were found by the exporter."""

    def __init__(
        self, config: SourceConfig, key: bytes, clock: Clock, env: Mapping[str, Secret], options: Mapping[str, str]
    ) -> None:
        super().__init__(config, key, clock)
        self._given = env
        self._found_options = options

    @cached_property
    def _env(self) -> dict[str, Secret]:
        return dict(self._given)

    def _options(self) -> dict[str, str]:
        return dict(self._found_options)

    def _measures(self) -> Iterator[Record]:
        """Leave out the figures of what an exporter does not take: the rows of the log, and the size of the source's files."""
        left_out = {"rows:log", "bytes:log", "bytes:database"}
        yield from (record for record in super()._measures() if record.key not in left_out)


def unpacked_code(config: ArchiveConfig) -> CodeFolders:
    """Give the code of an archive, unpacked if it was not yet."""
    unpacking.unpack(config.archive, config.key, config.unpacked)
    found: dict[str, Path | None] = {}
    for part in unpacking.PARTS:
        folder = config.unpacked / part
        found[part] = folder if folder.is_dir() else None
    requirements = found["requirements"]
    dags = config.unpacked / "dags"
    dags.mkdir(exist_ok=True)  # an Airflow without files is an Airflow
    return CodeFolders(
        dags,
        found["plugins"],
        found["include"],
        next((path for path in sorted(requirements.iterdir())), None) if requirements else None,
    )


def _refuse(what: str) -> NoReturn:
    raise Conflict(
        f"An archive cannot {what}: it is a picture of the source, taken at one moment.",
        code="source-is-archive",
        hint=_LIVE,
    )


def _probes(summary: unpacking.Summary) -> Iterator[Probe]:
    found = summary.surroundings
    rows = {table: count for table, count in summary.rows.items() if table != "files"}
    yield Probe(
        "archive",
        True,
        f"The archive is whole: {sum(rows.values()):,} rows of {len(rows)} tables and {summary.rows.get('files', 0):,} "
        f"files, taken from {summary.started_at} to {summary.ended_at}, digest {summary.digest[:16]}.",
    )
    yield Probe("version", True, f"Airflow {found.airflow_version}: the exporter ran in it.", is_required=False)
    yield from _fernet_probes(found)
    yield Probe(
        "pausing",
        False,
        "An archive cannot pause DAGs or tell what runs now; everything up to the cutover works.",
        _LIVE,
        is_required=False,
    )
    if summary.sittings > 1:
        yield Probe(
            "one moment",
            False,
            f"The export was taken up {summary.sittings} times: its tables are of different moments.",
            "Export anew when runs went on meanwhile.",
            is_required=False,
        )
    if summary.skipped_files:
        names = ", ".join(summary.skipped_files[:SHOWN_NAMES])
        yield Probe(
            "files", False, f"{len(summary.skipped_files)} files were not taken (unreadable, links that lead to nothing, or over 64 MiB): {names}.",
            "Give them to the project by hand.", is_required=False,
        )  # fmt: skip
    for note in found.notes:
        yield Probe("left behind", False, note, is_required=False)


def _fernet_probes(found: unpacking.Surroundings) -> Iterator[Probe]:
    failed, total = found.fernet_failed, found.fernet_opened + len(found.fernet_failed)
    names = ", ".join(failed[:SHOWN_NAMES]) + (f" and {len(failed) - SHOWN_NAMES} more" if failed[SHOWN_NAMES:] else "")
    if failed and not found.fernet_opened:
        yield Probe(
            "fernet key",
            False,
            f"The source's own Fernet key opens none of its {total} encrypted connections and variables.",
            "Run the exporter with the environment of the scheduler (AIRFLOW__CORE__FERNET_KEY).",
        )
        return
    yield Probe("fernet key", True, f"{found.fernet_opened} of {total} encrypted values open.")
    if failed:
        yield Probe(
            "undecryptable",
            False,
            f"{len(failed)} cannot be decrypted, in Airflow neither: {names}.",
            "They cannot move. Enter their values anew in the target.",
            is_required=False,
        )
