from __future__ import annotations

from pathlib import Path

from aerodrome.databases.contract import AirflowTool, LossReport, Progress
from aerodrome.kernel.secret import Secret


def prepare_way_back(snapshot_folder: Path, older_url: Secret, progress: Progress) -> None:
    """Restore the snapshot next to where `go_back` will need it, while the newer Airflow still runs; saves time, no more.

    PostgreSQL only (SQLite needs no preparation). Repeating it does nothing.
    """
    raise NotImplementedError


def go_back(
    snapshot_folder: Path,
    newer_url: Secret,
    older_url: Secret,
    older: AirflowTool,
    newer_version: str,
    progress: Progress,
) -> LossReport:
    """Make `older_url` the snapshot plus whatever was made or changed since in `newer_url`, as far as the older can hold it.

    `newer_url` is only read; nobody may write to it meanwhile. The two may be the same database: it is replaced at the
    very end, in one step. All or nothing; repeating it after a crash is safe.
    """
    raise NotImplementedError
