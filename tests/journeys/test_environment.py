"""Connections and variables of the environment manager in a real Airflow: in a task, in a template, while a file is parsed.

Breaks for everybody whose DAGs ask for a connection; and for whoever rotates a password without a restart.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.server import until
from tests.matrix import wide

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.bootstrap import App
from aerodrome.environments.contract import Wish
from aerodrome.fleet.environment import ImportWish
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.secret import Secret

DAG = """
import datetime, json, pathlib
from airflow.models import Variable
try:
    from airflow.sdk import DAG, BaseHook
    from airflow.providers.standard.operators.python import PythonOperator
except ImportError:
    from airflow import DAG
    from airflow.hooks.base import BaseHook
    from airflow.operators.python import PythonOperator

COLOUR = Variable.get("colour")

def look(templated, run_id):
    connection = BaseHook.get_connection("warehouse")
    seen = {"parsed": COLOUR, "now": Variable.get("colour"), "password": connection.password,
            "extra": connection.extra_dejson, "templated": templated}
    pathlib.Path(Variable.get("folder"), run_id + ".json").write_text(json.dumps(seen))

with DAG("looking", schedule=None, start_date=datetime.datetime(2026, 1, 1), is_paused_upon_creation=False):
    PythonOperator(
        task_id="look",
        python_callable=look,
        op_kwargs={"templated": "{{ conn.warehouse.host }} {{ var.value.colour }}", "run_id": "{{ run_id }}"},
    )
"""
FIRST, SECOND = "canary-first-password", "canary-second-password"


@pytest.mark.airflow
@pytest.mark.journey
@pytest.mark.parametrize("version", ["3.3.2", *wide("2.11.2")])
def test_a_change_is_seen_by_the_next_task_without_a_restart(
    app: App, tmp_path: Path, airflow_venv: Callable[..., Any], version: str
) -> None:
    airflow_venv(version)
    fleet, manager, project, seen = app.fleet, app.fleet.environment, tmp_path / "project", tmp_path / "seen"
    (project / "dags").mkdir(parents=True)
    (project / "dags" / "looking.py").write_text(DAG)
    seen.mkdir()
    fleet.create_workspace(SYSTEM, "team")
    warehouse = {"conn_type": "sqlite", "host": "db.internal", "password": Secret(FIRST), "extra.api_key": "canary-key"}
    manager.put(SYSTEM, Wish("connection", "warehouse", warehouse), workspace="team")
    manager.put(SYSTEM, Wish("variable", "colour", {"value": "blue"}), workspace="team")
    manager.put(SYSTEM, Wish("variable", "folder", {"value": str(seen)}), workspace="team")
    view = fleet.create_deployment(
        SYSTEM, NewDeployment("shop", "team", airflow_version=version, python_version="3.11", parallelism=2)
    )
    deploy = fleet.deploy(SYSTEM, "shop", app.bundles.put(project))
    fleet.wait_live(SYSTEM, deploy.id, 150)
    fleet.wait_healthy(SYSTEM, "shop", 60)
    rest = AirflowRest.of(fleet.access(SYSTEM, "shop"))

    def run() -> dict[str, Any]:
        until(lambda: rest.dag("looking"))
        started = rest.trigger("looking")
        ended = until(lambda: (got := rest.run("looking", started.run_id)).is_finished and got)
        assert ended.state == "success"
        found: dict[str, Any] = json.loads((seen / f"{started.run_id}.json").read_text())
        return found

    def pids() -> dict[str, int | None]:
        return {part.name: part.pid for part in fleet.get_deployment(SYSTEM, "shop").components}

    first = run()
    assert first == {
        "parsed": "blue", "now": "blue", "password": FIRST, "extra": {"api_key": "canary-key"}, "templated": "db.internal blue",
    }  # fmt: skip

    # a change for the workspace and one for this deployment alone: the next task has both, no process was touched
    before = pids()
    manager.put(SYSTEM, Wish("connection", "warehouse", {"password": Secret(SECOND)}), workspace="team")
    colour = manager.find(SYSTEM, "variable", "colour", workspace="team", deployment=None)
    manager.link(SYSTEM, colour.id, "shop", {"value": "red"})
    fleet.wait_healthy(SYSTEM, "shop", 30)
    second = run()
    assert (second["now"], second["password"], second["templated"]) == ("red", SECOND, "db.internal red")
    assert pids() == before

    # Airflow's own command line finds it too, and a test from inside tells what is wrong
    tested = manager.test(SYSTEM, "shop", "warehouse", 60)
    assert tested.outcome in {"good", "bad", "no-provider"}
    assert SECOND not in tested.message
    assert manager.test(SYSTEM, "shop", "nowhere", 60).outcome == "missing"
    manager.put(SYSTEM, Wish("connection", "odd", {"conn_type": "snowflake"}), deployment="shop")
    odd = manager.test(SYSTEM, "shop", "odd", 60)
    assert odd.outcome == "no-provider"
    assert "apache-airflow-providers-snowflake" in odd.hint

    # what is in the metadata database stays there, and is seen to be hidden
    if version == "3.3.2":
        with sqlite3.connect(app.settings.deployments_dir / view.id / "home" / "airflow.db") as database:
            database.execute(
                "insert into variable (key, val, is_encrypted) values ('colour', 'old', 0), ('mine', 'x', 0)"
            )
        found = {item.name: item for item in manager.effective(SYSTEM, "shop", "variable").items}
        assert [place.place for place in found["colour"].places] == ["workspace", "metadata database"]
        assert [place.place for place in found["mine"].places] == ["metadata database"]

    rest.close()

    # nothing of it lies open anywhere
    for path in [*app.settings.home.rglob("*")]:
        is_ours = path.is_file() and "venvs" not in path.parts and not path.is_relative_to(seen)
        if is_ours and path.suffix not in {".py", ".pyc"}:
            text = path.read_bytes()
            assert FIRST.encode() not in text, path
            assert SECOND.encode() not in text, path
            assert b"canary-key" not in text, path
    for part in fleet.get_deployment(SYSTEM, "shop").components:
        if part.pid is not None:
            for name in ("cmdline", "environ"):
                assert SECOND.encode() not in Path(f"/proc/{part.pid}/{name}").read_bytes()


@pytest.mark.airflow
@pytest.mark.journey
@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_files_of_airflows_own_command_line_come_and_go_unchanged(
    app: App, tmp_path: Path, airflow_venv: Callable[..., Any], version: str
) -> None:
    venv = airflow_venv(version).path
    manager = app.fleet.environment
    app.fleet.create_workspace(SYSTEM, "team")
    fields = {
        "conn_type": "postgres", "host": "db.internal", "port": 5432, "schema": "sa les", "login": "me@here",
        "password": Secret("p w/é%:@#"), "extra.sslmode": "require", "extra.token": {"deep": ["canary", 1]},
    }  # fmt: skip
    manager.put(SYSTEM, Wish("connection", "warehouse", fields, description="Sales"), workspace="team")
    manager.put(
        SYSTEM, Wish("connection", "bare", {"conn_type": "http", "host": "https://api.example"}), workspace="team"
    )
    texts = {"plain": "hello", "number": "5", "compact": '{"a":1}', "object": '{\n  "value": 1\n}', "quoted": '"x"'}
    for name, text in texts.items():
        manager.put(SYSTEM, Wish("variable", name, {"value": text}, description=f"of {name}"), workspace="team")

    environment = {
        "PATH": f"{venv}/bin:/usr/bin:/bin",
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__LOAD_DEFAULT_CONNECTIONS": "False",
    }

    def airflow(*arguments: str) -> None:
        command = [str(venv / "bin/python"), str(venv / "bin/airflow"), *arguments]
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)

    airflow("db", "migrate")
    for kind, noun in (("connection", "connections"), ("variable", "variables")):
        ours, theirs = tmp_path / f"{kind}.json", tmp_path / f"{kind}-back.json"
        exported = manager.export(SYSTEM, kind, "json", workspace="team", with_secrets=True)
        ours.write_text(exported.reveal())
        airflow(noun, "import", str(ours))
        airflow(noun, "export", str(theirs))
        report = manager.import_file(
            SYSTEM, ImportWish(kind, "json", Secret(theirs.read_text()), is_dry_run=True), workspace="team"
        )
        # Airflow 3 itself writes JSON anew when it exports a variable, so one that was written compactly comes back spaced
        odd = {line.name for line in report.lines if line.outcome != "same"}
        assert odd == ({"compact"} if kind == "variable" and version.startswith("3") else set()), report
        assert len(report.lines) == (2 if kind == "connection" else 5)
    airflow("connections", "export", str(tmp_path / "back.env"), "--file-format", "env")
    wish = ImportWish("connection", "env", Secret((tmp_path / "back.env").read_text()), is_dry_run=True)
    assert {line.outcome for line in manager.import_file(SYSTEM, wish, workspace="team").lines} == {"same"}
