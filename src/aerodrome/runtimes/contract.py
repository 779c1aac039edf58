"""What every runtime offers: make a spec true, tell what is true, stop, show logs.

Called by fleet's reconciler. A runtime never touches the platform's database or settings, and calls nobody back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from aerodrome.airflowkit.vitals import Pulse
from aerodrome.kernel.secret import Secret
from aerodrome.parsing.contract import ParseLimits, ParseResult

if TYPE_CHECKING:
    from aerodrome.runtimes.databases import Databases

Health = Literal["healthy", "starting", "degraded", "unhealthy", "stopped", "missing"]


@dataclass(frozen=True)
class AirflowEnvironment:
    """Connections and variables that reach a running Airflow through its secrets backend, without a restart."""

    connections: Mapping[str, Secret] = field(default_factory=dict)  # conn_id -> Airflow's JSON
    variables: Mapping[str, Secret] = field(default_factory=dict)
    backend_class: str | None = None  # the team's own secrets backend, asked first
    backend_kwargs: Mapping[str, Any] = field(default_factory=dict)  # JSON values, or Secret


@dataclass(frozen=True)
class RunResult:
    """How a command inside a deployment ended."""

    exit_code: int | None  # None: the time was up
    output: str
    errors: str


@dataclass(frozen=True)
class RuntimeSpec:
    """All that a runtime needs to run one Airflow. Equal specs are the same wish; `generation` only orders them."""

    deployment_id: str
    generation: int
    airflow_version: str  # "3.3.2"
    python_version: str  # "3.11"
    venv: Path  # ready virtualenv that holds this Airflow
    project: (
        Path | None
    )  # folder of the current deploy's bundle (dags/, plugins/, include/ below), None before the first
    bundle_digest: str | None  # digest of that bundle; a change that touches only dags/ must not restart anything
    fernet_key: Secret
    signing_key: Secret  # Ed25519 private key (PEM) of the control plane for this deployment's API tokens
    database_url: Secret | None = None  # None: SQLite inside the deployment's own folder
    env: Mapping[str, str | Secret] = field(default_factory=dict)  # environment variables, Airflow config ones included
    config: Mapping[str, str] = field(default_factory=dict)  # "section.option" -> value, wins over our defaults
    parallelism: int = 4
    public_url: str | None = None  # where people reach this Airflow's UI, behind the gate; path included
    is_running: bool = True  # False: hibernated
    environment: AirflowEnvironment = field(default_factory=AirflowEnvironment)  # a change of it restarts nothing
    drain_s: float = 0.0  # before Airflow stops, running tasks get so long to finish; nothing new is started meanwhile
    # Airflow >= 3: named DAG bundles beside the project, name -> folder of a bundle (its dags/ is the DAG bundle) ...
    extra_projects: Mapping[str, Path] = field(default_factory=dict)
    extra_digests: Mapping[str, str] = field(default_factory=dict)  # ... and name -> digest, for the same names


@dataclass(frozen=True)
class ComponentObservation:
    """One process of a deployment."""

    name: str  # scheduler, api-server, webserver, dag-processor, triggerer
    state: Literal["running", "starting", "backing-off", "stopped", "failed"]
    pid: int | None
    started_at: datetime | None
    restarts: int
    last_exit_code: int | None
    reason: str | None


@dataclass(frozen=True)
class Observation:
    """What is true about one deployment now."""

    deployment_id: str
    health: Health
    reasons: tuple[str, ...]  # a sentence each, empty when healthy
    generation: int | None  # generation that the running processes have
    airflow_version: str | None
    base_url: str | None  # loopback URL of this Airflow's own web/API server
    components: tuple[ComponentObservation, ...]
    observed_at: datetime


@dataclass(frozen=True)
class AirflowAccess:
    """How the control plane reaches one running Airflow: its API and its metadata database."""

    base_url: str
    airflow_version: str
    database_url: Secret  # SQLAlchemy URL (sqlite:///… or postgresql+psycopg://…)
    fernet_key: Secret
    signing_key: Secret
    logs_folder: Path | None = None  # where its Airflow keeps task logs, when this machine can write there


@dataclass(frozen=True)
class Snapshot:
    """A metadata database at rest in a folder; no secrets but what the database itself holds."""

    folder: Path
    airflow_version: str
    dialect: str  # sqlite | postgresql
    size_bytes: int
    digest: str
    row_counts: Mapping[str, int]  # table -> rows


@dataclass(frozen=True)
class Conversion:
    """What a change of the Airflow version did to the metadata database."""

    seconds: float
    rows_before: Mapping[str, int]
    rows_after: Mapping[str, int]
    loss: Mapping[str, Any] | None  # the loss report of a way back, as JSON; None for an upgrade
    was_done: bool = False  # an earlier call had finished it; the figures are empty then


@dataclass(frozen=True)
class Rehearsal:
    """What a change of the Airflow version did to a copy. Everything is JSON; nothing of the deployment was touched."""

    from_version: str
    to_version: str
    database: Mapping[str, Any]  # seconds, size_bytes, rows_before, rows_after
    loss: Mapping[str, Any] | None  # for a way back: what is carried, what is only archived, and why
    dags: Mapping[str, Any]  # equal (count), different, broken, gone: lists with reasons
    config: tuple[Mapping[str, Any], ...]  # options that the other version does not know, with what to do
    packages: Mapping[str, Any]  # changed, added, removed distributions
    scheduling: Mapping[str, Any]  # the other Airflow's scheduler started on the copy: what it managed
    problems: tuple[str, ...]  # sentences; empty when the change may be made
    seconds: float


Progress = Callable[[str], None]  # is given a sentence now and then


@dataclass(frozen=True)
class ProcessUse:
    """What one component uses with all its child processes; `supervisor` is the shim."""

    component: str
    processes: int
    rss_bytes: int
    pss_bytes: int | None  # None: not asked for
    cpu_seconds: float  # since the components' processes started


@dataclass(frozen=True)
class Measurement:
    """What one deployment uses and how busy it is."""

    deployment_id: str
    measured_at: datetime
    processes: tuple[ProcessUse, ...]
    disk_free_bytes: int  # of the file system that holds the deployment
    disk_total_bytes: int
    pulse: Pulse | None  # of its metadata database; None when nothing runs or it did not answer
    trouble: str | None  # why there is no pulse


class Runtime(Protocol):
    """Verbs and a few looks. All are idempotent and safe to repeat after a crash at any line."""

    @property
    def databases(self) -> Databases:
        """Give the verbs for metadata databases as such."""
        ...

    def apply(self, spec: RuntimeSpec) -> None:
        """Make the spec true: returns once the wish is durably handed over, does not wait until Airflow is healthy."""
        ...

    def observe(self, deployment_id: str) -> Observation:
        """Tell what is true now, in well under a second; never raises because Airflow is down."""
        ...

    def stop(self, deployment_id: str, grace_s: float, drain_s: float = 0.0) -> None:
        """Stop all processes: TERM, wait up to `grace_s`, KILL. Leaves files and data.

        With `drain_s` the scheduler is asked first: it starts nothing new and running tasks may finish for so long. Tasks that do not
        are ended as their Airflow ends tasks: it writes down the retry or the failure.
        """
        ...

    def running_tasks(self, spec: RuntimeSpec) -> tuple[str, ...]:
        """Name the tasks that the last stop cut off, and those that stand as running: "dag run task", about a thousand at most."""
        ...

    def snapshot(self, spec: RuntimeSpec, folder: Path, progress: Progress) -> Snapshot:
        """Copy the metadata database into a new folder, consistently, also while Airflow runs."""
        ...

    def restore(self, spec: RuntimeSpec, folder: Path, progress: Progress) -> None:
        """Put a snapshot in the place of the metadata database, whole or not at all; Conflict while Airflow runs."""
        ...

    def parse(self, spec: RuntimeSpec, limits: ParseLimits, progress: Progress) -> ParseResult:
        """Read every DAG of the spec under its exact environment, beside what runs: nothing of it changes.

        Broken (airflow-not-importable) when this Airflow cannot start at all, Unavailable (parser-…) when it should be tried
        again. What a file does wrong stands in the result.
        """
        ...

    def rehearse(
        self, before: RuntimeSpec, after: RuntimeSpec, snapshot: Path | None, folder: Path, progress: Progress
    ) -> Rehearsal:
        """Try the change from `before` to `after` on a copy. `snapshot`: a way back to the Airflow that took it.

        `folder` is for what the rehearsal writes; the caller removes it. Raises only when the rehearsal itself could not
        be done; what the change would break stands in `problems`.
        """
        ...

    def prepare_way_back(self, spec: RuntimeSpec, snapshot: Path, progress: Progress) -> None:
        """Restore a snapshot beside the database of `spec` while it runs, so that `convert` is quick; saves time, no more."""
        ...

    def convert(self, before: RuntimeSpec, after: RuntimeSpec, snapshot: Path | None, progress: Progress) -> Conversion:
        """Make the metadata database one of `after`'s Airflow, beside the present one and then swapped in one step.

        Without `snapshot` it is upgraded; with it the snapshot is restored and what came since is carried back. Conflict
        while Airflow runs. `after.generation` names the conversion: the same again changes nothing.
        """
        ...

    def delete(self, deployment_id: str) -> None:
        """Stop and remove everything that this runtime keeps for the deployment, its metadata database file included."""
        ...

    def rest(self) -> None:
        """End what is kept warm for the next call; deployments keep running, and the next call only takes longer."""
        ...

    def logs(self, deployment_id: str, component: str, tail: int) -> Iterator[str]:
        """Give the last `tail` lines of a component's log, oldest first; NotFound for an unknown component."""
        ...

    def run(self, spec: RuntimeSpec, arguments: Sequence[str], *, given: str, timeout_s: float) -> RunResult:
        """Run a program of the virtualenv with the deployment's environment, `given` on its standard input.

        For looks that must happen where tasks run; also while the deployment sleeps. Unavailable before its first start.
        """
        ...

    def access(self, spec: RuntimeSpec) -> AirflowAccess:
        """Tell how to reach this Airflow; Unavailable before its first start."""
        ...

    def forget_releases(self, deployment_id: str, database_url: Secret | None, keep: AbstractSet[str]) -> int:
        """Remove the copies of bundles that are neither in `keep` (digests), nor live, nor pinned by an unfinished run.

        Gives how many went. Unavailable when the metadata database cannot tell what is pinned: then nothing goes.
        """
        ...

    def virtualenvs(self) -> AbstractSet[Path]:
        """Give the virtualenvs in which its deployments run, or would when they wake."""
        ...

    def measure(self, deployment_id: str, database_url: Secret | None, *, is_thorough: bool) -> Measurement:
        """Tell what the deployment uses and how busy it is, in well under a second; never raises because Airflow is down.

        `database_url` as in the spec. A thorough look also gives proportional memory, table sizes and finished rows.
        """
        ...
