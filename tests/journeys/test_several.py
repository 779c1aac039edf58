"""Two web and two worker processes on one PostgreSQL and one home: work is done once, and a killed worker's work goes on.

If these break, a platform that grew beyond one process does things twice, or stands still when one of them dies.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx2
import pytest
from tests.journeys.server import until

from aerodrome.access import SYSTEM
from aerodrome.bootstrap import build
from aerodrome.builds.contract import Venv
from aerodrome.client.client import Client
from aerodrome.demo.processes import inherited_environment
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.settings import Settings
from aerodrome.store import jobs, open_store

VERSION = "3.3.2"
LEASE_S = 2


@dataclass
class Cluster:
    """The processes of one platform."""

    settings: Settings
    folder: Path
    ports: list[int]
    processes: dict[str, subprocess.Popen[bytes]]

    def start(self, name: str, role: str, port: int, gate_port: int) -> None:
        env = {
            **inherited_environment(),
            "AERODROME_HOME": str(self.settings.home),
            "AERODROME_DATABASE_URL": str(self.settings.database_url),
            "AERODROME_PORT": str(port),
            "AERODROME_GATE_PORT": str(gate_port),
            "AERODROME_WORKER_LEASE_S": str(LEASE_S),
            "AERODROME_WORKER_POLL_S": "0.1",
            "AERODROME_WATCH_EVERY_S": "0.3",
        }
        command = [sys.executable, "-m", "aerodrome.cli", "serve", "--role", role]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def url(self, index: int) -> str:
        return f"http://127.0.0.1:{self.ports[index]}"

    def leases(self) -> dict[str, str]:
        """Give job key -> owner of what is held now."""
        with closing(open_store(self.settings.store_url.reveal())) as store, store.reading() as session:
            return {view.key: view.lease_owner for view in jobs.view(session) if view.lease_owner}


@pytest.fixture
def cluster(
    tmp_path: Path,
    postgres_url: str,
    free_port: Callable[[], int],
    venv_cache: Path,
    airflow_venv: Callable[..., Venv],
) -> Iterator[Cluster]:
    airflow_venv(VERSION)
    settings = Settings(home=tmp_path / "home", database_url=postgres_url)
    settings.home.mkdir(mode=0o700)
    settings.venvs_dir.symlink_to(venv_cache / "venvs")
    made = Cluster(settings, tmp_path, [free_port(), free_port()], {})
    try:
        # all four at once: they also race for the schema, the keys and the first admin
        for index in range(2):
            made.start(f"web-{index}", "web", made.ports[index], free_port())
            made.start(f"worker-{index}", "worker", free_port(), free_port())
        for index in range(2):
            until(partial(_answers, made.url(index)), 60)
        yield made
    finally:
        for process in made.processes.values():
            if process.poll() is None:
                process.kill()
            process.wait(30)
        runtime = LocalRuntime(settings.deployments_dir)
        for deployment in settings.deployments_dir.glob("dep_*"):
            runtime.delete(deployment.name)


def _answers(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/api/v1/health", trust_env=False).is_success
    except httpx2.HTTPError:
        return False


@pytest.mark.airflow
@pytest.mark.journey
def test_two_webs_and_two_workers_are_one_platform(cluster: Cluster, tmp_path: Path) -> None:
    app = build(cluster.settings)
    with closing(app.store):
        _, code = app.access.create_login_link(SYSTEM, "admin")
        _, session = app.access.redeem_login_link(app.access.create_login_link(SYSTEM, "admin")[1].reveal())
    with Client(cluster.url(0)) as stranger:
        token = stranger.tokens.exchange(Secret(code.reveal()), "journey").text
    with Client(cluster.url(0), token) as one, Client(cluster.url(1), token) as two:
        # what one web process wrote, the other knows: workspaces, sessions, keys of requests that were sent twice
        workspace = one.workspaces.create("shop")
        assert two.workspaces.get("shop").id == workspace.id
        page = httpx2.get(
            f"{cluster.url(1)}/deployments", cookies={"aerodrome_session": session.reveal()}, trust_env=False
        )
        assert page.status_code == 200
        first = one.deployments.create("sales", "shop", airflow_version=VERSION, key="the-same-wish")
        assert two.deployments.create("sales", "shop", airflow_version=VERSION, key="the-same-wish").id == first.id

        # an upload to one web process is put there by whichever worker, from the home that they share
        project = tmp_path / "project"
        (project / "dags").mkdir(parents=True)
        (project / "dags" / "flow.py").write_text("# nothing to run\n")
        deploy = one.deploys.create("sales", project)

        # a worker is killed in the middle of its work: the other one takes it over when the lease has run out
        victim = until(lambda: _worker_at_work(cluster, first.id), 60, every_s=0.005)
        cluster.processes[victim].kill()
        cluster.processes[victim].wait(30)
        assert two.deploys.wait_live("sales", deploy.id, 150).status == "live"
        assert (cluster.settings.bundles_dir / deploy.bundle_digest).exists()
        survivor = next(name for name in ("worker-0", "worker-1") if name != victim)
        assert cluster.processes[survivor].poll() is None
        one.deployments.delete("sales")
        until(lambda: not two.deployments.list(), 90)


def _worker_at_work(cluster: Cluster, key: str) -> str | None:
    owner = cluster.leases().get(key)
    found = (name for name, process in cluster.processes.items() if owner and f":{process.pid}:" in owner)
    return next(found, None)
