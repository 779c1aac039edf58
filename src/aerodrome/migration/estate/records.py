"""The neutral records of an estate. Whatever the source is, this is what it looks like afterwards.

Secrets never stand in records: a secret field holds a keyed fingerprint (Secret.fingerprint) and is re-read from the
source at the moment of the transfer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar


@dataclass(frozen=True)
class Record:
    """Base of all records: `kind` names the file in the estate, `key` is unique within the kind."""

    kind: ClassVar[str] = ""

    @property
    def key(self) -> str:
        raise NotImplementedError


@dataclass(frozen=True)
class DagRecord(Record):
    """A DAG with what the scheduler knows about it and a summary of its history. Moments are ISO 8601 UTC texts."""

    kind: ClassVar[str] = "dag"
    dag_id: str
    file: str  # relative to the DAGs folder, absolute where it lies outside
    is_paused: bool
    is_active: bool
    schedule: str | None  # cron text, preset, "timedelta:<seconds>", "dataset", or None for manual only
    schedule_kind: str  # cron | timedelta | preset | dataset | timetable | continuous | none
    timetable: str | None  # class path
    timezone: str | None
    catchup: bool | None
    start_date: str | None
    end_date: str | None
    max_active_runs: int | None
    max_active_tasks: int | None
    owners: tuple[str, ...]
    tags: tuple[str, ...]
    description: str | None
    task_count: int
    tasks: tuple[dict[str, Any], ...]  # task_id, operator, module, pool, queue, upstream[], downstream[], has_sla, …
    depends_on_dags: tuple[str, ...]  # external task sensors, triggers
    datasets_in: tuple[str, ...]
    datasets_out: tuple[str, ...]
    pools: tuple[str, ...]
    queues: tuple[str, ...]
    connections: tuple[str, ...]  # conn ids that its file mentions (static)
    variables: tuple[str, ...]
    next_logical_date: str | None
    next_interval_start: str | None
    next_interval_end: str | None
    next_run_after: str | None
    run_states: dict[str, int] = field(default_factory=dict)  # state -> number of runs, whole history
    task_states: dict[str, int] = field(default_factory=dict)
    last_run_at: str | None = None
    runs_30d: int = 0
    failures_30d: int = 0
    duration_p95_s: float | None = None
    import_error: str | None = None
    runs_1d: int = 0
    runs_7d: int = 0
    runs_365d: int = 0
    callbacks: tuple[str, ...] = ()  # of the DAG itself: names of its arguments
    version: str | None = None  # changes when the DAG does, not with a computed start date
    aliases_in: tuple[str, ...] = ()  # names of asset aliases that its schedule waits for
    aliases_out: tuple[str, ...] = ()  # ... and that its tasks write
    unread: tuple[str, ...] = ()  # fields above, or of its tasks, that this kind of source cannot tell: empty, not none

    @property
    def key(self) -> str:
        return self.dag_id


@dataclass(frozen=True)
class ConnectionRecord(Record):
    """A connection without its secrets. `origin`: metadata-db, environment, secrets-backend (asked for by name, never read)."""

    kind: ClassVar[str] = "connection"
    conn_id: str
    conn_type: str | None
    host: str | None
    port: int | None
    schema: str | None
    login: str | None
    description: str | None
    extra_keys: tuple[str, ...]  # names only; values may be secret
    has_password: bool
    has_extra: bool
    fingerprint: str | None  # over type, host, port, schema, login, password, extra; None when it cannot be decrypted
    origin: str
    error: str | None = None  # why it cannot be decrypted
    has_odd_extra: bool = False  # it is no JSON object

    @property
    def key(self) -> str:
        return self.conn_id


@dataclass(frozen=True)
class VariableRecord(Record):
    """An Airflow variable without its value."""

    kind: ClassVar[str] = "variable"
    name: str
    description: str | None
    size_bytes: int
    is_json: bool
    is_sensitive: bool  # by its name, as Airflow masks
    fingerprint: str | None
    origin: str
    error: str | None = None

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True)
class PoolRecord(Record):
    """A pool."""

    kind: ClassVar[str] = "pool"
    name: str
    slots: int
    description: str | None
    include_deferred: bool

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True)
class EnvVarRecord(Record):
    """An environment variable of the source's processes: name, and a fingerprint instead of the value."""

    kind: ClassVar[str] = "env_var"
    name: str
    is_secret: bool
    fingerprint: str
    purpose: str  # airflow-config | airflow-connection | airflow-variable | user

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True)
class ConfigRecord(Record):
    """A configuration option that differs from Airflow's default; secret ones carry no value."""

    kind: ClassVar[str] = "config"
    option: str  # "section.option"
    value: str | None
    is_secret: bool
    origin: str  # file | environment

    @property
    def key(self) -> str:
        return self.option


@dataclass(frozen=True)
class PackageRecord(Record):
    """A requirement line or an installed distribution of the source."""

    kind: ClassVar[str] = "package"
    name: str
    version: str | None
    origin: str  # requirements | installed

    @property
    def key(self) -> str:
        return f"{self.origin}:{self.name}"


@dataclass(frozen=True)
class FileRecord(Record):
    """A file of the source's code. `part`: dags | plugins | include | requirements | definitions."""

    kind: ClassVar[str] = "file"
    path: str  # relative to its part's folder
    part: str
    size_bytes: int
    sha256: str

    @property
    def key(self) -> str:
        return f"{self.part}/{self.path}"


@dataclass(frozen=True)
class UserRecord(Record):
    """A user of the source's Airflow; password hashes are never read."""

    kind: ClassVar[str] = "user"
    username: str
    email: str | None
    roles: tuple[str, ...]
    is_active: bool

    @property
    def key(self) -> str:
        return self.username


@dataclass(frozen=True)
class ImportErrorRecord(Record):
    """A file that the source's Airflow itself could not import; DAGs in it may be unknown."""

    kind: ClassVar[str] = "import_error"
    file: str  # relative to the DAGs folder, absolute where it lies outside
    message: str  # the last line of the traceback

    @property
    def key(self) -> str:
        return self.file


@dataclass(frozen=True)
class CodeFactRecord(Record):
    """Something that stands in the code, found by reading it (never by running it); no text of the code itself."""

    kind: ClassVar[str] = "code_fact"
    part: str  # dags | plugins | include
    path: str  # relative to its part's folder
    line: int
    rule: str  # a ruff rule ("AIR301"), or one of airflowkit.code ("orm-access", "plain-secret", …)
    message: str
    hint: str
    is_fixable: bool
    number: int  # among equal ones

    @property
    def key(self) -> str:
        return f"{self.part}/{self.path}:{self.line}:{self.rule}:{self.number}"


@dataclass(frozen=True)
class EndpointRecord(Record):
    """A host that a file of the code names in a URL; neither user, password, path nor query is kept."""

    kind: ClassVar[str] = "endpoint"
    part: str  # dags | plugins | include
    path: str  # relative to its part's folder
    line: int
    scheme: str
    host: str
    port: int | None

    @property
    def key(self) -> str:
        return f"{self.part}/{self.path}:{self.line}:{self.scheme}://{self.host}:{self.port or ''}"


@dataclass(frozen=True)
class RoleRecord(Record):
    """A role of the source's Airflow (FAB)."""

    kind: ClassVar[str] = "role"
    name: str
    permissions: int
    users: int

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True)
class MeasureRecord(Record):
    """A figure about the source as a whole.

    `rows:<table>` and `bytes:<table>` (by the database's own statistics where it keeps them), `bytes:database`,
    `xcom:sampled`, `xcom:pickled`, `unencrypted:connection`, `unencrypted:variable`, `pending:dataset-events`,
    `running:backfill`, `state:<state of task instances in flight>`, `logs:readable` (1 or 0: whether task logs can be read
    from here; where they lie stands in the options), `calls:xcom` and `calls:log` (calls that bring one item each).
    """

    kind: ClassVar[str] = "measure"
    name: str
    amount: int
    is_estimate: bool = False

    @property
    def key(self) -> str:
        return self.name


@dataclass(frozen=True)
class ConversionRecord(Record):
    """Something that the conversion of definitions (Oozie, Control-M) did not do exactly, or could not."""

    kind: ClassVar[str] = "conversion"
    dag_id: str  # empty: of no DAG
    outcome: str  # caveat | raises | question | rejected
    code: str  # as the conversion report names it
    element: str  # its kind and name in the source; empty for questions and files
    message: str
    file: str  # relative to the folder of definitions
    line: int  # 0: not known
    number: int = 1  # among equal ones

    @property
    def key(self) -> str:
        return f"{self.dag_id}:{self.outcome}:{self.code}:{self.file}:{self.line}:{self.element}:{self.number}"


@dataclass(frozen=True)
class AssetRecord(Record):
    """An asset of 3.x, or a dataset of 2.x, whose name is its URI: who makes it, who waits for it, and what happened to it."""

    kind: ClassVar[str] = "asset"
    name: str
    uri: str
    readers: tuple[str, ...]  # DAGs that it schedules
    makers: tuple[str, ...]  # DAGs with a task that makes it
    waiting: tuple[str, ...]  # DAGs that were told of it and have not run for it: the pending queue
    events: int | None  # None where this kind of source does not count them
    last_event_at: str | None
    unread: tuple[str, ...] = ()  # fields above that this kind of source cannot tell: empty, not none

    @property
    def key(self) -> str:
        return self.uri if self.name == self.uri else f"{self.name} {self.uri}"


KINDS: dict[str, type[Record]] = {
    record.kind: record
    for record in (
        DagRecord,
        ConnectionRecord,
        VariableRecord,
        PoolRecord,
        EnvVarRecord,
        ConfigRecord,
        PackageRecord,
        FileRecord,
        UserRecord,
        ImportErrorRecord,
        CodeFactRecord,
        EndpointRecord,
        RoleRecord,
        MeasureRecord,
        ConversionRecord,
        AssetRecord,
    )
}
