"""What a source adapter offers. Reading is read-only and constant in memory; the only writes are pause and unpause."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import AssetEvent, HistoryBatch, HistoryKind, HistoryWindow, PendingAsset
from aerodrome.migration.estate.records import PoolRecord, Record
from aerodrome.migration.sources.cloud.contract import CloudLogin
from aerodrome.migration.sources.cloud.files import CloudFile
from aerodrome.migration.sources.lanes import RunKey

Progress = Callable[[str, int, int | None], None]
"""Told what is being done ("reading dag", done, total or None)."""


@dataclass(frozen=True)
class SourceConfig:
    """How to read a metadata database. Held encrypted by the platform; only `database_url` and `fernet_keys` are secret."""

    kind: str  # "airflow-db"
    name: str
    database_url: Secret  # SQLAlchemy URL of the metadata database
    fernet_keys: Secret  # comma-separated, newest first; empty when the source does not encrypt
    dags_folder: Path
    plugins_folder: Path | None = None
    include_folder: Path | None = None
    requirements_file: Path | None = None
    config_file: Path | None = None  # airflow.cfg
    env_file: Path | None = None  # NAME=value lines of the scheduler's environment


@dataclass(frozen=True)
class ArchiveConfig:
    """How to read what an exporter script wrote (`aerodrome export`)."""

    name: str
    archive: Path | CloudFile  # here, or an object in S3 or Google Cloud Storage
    key: Secret  # the private key, PEM; empty: the platform's own, filled in before it is opened
    unpacked: Path  # a folder of ours, made when the archive is first read
    kind: str = "airflow-archive"


@dataclass(frozen=True)
class RestConfig:
    """How to read an Airflow over its REST API, or over its Starship plugin (kind `starship`); code and surroundings are files here, as with a database."""

    name: str
    base_url: str
    user: str
    password: Secret  # empty when a token is given
    token: Secret
    dags_folder: Path
    plugins_folder: Path | None = None
    include_folder: Path | None = None
    requirements_file: Path | None = None
    config_file: Path | None = None
    env_file: Path | None = None
    kind: str = "airflow-rest"


@dataclass(frozen=True)
class CloudConfig:
    """A managed environment (Amazon MWAA, Google Cloud Composer), read by the APIs of its cloud."""

    kind: str  # "mwaa" | "composer"
    name: str
    environment: str  # MWAA: its name; Composer: projects/…/locations/…/environments/…
    login: CloudLogin
    folder: Path  # of ours: what lies in its bucket is copied into it
    archive: ArchiveConfig | None = None  # of the exporter that ran in it: objects with secrets, tries, XComs


@dataclass(frozen=True)
class DefinitionsConfig:
    """How to read an estate of definitions: files that are converted, and a running Oozie where there is one to ask."""

    kind: str  # "oozie" | "controlm"
    name: str
    path: Path  # a folder with definitions, or one file
    boundaries: Path  # a file of ours: where each DAG stands (see definitions.boundaries)
    profile: Path | None = None  # YAML: where things run, values that the definitions leave open
    server_url: str = ""  # Oozie's web services; empty: people hold the jobs
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


AnySourceConfig = SourceConfig | ArchiveConfig | RestConfig | CloudConfig | DefinitionsConfig
DEFINITION_NAMES = {"oozie": "Oozie", "controlm": "Control-M"}
DEFINITION_KINDS = tuple(DEFINITION_NAMES)


@dataclass(frozen=True)
class CodeFolders:
    """Where a source's code lies on this machine."""

    dags_folder: Path
    plugins_folder: Path | None = None
    include_folder: Path | None = None
    requirements_file: Path | None = None


@dataclass(frozen=True)
class Probe:
    """One read-only check of a source: reach, version, rights, Fernet key, folders."""

    name: str
    is_ok: bool
    message: str
    hint: str = ""
    is_required: bool = True  # False: needed later only (the right to pause DAGs), or a thing to know


@dataclass(frozen=True)
class SourceDescription:
    """What the probe found."""

    kind: str
    airflow_version: str
    database: str  # "sqlite 3.40.1", "postgresql 15.18"
    schema_revision: str  # alembic revision of the metadata database
    probes: tuple[Probe, ...]

    @property
    def is_ok(self) -> bool:
        return all(probe.is_ok or not probe.is_required for probe in self.probes)


@dataclass(frozen=True)
class ConnectionValue:
    """A connection with its secrets, read at the moment of transfer; `extra` is Airflow's JSON text."""

    conn_id: str
    conn_type: str | None
    host: str | None
    port: int | None
    schema: str | None
    login: str | None
    description: str | None
    password: Secret | None
    extra: Secret | None


@dataclass(frozen=True)
class VariableValue:
    """A variable with its value."""

    name: str
    value: Secret
    description: str | None


@dataclass(frozen=True)
class DagState:
    """What the source's scheduler knows about a DAG right now."""

    dag_id: str
    is_paused: bool
    mark: str | None  # our mark left by pause_dag, None when it was not us
    next_logical_date: datetime | None
    next_interval: tuple[datetime, datetime] | None
    next_run_after: datetime | None
    last_interval: tuple[datetime, datetime] | None  # of the newest scheduled run
    last_run_state: str | None
    let_go: str | None = None  # the mark under which we paused and unpaused it again; set only while it is not paused
    in_flight: dict[str, int] = field(default_factory=dict)  # state -> rows: runs ("run:running") and task instances
    told: str = ""  # what people must do in the source themselves after a way back; a sentence

    @property
    def is_next_passed(self) -> bool:
        """Tell whether the next interval is one that was run already: the source's scheduler has yet to step on."""
        return (
            self.next_logical_date is not None
            and self.last_interval is not None
            and self.next_logical_date <= self.last_interval[0]
        )


@dataclass(frozen=True)
class CarriedRuns:
    """Runs that the target made of a DAG, to be written into the source as finished ones."""

    dag_id: str
    runs: Sequence[Mapping[str, Any]]  # estate.history.RUN_COLUMNS
    tasks: Sequence[Mapping[str, Any]]  # estate.history.TASK_COLUMNS
    next_interval: tuple[datetime, datetime] | None  # what the target would run next
    next_run_after: datetime | None


@dataclass(frozen=True)
class StoppedRuns:
    """Runs of a DAG that were stopped in the source, to be run again in the target."""

    run_ids: tuple[str, ...] = ()
    alive: int = 0  # processes of their tasks that may not have ended yet


@runtime_checkable
class KnowsVersions(Protocol):
    """A source that can tell cheaply whether DAGs have changed."""

    def dag_versions(self, dag_ids: Sequence[str]) -> dict[str, str]:
        """Give the present version of DAGs, as `DagRecord.version`; those of which none is known are missing."""
        ...


@dataclass(frozen=True)
class Peaks:
    """The most that ran at the same time."""

    tasks: int = 0
    slots_by_pool: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class MeasuresConcurrency(Protocol):
    """A source whose history tells how much ran at once."""

    def concurrency(self, dag_ids: Sequence[str], since: datetime) -> Peaks:
        """Give the peaks of these DAGs together, of tasks that began since then."""
        ...


@runtime_checkable
class StopsRuns(Protocol):
    """A source in which runs can be stopped, so that another Airflow runs them again. Each call may be repeated."""

    def stop_runs(self, dag_id: str, mark: str) -> None:
        """End all runs of a held DAG as failed, with what had not succeeded of them."""
        ...

    def stopped_runs(self, dag_ids: Sequence[str], mark: str) -> dict[str, StoppedRuns]:
        """Give what was stopped under the mark and not resumed since."""
        ...

    def resume_runs(self, dag_id: str, mark: str, outcomes: Mapping[str, str]) -> None:
        """Let the stopped runs go on, but for those that ended elsewhere: run id -> state."""
        ...


def for_each(act: Callable[[str], None], dag_ids: Sequence[str]) -> dict[str, AerodromeError]:
    """Do something for one DAG after the other; give the errors of those for which it failed."""
    failed: dict[str, AerodromeError] = {}
    for dag_id in dag_ids:
        try:
            act(dag_id)
        except AerodromeError as error:
            failed[dag_id] = error
    return failed


class SourceAdapter(Protocol):
    """A source system. Errors: Unavailable (no reach), Denied (rights), Invalid (wrong Fernet key, missing folder)."""

    def describe(self) -> SourceDescription:
        """Probe without changing anything; never raises for a failed check, it is a Probe."""
        ...

    def records(self, progress: Progress) -> Iterator[Record]:
        """Stream every record of the estate, kind by kind in the order of records.KINDS."""
        ...

    def connection_values(self, conn_ids: Sequence[str]) -> Iterator[ConnectionValue]:
        """Read connections with their secrets; unknown or undecryptable ones raise Invalid naming them."""
        ...

    def variable_values(self, names: Sequence[str]) -> Iterator[VariableValue]: ...

    def pool_values(self, names: Sequence[str]) -> Iterator[PoolRecord]:
        """Read pools as they are now; unknown names raise Invalid naming them."""
        ...

    def env_values(self, names: Sequence[str]) -> Iterator[tuple[str, Secret]]: ...

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        """Stream history rows of runs in a final state (all task instances final too), ordered, constant in memory."""
        ...

    def history_watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        """Give the moment of the newest change of these DAGs' runs, by the source's own clock; None without any, or where none is told."""
        ...

    def history_changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        """Give the DAGs whose history has changed after a moment by the source's own clock; all, where that costs too much."""
        ...

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        """Count the rows of each kind, rows that turn out to be refused included; kinds that cannot be counted are missing."""
        ...

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]: ...

    def pause_dag(self, dag_id: str, mark: str) -> None:
        """Pause a DAG and leave our mark in the same transaction; a second call with the same mark changes nothing."""
        ...

    def unpause_dag(self, dag_id: str, mark: str) -> None:
        """Undo our pause; Conflict when the DAG was not paused by this mark."""
        ...

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        """Pause many DAGs, each as `pause_dag` does; give the errors of those that could not be."""
        ...

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        """Undo our pause of many DAGs; give the errors of those that could not be."""
        ...

    def locked(self, dag_ids: Sequence[str]) -> AbstractContextManager[None]:
        """Keep others from changing these DAGs inside the block, where the source can do that. Stay in it for moments only."""
        ...

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        """Write runs that another Airflow made as finished ones, with what comes next; give how many were new.

        One transaction; runs that stand there already are left alone. Conflict `source-cannot-carry` where that cannot be
        done, or when the DAG is not held (or was let go) under this mark.
        """
        ...

    def hold_back(self, dag_id: str, mark: str) -> None:
        """Keep a DAG that we let go from starting scheduled runs, until the source parses it again.

        For the time in which its running runs end; does nothing unless the DAG was let go under this mark.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class ShownConfig:
    """An `executor_config` as an API shows it: the text that Python gives of the object. Never evaluate it."""

    text: str


StoredConfig = bytes | ShownConfig
"""A pickle as Airflow keeps it (a program: never load it), or what an API shows of it."""

ConfigRows = list[tuple[tuple[Any, ...], StoredConfig]]
"""(natural key, `executor_config`) of rows that have one."""


@runtime_checkable
class OffersExecutorConfigs(Protocol):
    """A source adapter that gives the `executor_config` of task instances and tries."""

    def has_executor_configs(self, kind: HistoryKind) -> bool:
        """Tell whether those of a kind can be read at all; where not, nobody knows whether there are any."""
        ...

    def executor_configs(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[ConfigRows]:
        """Stream those of the rows that move, DAG by DAG."""
        ...


@runtime_checkable
class AsksPeople(Protocol):
    """A source adapter in which people hold what it cannot, and say what it does not know."""

    def unanswered(self, dag_ids: Sequence[str]) -> dict[str, AerodromeError]:
        """Give what is missing before a DAG can move: the confirmation that it is held, the time that ran last."""
        ...


@runtime_checkable
class OffersAssets(Protocol):
    """A source adapter that gives the events of assets (datasets before 3.0)."""

    def asset_events(self, dag_ids: Sequence[str]) -> Iterator[list[AssetEvent]]:
        """Stream the events that a task of these DAGs made, or that belong to an asset by which one is scheduled."""
        ...

    def asset_runs(self, dag_ids: Sequence[str]) -> Iterator[list[tuple[RunKey, AssetEvent]]]:
        """Stream which events started which run of these DAGs."""
        ...

    def asset_queue(self, dag_ids: Sequence[str]) -> list[PendingAsset]:
        """Give the assets of which these DAGs were told, and for which they have not run yet."""
        ...


AssetHistory = tuple[list[AssetEvent], list[tuple[RunKey, AssetEvent]]]
"""Events of assets, and which runs of the DAGs in question some of them started."""


@runtime_checkable
class GivesAssetsAtOnce(Protocol):
    """A source to which `asset_events` and `asset_runs` are the same questions."""

    def asset_history(self, dag_ids: Sequence[str]) -> Iterator[AssetHistory]:
        """Stream both together."""
        ...


def asset_history(source: OffersAssets, dag_ids: Sequence[str]) -> Iterator[AssetHistory]:
    """Stream events and what they started, each event before its runs, in as few questions as the source takes."""
    if isinstance(source, GivesAssetsAtOnce):
        yield from source.asset_history(dag_ids)
        return
    for events in source.asset_events(dag_ids):
        yield events, []
    for links in source.asset_runs(dag_ids):
        yield [], links
