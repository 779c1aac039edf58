"""What every converter gives and emission takes: DAGs in neutral, frozen words, and the account of every source element.

A converter (Oozie, Control-M) reads its own files into a `Conversion`. Nothing in it depends on the target version: operators,
classes and functions are `Symbol`s that know where each target keeps them. Emission turns it into files; `interpreter` runs it on
paper; `report` counts it. Everything is data: two equal conversions give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, Union

Target = Literal["2.11", "3.3"]
TARGETS: Final[tuple[Target, ...]] = ("2.11", "3.3")
Outcome = Literal["converted", "caveat", "raises"]
Rule = Literal[
    "all_success",
    "all_done",
    "none_failed_min_one_success",
    "none_failed",
    "one_failed",
    "one_success",
    "one_done",
    "always",
]
Role = Literal["real", "control", "fails", "raises"]


@dataclass(frozen=True)
class Origin:
    """Where a source element stands: file below the converted folder, path inside it, line (0 when not known)."""

    file: str
    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True)
class Account:
    """What became of one source element. `reason` is a sentence; it is empty only for what is converted exactly."""

    element: str  # its kind: "action/spark", "decision", "coordinator/frequency", "INCOND"
    outcome: Outcome
    origin: Origin
    code: str = ""  # kebab-case name of the caveat or failure: "kill-does-not-stop-others"
    reason: str = ""
    name: str = ""  # of the element: the node, the job


# ---- expressions: the right-hand sides of emitted Python


@dataclass(frozen=True)
class Symbol:
    """A name and the module that has it, for each target; `packages` are the distributions to install for it."""

    name: str
    modules: Mapping[Target, str]
    packages: Mapping[Target, str] = field(default_factory=dict)  # "" or absent: Airflow itself has it
    names: Mapping[Target, str] = field(default_factory=dict)  # where a target calls it otherwise

    def name_in(self, target: Target) -> str:
        """Give its name in a target."""
        return self.names.get(target, self.name)

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True)
class Call:
    """`symbol(*arguments, **keywords)`; keywords keep their order."""

    symbol: Symbol
    arguments: tuple[Expression, ...] = ()
    keywords: tuple[tuple[str, Expression], ...] = ()


@dataclass(frozen=True)
class Code:
    """Python as text, with what it needs imported: for the rare thing that the other words cannot say."""

    text: str
    imports: tuple[Symbol, ...] = ()


Expression = Union[  # noqa: UP007  (recursive)
    str,
    int,
    float,
    bool,
    datetime,
    timedelta,
    Symbol,
    Call,
    Code,
    None,
    Sequence["Expression"],
    Mapping[str, "Expression"],
]


@dataclass(frozen=True)
class Function:
    """A module-level function of the DAG file: whole source text, and what it needs imported."""

    name: str
    source: str
    imports: tuple[Symbol, ...] = ()
    sources: Mapping[Target, str] = field(default_factory=dict)  # where a target needs another text

    def source_in(self, target: Target) -> str:
        """Give its text for a target."""
        return self.sources.get(target, self.source)


# ---- a DAG


@dataclass(frozen=True)
class Choice:
    """One outcome of a branching task: its label and the tasks that run then (none: the rest is skipped)."""

    label: str
    tasks: tuple[str, ...]


@dataclass(frozen=True)
class Task:
    """One task. `task_id` is without the prefix of its group; edges and choices name tasks by `full_id`.

    Role: *real* does what a source element does; *control* only steers (a branch, a join); *fails* fails because the source fails there
    (a kill node); *raises* stands for what could not be converted: it fails on purpose and says why.
    """

    task_id: str
    operator: Symbol
    arguments: tuple[tuple[str, Expression], ...] = ()
    trigger_rule: Rule = "all_success"
    role: Role = "real"
    group: str = ""  # full id of its task group: "outer.inner"
    choices: tuple[Choice, ...] = ()
    watches: str = ""  # a router: full_id of the task whose state it reads (choices are labelled ok and error)
    begins: str = ""  # a router behind a group: full_id of the group's first task; `watches` is then its last
    is_waiting: bool = False  # a sensor: it waits for something that the source waited for
    retries: int = 0
    retry_delay: timedelta | None = None
    is_retry_exponential: bool = False
    pool: str = ""
    pool_slots: int = 1
    queue: str = ""
    priority_weight: int = 1
    outlets: tuple[Expression, ...] = ()
    doc: str = ""
    origin: Origin | None = None
    comment: str = ""  # a line above the task

    @property
    def full_id(self) -> str:
        return f"{self.group}.{self.task_id}" if self.group else self.task_id


@dataclass(frozen=True)
class Edge:
    before: str  # full_id
    after: str


@dataclass(frozen=True)
class Group:
    group_id: str  # full: "outer.inner"
    doc: str = ""
    origin: Origin | None = None  # of what became the group


@dataclass(frozen=True)
class Parameter:
    """One `Param`. Without a default the run must bring a value (`has_default` False); None then means: nobody knows it."""

    name: str
    default: Expression = None
    has_default: bool = True
    description: str = ""
    is_secret: bool = False
    is_computed: bool = False  # without a value the tasks put one together


@dataclass(frozen=True)
class Schedule:
    """When a DAG runs. `expression` is what `schedule=` gets: a timetable call, assets, None.

    `oracle` is for proofs: a converter's own description of the same times (see the converter's oracle); never emitted.
    """

    expression: Expression = None
    start: datetime | None = None  # aware; emitted with `timezone`
    end: datetime | None = None  # the last possible logical date, included, as Airflow has it
    timezone: str = "UTC"
    is_catching_up: bool = False
    oracle: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dag:
    dag_id: str
    tasks: tuple[Task, ...]
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    schedule: Schedule = Schedule()
    parameters: tuple[Parameter, ...] = ()
    functions: tuple[Function, ...] = ()
    max_active_runs: int | None = None
    max_active_tasks: int | None = None
    default_arguments: tuple[tuple[str, Expression], ...] = ()
    arguments: tuple[tuple[str, Expression], ...] = ()  # further ones of DAG(): callbacks, deadline, macros
    arguments_by_target: Mapping[Target, tuple[tuple[str, Expression], ...]] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    is_paused: bool | None = None
    doc: str = ""  # Markdown; emission adds the origin and the caveats
    origin: Origin = Origin("")
    accounts: tuple[Account, ...] = ()

    def task(self, full_id: str) -> Task:
        """Give a task by its full id; KeyError when there is none."""
        return next((task for task in self.tasks if task.full_id == full_id), None) or _missing(full_id)


def _missing(full_id: str) -> Task:
    raise KeyError(full_id)


# ---- what stands beside the DAGs


@dataclass(frozen=True)
class ExtraFile:
    """One more file of the project, for every target unless `targets` says otherwise: a plugin, a script, a SQL file."""

    path: str  # below the project, with `/`
    text: str
    targets: tuple[Target, ...] = TARGETS


@dataclass(frozen=True)
class ConnectionNeed:
    """A connection that the team creates; no secrets here. `login` and `host` are as the source names them."""

    conn_id: str
    conn_type: str
    host: str = ""
    port: int | None = None
    login: str = ""
    schema: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    why: str = ""


@dataclass(frozen=True)
class PoolNeed:
    name: str
    slots: int
    why: str = ""


@dataclass(frozen=True)
class VariableNeed:
    name: str
    value: str | None  # None: nobody knows it
    why: str = ""


@dataclass(frozen=True)
class Question:
    """Something that only people know, and that stops a DAG from being right: a missing calendar, an unknown start."""

    code: str
    text: str
    origin: Origin
    dag_id: str = ""


@dataclass(frozen=True)
class Rejected:
    """One definition from which no DAG could be made: it is not one, or cannot be read."""

    file: str
    code: str
    message: str
    hint: str = ""
    line: int = 0


@dataclass(frozen=True)
class Conversion:
    """Everything that a converter gives. Order is that of the source, so that the output is the same every time."""

    format: str  # "oozie", "controlm"
    dags: tuple[Dag, ...]
    definitions: int = 0  # that were read: workflows, coordinators, bundles; folders
    files: tuple[ExtraFile, ...] = ()
    connections: tuple[ConnectionNeed, ...] = ()
    pools: tuple[PoolNeed, ...] = ()
    variables: tuple[VariableNeed, ...] = ()
    questions: tuple[Question, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    others: tuple[str, ...] = ()  # files that could have been definitions by their names, and hold none
    accounts: tuple[Account, ...] = ()  # of elements that belong to no DAG
    packages: tuple[str, ...] = ()  # distributions to install that no import of a DAG file names
