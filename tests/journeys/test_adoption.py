"""The server is killed; Airflow goes on scheduling; the server comes back and finds it. Breaks for whoever restarts us."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.journeys.server import until

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.builds import BundleStore, VenvStore
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.service import Fleet, NewDeployment
from aerodrome.kernel.clock import SystemClock
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.secretstores import LocalSecretStore, open_keyring
from aerodrome.settings.model import Settings
from aerodrome.store import open_store

DAG = """
import datetime
from airflow.sdk import dag, task

@dag(schedule=datetime.timedelta(seconds=10), start_date=datetime.datetime(2026, 1, 1), catchup=False,
     is_paused_upon_creation=False, max_active_runs=2)
def tick():
    @task
    def tock(): ...
    tock()

tick()
"""


class Server:
    """`aerodrome serve` on a home of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = ("--home", self.settings.home, "--port", self.settings.port, "--gate-port", self.settings.gate_port)
        with (self.settings.home / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aerodrome.cli", "serve", *(str(option) for option in options)],
                stdout=log,
                stderr=log,
            )

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)
            self.process = None


def fleet_on(settings: Settings) -> Fleet:
    """Fleet on the same database, without a worker: asks and watches, as another server would."""
    store = open_store(settings.store_url.reveal())
    return Fleet(
        FleetContext(
            store,
            BundleStore(settings.bundles_dir),
            VenvStore(settings.venvs_dir),
            LocalRuntime(settings.deployments_dir),
            LocalSecretStore(store, open_keyring(settings.home)),
            SystemClock(),
            gate_url=settings.gate_url,
        )
    )


@pytest.fixture
def server(
    tmp_path: Path, venv_cache: Path, airflow_venv: Callable[..., Any], free_port: Callable[[], int]
) -> Iterator[Server]:
    airflow_venv("3.3.2")
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "venvs").symlink_to(venv_cache / "venvs")
    server = Server(Settings(home=home, port=free_port(), gate_port=free_port()))
    yield server
    server.kill()
    runtime = LocalRuntime(server.settings.deployments_dir)
    for folder in server.settings.deployments_dir.glob("dep_*"):
        runtime.delete(folder.name)


@pytest.mark.airflow
@pytest.mark.journey
def test_airflow_outlives_a_killed_server_and_is_adopted(server: Server, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "dags").mkdir(parents=True)
    (project / "dags" / "tick.py").write_text(DAG)
    server.start()
    until(lambda: server.settings.home.joinpath("server.log").read_text().count("Sign in once"), 60)
    fleet = fleet_on(server.settings)
    fleet.create_workspace(SYSTEM, "team")
    fleet.create_deployment(SYSTEM, NewDeployment("shop", "team", "3.3.2", "3.11", parallelism=2))
    bundle = BundleStore(server.settings.bundles_dir).put(project)

    # killed in the middle of a deploy: the next server ends it
    deploy = fleet.deploy(SYSTEM, "shop", bundle)
    until(lambda: fleet.get_deploy(SYSTEM, "shop", 1).status == "switching")
    server.kill()
    server.start()
    assert fleet.wait_live(SYSTEM, deploy.id, 180).status == "live"
    before = {part.name: part.pid for part in fleet.wait_healthy(SYSTEM, "shop", 60).components}

    # killed while all is well: Airflow keeps scheduling
    server.kill()
    killed_at = SystemClock().now()
    with closing(AirflowRest.of(fleet.access(SYSTEM, "shop"))) as rest:

        def ran_without_a_server() -> bool:
            runs = rest.newest_runs("tick", 5)
            return any(run.state == "success" and run.queued_at and run.queued_at > killed_at for run in runs)

        until(ran_without_a_server, 60)
    assert all(pid is not None and psutil.pid_exists(pid) for pid in before.values())

    # and the server that comes back adopts the very same processes
    server.start()
    until(lambda: (fleet.get_deployment(SYSTEM, "shop").observed_at or killed_at) > killed_at, 60)
    view = fleet.get_deployment(SYSTEM, "shop")
    assert view.status == "healthy"
    assert {part.name: part.pid for part in view.components} == before
    assert [part.restarts for part in view.components] == [0] * len(before)

    # a polite end leaves Airflow alone, too
    server.kill(signal.SIGTERM)
    assert all(pid is not None and psutil.pid_exists(pid) for pid in before.values())
