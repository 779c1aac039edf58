from __future__ import annotations

from pathlib import Path

from aerodrome.databases.contract import AirflowTool, Progress, TryResult
from aerodrome.kernel.secret import Secret


def try_scheduling(
    url: Secret, tool: AirflowTool, project: Path, progress: Progress, *, timeout_s: float = 150
) -> TryResult:
    """Start this Airflow on a copy of a database: parse the project, schedule one run of a probe DAG, stop everything.

    `url` must be a copy: its DAGs are paused and its unfinished runs put aside. `project` holds dags/, plugins/, include/.
    """
    raise NotImplementedError
