"""A team's own Vault behind a real Airflow: DAGs find there what the platform wrote, before anything else.

Breaks for every team that keeps its passwords in a service of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.server import until
from tests.rooms.secretstores.servers.vault import VaultServer, vault_server

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.bootstrap import App
from aerodrome.environments.contract import Wish
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.secret import Secret

VERSION = "3.3.2"
DAG = """
import datetime, json, pathlib
from airflow.sdk import DAG, BaseHook, Variable
from airflow.providers.standard.operators.python import PythonOperator

def look(run_id):
    connection = BaseHook.get_connection("warehouse")
    seen = {"colour": Variable.get("colour"), "password": connection.password, "extra": connection.extra_dejson,
            "only_here": Variable.get("only_here")}
    pathlib.Path(Variable.get("folder"), run_id + ".json").write_text(json.dumps(seen))

with DAG("looking", schedule=None, start_date=datetime.datetime(2026, 1, 1), is_paused_upon_creation=False):
    PythonOperator(task_id="look", python_callable=look, op_kwargs={"run_id": "{{ run_id }}"})
"""


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with vault_server() as server:
        yield server


@pytest.mark.airflow
@pytest.mark.journey
def test_dags_find_what_is_in_the_teams_vault(
    app: App, vault: VaultServer, tmp_path: Path, airflow_venv: Callable[..., Any]
) -> None:
    airflow_venv(VERSION, ("apache-airflow-providers-hashicorp",))
    fleet, project, seen = app.fleet, tmp_path / "project", tmp_path / "seen"
    (project / "dags").mkdir(parents=True)
    (project / "dags" / "looking.py").write_text(DAG)
    seen.mkdir()
    fleet.create_workspace(SYSTEM, "team")
    settings = {"url": vault.url, "mount": "team/kv", "auth": "approle", "role_id": "role-1"}
    secret_id = {"secret_id": Secret("canary-secret-id")}
    backend = fleet.backends.create(SYSTEM, "team", "our-vault", "vault", settings, secret_id)
    assert fleet.backends.probe(SYSTEM, "our-vault").is_ok
    warehouse = {"conn_type": "postgres", "host": "db", "password": "canary-vault", "extra": {"a": 1}}
    fleet.backends.put(SYSTEM, "our-vault", "connection", "warehouse", Secret(json.dumps(warehouse)))
    fleet.backends.put(SYSTEM, "our-vault", "variable", "colour", Secret("blue of the vault"))
    manager = fleet.environment
    manager.put(SYSTEM, Wish("variable", "colour", {"value": "red of the platform"}), workspace="team")
    manager.put(SYSTEM, Wish("variable", "only_here", {"value": "yes"}), workspace="team")
    manager.put(SYSTEM, Wish("variable", "folder", {"value": str(seen)}), workspace="team")
    view = fleet.create_deployment(
        SYSTEM, NewDeployment("shop", "team", airflow_version=VERSION, python_version="3.11", parallelism=2)
    )
    fleet.backends.attach(SYSTEM, "shop", "our-vault")
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

    assert run() == {
        "colour": "blue of the vault", "password": "canary-vault", "extra": {"a": 1}, "only_here": "yes",
    }  # fmt: skip

    # a value that is changed there counts for the next task; nothing restarts
    fleet.backends.put(SYSTEM, backend.id, "variable", "colour", Secret("green of the vault"))
    assert run()["colour"] == "green of the vault"

    # the credential stands in no file of the deployment in the clear, and in no table
    folder = app.settings.deployments_dir / view.id
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in files if b"canary-secret-id" in path.read_bytes()]
    database = (app.settings.home / "aerodrome.db").read_bytes() + (app.settings.home / "aerodrome.db-wal").read_bytes()
    assert b"canary-" not in database
