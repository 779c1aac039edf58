"""What callers of this room hand in and get back. Runtimes call the room; everything here is a plain value.

URLs are SQLAlchemy URLs of SQLite or PostgreSQL, whatever driver they name, and are secrets as wholes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from aerodrome.kernel.clock import to_text
from aerodrome.kernel.secret import Secret

Progress = Callable[[str], None]
"""Is told one sentence per step, without secrets."""

Dialect = Literal["sqlite", "postgresql"]
EXAMPLES = 20
"""So many examples a report shows per kind."""


@dataclass(frozen=True)
class AirflowTool:
    """How to run one Airflow against a given database."""

    version: str  # "3.3.2"
    venv: Path
    environment: Mapping[str, str | Secret] = field(default_factory=dict)  # complete, but for the database's URL


@dataclass(frozen=True)
class DatabaseSnapshot:
    """A metadata database at rest in a folder (0700, files 0600: it holds ciphertexts and XComs)."""

    folder: Path
    dialect: Dialect
    airflow_version: str
    revision: str  # alembic's, "" when unknown
    taken_at: datetime
    size_bytes: int
    digest: str  # of all files, 64 hex digits
    row_counts: Mapping[str, int]  # table -> rows
    seconds: float

    def as_data(self) -> dict[str, Any]:
        """Give it as plain JSON data, the folder left out."""
        data = {**asdict(self), "taken_at": to_text(self.taken_at), "row_counts": dict(self.row_counts)}
        del data["folder"]
        return data


@dataclass(frozen=True)
class UpgradeResult:
    """What `airflow db migrate` made of a database. Counts are per table, by the name before; history is proved complete."""

    seconds: float
    rows_before: Mapping[str, int]
    rows_after: Mapping[str, int]
    revision_before: str
    revision_after: str
    set_aside: Mapping[str, int] = field(
        default_factory=dict
    )  # rows that the newer Airflow's migration moved or dropped
    remarks: tuple[str, ...] = ()  # a sentence each

    def as_data(self) -> dict[str, Any]:
        """Give it as plain JSON data."""
        return asdict(self)


@dataclass(frozen=True)
class Carried:
    """Rows of one kind that the way back took along."""

    kind: str  # "dag_run", "task_instance", "xcom", "variable" …: the older Airflow's table
    found: int  # rows new or changed since the snapshot
    inserted: int
    updated: int
    deleted: int
    converted: int = 0  # of them, rows that were changed to fit the older Airflow
    remark: str = ""  # what was changed, one sentence


@dataclass(frozen=True)
class Archived:
    """Rows of one kind that the older Airflow cannot hold. They stay in the newer database's own snapshot."""

    kind: str
    count: int
    reason: str  # one sentence
    examples: tuple[str, ...] = ()  # at most EXAMPLES


@dataclass(frozen=True)
class Renamed:
    """A run whose name the older Airflow gives to the next one; its task logs are filed under its name, too."""

    dag_id: str
    run_id: str
    renamed_to: str


@dataclass(frozen=True)
class LossReport:
    """What a way back carried along and what it left behind. Nothing from before the upgrade is ever in `archived`."""

    carried: tuple[Carried, ...]
    archived: tuple[Archived, ...]
    seconds: float
    older_version: str
    newer_version: str
    taken_at: datetime  # when the snapshot was taken that the older database came from
    remarks: tuple[str, ...] = ()
    renamed: tuple[Renamed, ...] = ()

    @property
    def is_lossless(self) -> bool:
        """Tell whether everything made since the snapshot was carried."""
        return not self.archived

    def as_data(self) -> dict[str, Any]:
        """Give it as plain JSON data."""
        return {**asdict(self), "taken_at": to_text(self.taken_at), "is_lossless": self.is_lossless}


@dataclass(frozen=True)
class TryResult:
    """Whether an Airflow, started on a copy, came up, parsed and scheduled."""

    is_ok: bool
    seconds: float
    probe_state: str  # state of the probe's run: "success", or what it came to
    dag_count: int  # DAGs parsed from the project
    import_errors: Mapping[str, str]  # file -> last line of the error
    reasons: tuple[str, ...] = ()  # why it is not ok, a sentence each
    log_tail: tuple[str, ...] = ()  # last lines of the scheduler when it is not ok

    def as_data(self) -> dict[str, Any]:
        """Give it as plain JSON data."""
        return asdict(self)
