"""What parsing takes and gives: a project folder under one exact Airflow, its DAGs, its failures, what it uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from aerodrome.kernel.secret import Secret

FailureKind = Literal[
    "import-error",  # the file raises while it is read
    "syntax-error",
    "missing-module",  # `name` is the module
    "missing-variable",  # `name` is the Airflow variable that nobody defines
    "missing-connection",
    "missing-env",  # an environment variable
    "duplicate-dag",  # a second file defines the same dag_id
    "not-serializable",  # the DAG was read, but Airflow cannot store it
    "timeout",
    "crashed",  # the file ended its process, or was ended for the memory it took
    "plugin-error",
]
UsageKind = Literal["connection", "variable", "pool", "env"]


@dataclass(frozen=True)
class ParseSetting:
    """The exact Airflow that reads the files.

    `environment` is all of it, secrets and database URL included; the paths of the project that it names are replaced by those
    of the project that is parsed. `home` is a private folder of the caller (made when absent, mode 0700): warm interpreters and
    remembered results live in it, and nothing else.
    """

    venv: Path
    airflow_version: str
    environment: Mapping[str, str | Secret]
    home: Path


@dataclass(frozen=True)
class NextRun:
    """One run that the schedule would make; times are ISO 8601 in UTC, intervals are None when there is none."""

    run_after: str
    interval_start: str | None
    interval_end: str | None


@dataclass(frozen=True)
class TaskUse:
    """One connection or pool that a task of a parsed DAG names."""

    kind: Literal["connection", "pool"]
    name: str
    task_id: str
    via: str  # the argument
    is_chosen: bool  # False: the operator's own default


@dataclass(frozen=True)
class ParsedDag:
    """One DAG as Airflow's own serializer writes it."""

    dag_id: str
    file: str  # below the project, with `/`
    serialized: Mapping[str, Any]
    digest: str  # of `serialized`
    next_runs: tuple[NextRun, ...] = ()
    shape: Mapping[str, Any] = field(
        default_factory=dict
    )  # its structure, in the same words under every Airflow version
    uses: tuple[TaskUse, ...] = ()


@dataclass(frozen=True)
class ImportFailure:
    """One file that gives no DAG, or one DAG that Airflow cannot take."""

    file: str
    line: int | None
    kind: FailureKind
    message: str  # a sentence for people
    name: str = ""  # of the missing module, variable, connection; the dag_id of a duplicate
    hint: str = ""
    detail: str = ""  # the end of the traceback


@dataclass(frozen=True)
class ParseResult:
    """All files of a project, read once."""

    dags: tuple[ParsedDag, ...]
    failures: tuple[ImportFailure, ...]
    seconds: float
    airflow_version: str = ""
    file_count: int = 0
    remembered: int = 0  # so many files were not read again, because nothing that they read had changed
    stand_ins: Mapping[str, tuple[StandIn, ...]] = field(default_factory=dict)  # by file; of a lenient reading only
    cpu_s: float = 0.0  # processor time of the reading itself, on all cores; the interpreter's start is not in it


@dataclass(frozen=True)
class UsageEntry:
    """One object that code names. `dag_ids` is empty when they cannot be told from the text; then `file` tells."""

    kind: UsageKind
    name: str
    dag_ids: tuple[str, ...]
    file: str
    line: int
    is_required: bool = True  # False: the code gives a default, or an operator takes its own when it is missing
    via: str = ""  # how it is named: an argument, a call, a template, an operator's default


@dataclass(frozen=True)
class Usage:
    """What the files of a project need."""

    entries: tuple[UsageEntry, ...]
    file_count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class DagDifference:
    """One difference between two readings of a DAG. `reason` explains it by the Airflow versions, or is empty."""

    dag_id: str
    path: str  # "tasks.load.retries", "schedule", "next_runs[0]"; "" for the whole DAG
    before: Any
    after: Any
    severity: Literal["info", "warning", "blocker"]
    reason: str = ""


@dataclass(frozen=True)
class ParseLimits:
    """What one file may take."""

    file_s: float = 30.0
    memory_mb: int = 2048  # beyond what Airflow itself takes
    output_bytes: int = 16 << 20
    next_runs: int = 0  # so many fire times are computed for each DAG
    next_runs_from: datetime | None = None
    more_runs_from: datetime | None = None  # as many again from here: the other change of the clock
    is_remembering: bool = True
    is_structure_only: bool = False  # for comparisons: DAGs come without their serialized form, digest and uses
    is_staying: bool = False  # what was imported for the files stays for the next reading of this folder, up to 1 GB
    bundle_name: str = "project"  # of the DAG bundle, Airflow 3
    is_lenient: bool = (
        False  # missing modules, variables, connections and environment variables are stood in for, and named
    )


@dataclass(frozen=True)
class StandIn:
    """Something missing that a lenient reading stood in for."""

    kind: Literal["module", "variable", "connection", "env"]
    name: str
