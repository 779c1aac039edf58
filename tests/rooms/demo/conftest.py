"""What the demo's tests share."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[3] / "src" / "aerodrome" / "demo" / "project"

_ASK = """
import json, sys
try:
    from airflow.dag_processing.dagbag import DagBag
    bag = DagBag(sys.argv[1])
except ImportError:
    from airflow.models.dagbag import DagBag
    bag = DagBag(sys.argv[1], include_examples=False)
dags = {
    dag.dag_id: {
        "tasks": {t.task_id: {"type": t.task_type, "down": sorted(t.downstream_task_ids), "pool": t.pool} for t in dag.tasks},
        "timetable": type(dag.timetable).__name__,
        "catchup": dag.catchup,
        "tags": sorted(dag.tags),
    }
    for dag in bag.dags.values()
}
print("ANSWER" + json.dumps({"dags": dags, "errors": bag.import_errors}))
"""


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def ask_airflow() -> Callable[[Path, Path, Path], dict[str, Any]]:
    """Give a function `(venv, project, home)` that parses a project by a real Airflow: its DAGs and import errors."""
    return _ask_airflow


def _ask_airflow(venv: Path, project: Path, home: Path) -> dict[str, Any]:
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.environ.get("HOME", "/"),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "True",
        "AIRFLOW__SCHEDULER__CREATE_DELTA_DATA_INTERVALS": "True",
        "AIRFLOW__SCHEDULER__CATCHUP_BY_DEFAULT": "True",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "PYTHONPATH": str(project),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SHOP_LIVE_AT": "2026-03-01T12:00:00Z",
        "WAREHOUSE_DIR": str(home / "warehouse"),
    }
    command = [str(venv / "bin" / "python"), "-W", "ignore", "-c", _ASK, str(project / "dags")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    assert lines, done.stderr[-2000:]
    answer: dict[str, Any] = json.loads(lines[-1].removeprefix("ANSWER"))
    return answer
