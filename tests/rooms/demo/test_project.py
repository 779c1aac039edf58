"""The sample project: varied enough to show what a migration meets, and really running on both Airflows.

If this breaks, the demo shows less than a real migration, or its DAGs do not import in source or target.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.demo.selfmanaged import AIRFLOW_VERSION, HISTORY_WANTED, python_version
from aerodrome.demo.source_files import PAUSED, project_requirements
from aerodrome.migration.codemod import upgrade

Ask = Callable[[Path, Path, Path], dict[str, Any]]

SHOWN = {
    "cron": '="* * * * *"',
    "timedelta": "schedule_interval=timedelta(",
    "preset": '="@hourly"',
    "manual only": "schedule_interval=None",
    "dataset producer": "outlets=[",
    "dataset consumer": "schedule=[Dataset(",
    "TaskFlow": "@task",
    "dynamic mapping": ".expand(",
    "branching": "BranchPythonOperator",
    "short circuit": "ShortCircuitOperator",
    "file sensor": "FileSensor",
    "external task sensor": "ExternalTaskSensor",
    "deferrable sensor": "TimeDeltaSensorAsync",
    "trigger of another DAG": "TriggerDagRunOperator",
    "pool": "pool=",
    "SLA": '"sla"',
    "retries": '"retries"',
    "trigger rule": "trigger_rule=",
    "depends on past": '"depends_on_past": True',
    "task group": "TaskGroup(",
    "own operator": "from warehouse_load import",
    "shared code": "from include.cornershop",
    "requirement": "import humanize",
    "connection": "BaseHook.get_connection",
    "variable": "Variable.get(",
    "variable in a template": "{{ var.value.",
    "parameters": "Param(",
    "removed import": "airflow.operators.dummy_operator",
    "removed argument": "concurrency=",
    "starts paused": "is_paused_upon_creation=True",
}


@pytest.mark.parametrize("what", SHOWN)
def test_project_shows_each_feature_of_a_real_estate(project: Path, what: str) -> None:
    assert any(SHOWN[what] in path.read_text() for path in (project / "dags").glob("*.py"))


def test_project_has_a_dozen_dags_and_only_pinned_requirements(project: Path) -> None:
    assert len(list((project / "dags").glob("*.py"))) >= 12
    assert all("==" in line for line in project_requirements())


def test_source_runs_on_a_python_that_its_airflow_supports() -> None:
    assert python_version() in ("3.11", "3.12")


def test_awaited_dags_exist_and_are_not_paused(project: Path) -> None:
    known = {path.stem for path in (project / "dags").glob("*.py")}
    assert set(HISTORY_WANTED) <= known - set(PAUSED)


@pytest.fixture(scope="session")
def upgraded(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("upgraded") / "project"
    upgrade(project, out, "3.3.2")
    return out


@pytest.fixture(scope="session")
def before(
    project: Path, airflow_venv: Callable[..., Venv], ask_airflow: Ask, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    venv = airflow_venv(AIRFLOW_VERSION, project_requirements())
    return ask_airflow(venv.path, project, tmp_path_factory.mktemp("home2"))


@pytest.fixture(scope="session")
def after(
    upgraded: Path, airflow_venv: Callable[..., Venv], ask_airflow: Ask, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    venv = airflow_venv("3.3.2", project_requirements())
    return ask_airflow(venv.path, upgraded, tmp_path_factory.mktemp("home3"))


@pytest.mark.airflow
def test_every_dag_imports_on_airflow_2(before: dict[str, Any]) -> None:
    assert before["errors"] == {}
    assert len(before["dags"]) >= 12


@pytest.mark.airflow
def test_every_dag_imports_on_airflow_3_after_the_code_upgrade(after: dict[str, Any]) -> None:
    assert after["errors"] == {}


@pytest.mark.airflow
def test_code_upgrade_keeps_tasks_dependencies_schedule_kind_and_catchup(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    renamed = {"DatasetTriggeredTimetable": "AssetTriggeredTimetable"}
    assert after["dags"].keys() == before["dags"].keys()
    for dag_id, old in before["dags"].items():
        new = after["dags"][dag_id]
        assert {task: (row["down"], row["pool"]) for task, row in new["tasks"].items()} == {
            task: (row["down"], row["pool"]) for task, row in old["tasks"].items()
        }
        assert new["timetable"] == renamed.get(old["timetable"], old["timetable"]), dag_id
        assert (new["catchup"], new["tags"]) == (old["catchup"], old["tags"]), dag_id


@pytest.mark.airflow
def test_project_needs_the_code_upgrade(
    project: Path, airflow_venv: Callable[..., Venv], ask_airflow: Ask, tmp_path: Path
) -> None:
    venv = airflow_venv("3.3.2", project_requirements())
    assert len(ask_airflow(venv.path, project, tmp_path)["errors"]) >= 10


def test_ruff_finds_removed_names_in_most_files(project: Path) -> None:
    ruff = Path(sys.executable).with_name("ruff")
    command = [str(ruff), "check", "--isolated", "--select", "AIR301,AIR302", "--output-format", "concise", "dags"]
    found = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False).stdout
    assert len({line.split(":")[0] for line in found.splitlines() if ".py:" in line}) >= 10
