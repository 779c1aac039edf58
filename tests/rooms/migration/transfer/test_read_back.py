"""A person who opens the migrated Airflow sees the imported history, and can clear it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import MemorySource, make_history, make_task, run_airflow

from aerodrome.builds.contract import Venv
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import PoolRecord
from aerodrome.migration.sources.contract import ConnectionValue, VariableValue
from aerodrome.migration.transfer import (
    TargetDatabase,
    move_connections,
    move_history,
    move_logs,
    move_pools,
    move_variables,
)
from aerodrome.migration.transfer.versions import OldDag
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = pytest.mark.airflow
PROGRAMS = Path(__file__).parent / "programs"
DAG = """
from datetime import datetime
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
with DAG("daily", schedule="@daily", start_date=datetime(2026, 3, 1), catchup=True):
    EmptyOperator(task_id="extract", retries=2) >> EmptyOperator(task_id="load", retries=2)
"""


def test_airflow_shows_and_clears_imported_history(
    target: TargetDatabase, target_url: str, airflow3: Venv, tmp_path: Path
) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "daily.py").write_text(DAG)
    env = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
    }
    run_airflow(airflow3, tmp_path, target_url, "dags", "reserialize", env=env)
    source = MemorySource(rows=make_history("daily", 4))
    for run in source.rows["run"]:
        for number in range(2):
            old = make_task(run, "retired", operator="OldOperator", try_number=1, map_index=number)
            source.rows["task_instance"].append(old)
    tasks_then = ({"task_id": "extract", "operator": "BashOperator", "downstream": ["load", "check"]},)
    outcome = move_history(source, target, ["daily"], old_dag=lambda _dag_id: OldDag(tasks_then, "# code of then\n"))
    assert outcome.is_proven
    run = source.rows["run"][1]
    old = tmp_path / "old-logs" / "daily" / "load" / run["logical_date"].isoformat()
    old.mkdir(parents=True)
    (old / "2.log").write_text("[2026-03-03 00:00:02,000] {taskinstance.py:670} INFO - canary line of the old worker\n")
    logs = move_logs(target, ["daily"], tmp_path / "old-logs", tmp_path / "logs")
    assert (logs.found, logs.moved, logs.failed) == (1, 1, [])

    output = run_airflow(
        airflow3, tmp_path, target_url, str(PROGRAMS / "read_target.py"), "daily", run["run_id"], env=env
    )
    answers: dict[str, Any] = json.loads(output.strip().splitlines()[-1])

    assert {name: status for name, (status, _) in answers.items() if status != 200} == {}
    assert answers["runs"][1]["total_entries"] == 4
    assert answers["all_tasks"][1]["total_entries"] == 16
    shown = answers["run"][1]
    assert (shown["state"], shown["run_type"], shown["triggered_by"]) == ("success", "scheduled", "timetable")
    assert (shown["note"], shown["conf"]) == ("checked 1", json.loads(run["conf"]))
    assert shown["data_interval_start"] == "2026-03-02T00:00:00Z"
    tasks = {task["task_id"]: task for task in answers["tasks"][1]["task_instances"]}
    assert (tasks["extract"]["note"], tasks["extract"]["try_number"]) == ("slow", 2)
    assert (tasks["load"]["duration"], tasks["load"]["hostname"]) == (28.25, "")
    tries = answers["tries"][1]["task_instances"]
    assert [(item["try_number"], item["state"]) for item in tries] == [(1, "failed"), (2, "success")]
    assert answers["xcom"][1]["value"] in ({"rows": 3, "share": 1.0}, '{"rows": 3, "share": 1.0}')
    assert "canary line of the old worker" in str(answers["log"][1])
    assert tasks["load"]["rendered_fields"] == {"bash_command": "load 1", "env": None}
    assert len(answers["grid_runs"][1]) == 4
    assert [version["version_number"] for version in shown["dag_versions"]] == [1]
    assert {task["dag_version"]["version_number"] for task in tasks.values()} == {1}
    versions = [(item["version_number"], item["bundle_version"]) for item in answers["versions"][1]["dag_versions"]]
    assert versions == [(1, "beforemigration"), (2, None)]
    assert answers["dag"][1]["latest_dag_version"]["version_number"] == 2
    assert {node["id"] for node in answers["old_structure"][1]["nodes"]} == {"extract", "load", "retired"}
    edges = [(edge["source_id"], edge["target_id"]) for edge in answers["old_structure"][1]["edges"]]
    assert edges == [("extract", "load")]
    grid = {node["id"]: bool(node.get("is_mapped")) for node in answers["grid_structure"][1]}
    assert grid == {"extract": False, "load": False, "retired": True}
    assert answers["old_code"][1]["content"] == "# code of then\n"
    assert answers["new_code"][1]["content"] == DAG
    assert answers["cleared"][1]["state"] == "queued"
    states = run_airflow(
        airflow3, tmp_path, target_url, "tasks", "states-for-dag-run", "daily", source.rows["run"][2]["run_id"], env=env
    )
    assert states.count("success") == 4
    if target.dialect == "sqlite":
        _let_it_run(target, airflow3, tmp_path, target_url, env)

    again = move_history(source, target, ["daily"])  # what was cleared here is the target's own from now on
    assert again.of("run").failed_by_code == {"row-belongs-to-target": 1}
    assert set(again.of("task_instance").failed_by_code) == {"run-belongs-to-target"}
    assert again.is_proven


@pytest.mark.matrix
@pytest.mark.parametrize("version", ["3.0.6", "3.1.8", "3.2.2"])
def test_every_airflow_3_shows_old_runs_with_their_version(
    version: str, airflow_venv: Callable[..., Venv], tmp_path: Path, fernet_key: str
) -> None:
    venv, url = airflow_venv(version), f"sqlite:///{tmp_path / 'airflow.db'}"
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "daily.py").write_text(DAG)
    env = {
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__SCHEDULER__CREATE_CRON_DATA_INTERVALS": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": "s" * 64,
    }
    run_airflow(venv, tmp_path, url, "db", "migrate", env=env)
    run_airflow(venv, tmp_path, url, "dags", "reserialize", env=env)
    target = TargetDatabase(AirflowAccess("", version, Secret(url), Secret(fernet_key), Secret("unused")))
    source = MemorySource(rows=make_history("daily", 4))
    for run in source.rows["run"]:
        for number in range(2):
            old = make_task(run, "retired", operator="OldOperator", try_number=1, map_index=number)
            source.rows["task_instance"].append(old)
    then = ({"task_id": "extract", "operator": "BashOperator", "downstream": ["load"]},)
    assert move_history(source, target, ["daily"], old_dag=lambda _dag_id: OldDag(then, "# code of then\n")).is_proven
    run_id = source.rows["run"][1]["run_id"]

    output = run_airflow(venv, tmp_path, url, str(PROGRAMS / "read_target.py"), "daily", run_id, env=env)
    answers: dict[str, Any] = json.loads(output.strip().splitlines()[-1])

    assert {name: status for name, (status, _) in answers.items() if status != 200 and name != "log"} == {}
    assert [item["version_number"] for item in answers["run"][1]["dag_versions"]] == [1]
    assert {node["id"] for node in answers["old_structure"][1]["nodes"]} == {"extract", "load", "retired"}
    assert answers["old_code"][1]["content"] == "# code of then\n"
    assert answers["new_code"][1]["content"] == DAG
    assert answers["cleared"][1]["state"] == "queued"
    _let_it_run(target, venv, tmp_path, url, env)
    target.close()


def _let_it_run(target: TargetDatabase, airflow3: Venv, home: Path, url: str, env: dict[str, str]) -> None:
    """Old runs keep their version, new ones get the new one, and one that was cleared runs with the new code."""
    with target.writing() as connection:
        connection.execute(text("update dag set is_paused = :no"), {"no": False})
    env = env | {"AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5"}
    found: list[Any] = []
    for _ in range(6):  # as many loops as a slow machine needs
        run_airflow(airflow3, home, url, "scheduler", "-s", "-n", "15", env=env)
        with target.reading() as connection:
            found = list(
                connection.execute(
                    text(
                        "select r.logical_date < '2026-03-05', r.clear_number, r.state, v.version_number, t.task_id, t.state, "
                        "w.version_number from dag_run r join dag_version v on v.id = r.created_dag_version_id "
                        "join task_instance t on t.dag_id = r.dag_id and t.run_id = r.run_id "
                        "join dag_version w on w.id = t.dag_version_id"
                    )
                )
            )
        if any(not row[0] for row in found) and any(row[1] and row[5] == "removed" for row in found):
            break
    old = {tuple(row[2:]) for row in found if row[0] and not row[1]}
    assert old == {("success", 1, task_id, "success", 1) for task_id in ("extract", "load", "retired")}
    new = {(row[3], row[4], row[6]) for row in found if not row[0]}
    assert new == {(2, "extract", 2), (2, "load", 2)}
    again = {(row[4], row[5]) for row in found if row[1]}
    assert ("retired", "removed") in again
    assert {"extract", "load"} < {task_id for task_id, _ in again}
    assert "failed" not in {state for _, state in again}


def test_airflow_reads_moved_objects_with_its_own_key(
    sqlite_access: AirflowAccess, airflow3: Venv, tmp_path: Path
) -> None:
    extra = '{"b":1,  "a": {"c": "ü"}}'
    source = MemorySource(
        connections=[
            ConnectionValue("db", "postgres", "h", 5432, "s", "me", "note", Secret("p@ss/%"), Secret(extra)),
        ],
        variables=[VariableValue("limit", Secret('{"x": 1}'), "how many")],
        pools=[PoolRecord("default_pool", 21, "Default pool", False), PoolRecord("etl", 3, None, True)],
    )
    target = TargetDatabase(sqlite_access)
    outcomes = [
        move_connections(source, target, ["db"]),
        move_variables(source, target, ["limit"]),
        move_pools(source, target, ["default_pool", "etl"]),
    ]
    target.close()
    assert all(item.is_proven and not item.failed for item in outcomes)

    output = run_airflow(
        airflow3,
        tmp_path,
        sqlite_access.database_url.reveal(),
        str(PROGRAMS / "read_objects.py"),
        env={"AIRFLOW__CORE__FERNET_KEY": sqlite_access.fernet_key.reveal()},
    )
    assert json.loads(output.strip().splitlines()[-1]) == {
        "connection": ["postgres", "h", 5432, "s", "me", "p@ss/%", extra, "note"],
        "variable": ['{"x": 1}', "how many"],
        "pools": {"default_pool": 21, "etl": 3},
    }
