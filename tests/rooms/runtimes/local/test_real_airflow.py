"""Real Airflow on the local runtime: what a team would see on its first day and at its first deploy."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2
import psutil
import pytest
from cryptography.fernet import Fernet
from tests.listening import listening_addresses
from tests.matrix import wide

from aerodrome.airflowkit.rest import AirflowRest, RestRun
from aerodrome.airflowkit.tokens import mint, new_signing_key
from aerodrome.builds import BundleStore, Venv
from aerodrome.kernel.errors import Denied, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.conformance import pids, wait_until
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.runtimes.local.runtime import LocalRuntime

pytestmark = [pytest.mark.airflow, pytest.mark.journey]
AIRFLOWS_3 = [*wide("3.0.6", "3.1.8", "3.2.2"), "3.3.2"]  # the newest patch of each minor
AIRFLOWS_2 = [*wide("2.10.5"), "2.11.2"]

GREET = """
import time
import pendulum
try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task
from include.words import WORD
from house import Marker  # a module of plugins/

@dag(schedule=None, start_date=pendulum.datetime(2026, 1, 1), catchup=False)
def {dag_id}():
    @task
    def greet():
        time.sleep({sleep_s})
        print("{word}", WORD, Marker.name)

    greet()

{dag_id}()
"""


@dataclass
class Deployed:
    """One running deployment."""

    runtime: LocalRuntime
    spec: RuntimeSpec
    bundles: BundleStore
    project: Path

    @property
    def rest(self) -> AirflowRest:
        return AirflowRest.of(self.runtime.access(self.spec))

    def write_dag(self, dag_id: str, word: str, sleep_s: float = 0) -> None:
        text = GREET.format(dag_id=dag_id, word=word, sleep_s=sleep_s)
        (self.project / f"dags/{dag_id}.py").write_text(text)

    def deploy(self) -> None:
        bundle = self.bundles.put(self.project)
        self.spec = replace(
            self.spec, generation=self.spec.generation + 1, project=bundle.path, bundle_digest=bundle.digest
        )
        self.runtime.apply(self.spec)

    def wait_healthy(self) -> dict[str, int | None]:
        seen = wait_until(self.runtime, self.spec.deployment_id, lambda seen: seen.health == "healthy", 90)
        return pids(seen)

    def wait_for_dag(self, dag_id: str) -> None:
        version = self.spec.bundle_digest if self.spec.airflow_version.startswith("3") else None
        deadline = time.monotonic() + 40
        while (dag := self.rest.dag(dag_id)) is None or dag.bundle_version != version:
            assert time.monotonic() < deadline, f"{dag_id} is not visible: {self.rest.import_errors()}"
            time.sleep(0.2)

    def wait_for_run(self, run: RestRun, state: str = "success") -> None:
        deadline = time.monotonic() + 60
        while (now := self.rest.run(run.dag_id, run.run_id)).state != state:
            assert time.monotonic() < deadline, now
            assert not now.is_finished, now
            time.sleep(0.2)

    def task_log(self, dag_id: str) -> str:
        logs = self.runtime._root / self.spec.deployment_id / "home/logs"
        return "".join(path.read_text() for path in logs.rglob("*.log") if f"dag_id={dag_id}" in str(path))


def make_deployed(folder: Path, venv: Venv) -> Deployed:
    project = folder / "project"
    for part in ("dags", "plugins", "include"):
        (project / part).mkdir(parents=True)
    (project / "include/__init__.py").touch()
    (project / "include/words.py").write_text('WORD = "from include"\n')
    (project / "plugins/house.py").write_text('class Marker:\n    name = "from plugins"\n')
    spec = RuntimeSpec(
        deployment_id="dep_real",
        generation=0,
        airflow_version=venv.spec.airflow_version,
        python_version="3.11",
        venv=venv.path,
        project=None,
        bundle_digest=None,
        fernet_key=Secret(Fernet.generate_key().decode()),
        signing_key=new_signing_key(),
        parallelism=2,
        public_url="http://127.0.0.1:8701/dep_real/",
    )
    return Deployed(LocalRuntime(folder / "runtime"), spec, BundleStore(folder / "bundles"), project)


@pytest.fixture(scope="module", params=AIRFLOWS_3)
def airflow3(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, airflow_venv: Callable[..., Venv]
) -> Iterator[Deployed]:
    """A running Airflow 3, shared by the tests of this module."""
    deployed = make_deployed(tmp_path_factory.mktemp("airflow3"), airflow_venv(request.param))
    deployed.write_dag("hello", "first words")
    deployed.deploy()
    deployed.wait_healthy()
    yield deployed
    family = _family(deployed)
    deployed.runtime.delete("dep_real")
    assert [process for process in family if _is_alive(process)] == []


def test_a_dag_runs_and_sees_plugins_and_include(airflow3: Deployed) -> None:
    airflow3.wait_for_dag("hello")
    airflow3.rest.set_paused("hello", is_paused=False)
    airflow3.wait_for_run(airflow3.rest.trigger("hello"))
    for words in ("first words", "from include", "from plugins"):
        assert words in airflow3.task_log("hello")


def test_a_deploy_of_dags_goes_live_while_an_old_task_keeps_its_code(airflow3: Deployed) -> None:
    airflow3.write_dag("slow", "old words", sleep_s=8)
    airflow3.deploy()
    airflow3.wait_for_dag("slow")
    airflow3.rest.set_paused("slow", is_paused=False)
    old = airflow3.rest.trigger("slow")
    before = airflow3.wait_healthy()
    airflow3.wait_for_run(old, "running")
    airflow3.write_dag("slow", "new words")
    airflow3.write_dag("added", "more words")
    airflow3.deploy()
    began = time.monotonic()
    airflow3.wait_for_dag("added")
    print(f"visible after {time.monotonic() - began:.1f} s")
    assert airflow3.wait_healthy() == before
    airflow3.wait_for_run(old)
    assert "old words" in airflow3.task_log("slow")
    assert "new words" not in airflow3.task_log("slow")
    airflow3.wait_for_dag("slow")
    airflow3.wait_for_run(airflow3.rest.trigger("slow"))
    assert "new words" in airflow3.task_log("slow")


def test_pages_and_api_need_the_platforms_token(airflow3: Deployed) -> None:
    access = airflow3.runtime.access(airflow3.spec)
    bearer = {"Authorization": f"Bearer {mint(access.signing_key, 'ann', 'viewer').reveal()}"}
    assert access.base_url.endswith("/dep_real")
    assert httpx2.get(f"{access.base_url}/", headers=bearer).status_code == 200
    assert httpx2.get(f"{access.base_url}/api/v2/dags", headers=bearer).json()["total_entries"] > 0
    if access.airflow_version >= "3.2":  # the route is new there
        assert httpx2.get(f"{access.base_url}/ui/auth/me", headers=bearer).json()["username"] == "ann"
    assert httpx2.get(f"{access.base_url}/api/v2/dags").status_code == 401
    with pytest.raises((Denied, Unavailable)):  # 3.2.2 answers 500 to a token of an unknown key
        AirflowRest.of(replace(access, signing_key=new_signing_key())).dags()
    with pytest.raises(Denied):
        AirflowRest.of(access, role="viewer").set_paused("hello", is_paused=True)
    for name, password in (
        ("admin", "admin"),
        ("nobody", "null"),
        ("nobody", "None"),
        ("nobody", None),
        ("nobody", ""),
    ):
        login = {"username": name, "password": password}
        assert httpx2.post(f"{access.base_url}/auth/token", json=login).status_code in {400, 401, 403, 422}, login
    assert "Password for user" not in "".join(airflow3.runtime.logs("dep_real", "api-server", 5000))


def test_a_killed_scheduler_comes_back_and_runs_tasks(airflow3: Deployed) -> None:
    airflow3.wait_for_dag("hello")
    before = airflow3.wait_healthy()
    os.kill(before["scheduler"] or 0, signal.SIGKILL)
    wait_until(airflow3.runtime, "dep_real", lambda seen: pids(seen)["scheduler"] not in {None, before["scheduler"]})
    after = airflow3.wait_healthy()
    assert {**after, "scheduler": None} == {**before, "scheduler": None}
    airflow3.rest.set_paused("hello", is_paused=False)
    airflow3.wait_for_run(airflow3.rest.trigger("hello"))


def test_it_listens_on_loopback_only(airflow3: Deployed) -> None:
    assert listening_addresses(_family(airflow3)) == {"127.0.0.1"}


@pytest.mark.parametrize("version", AIRFLOWS_2)
def test_airflow_2_starts_runs_a_dag_and_lets_only_the_token_in(
    tmp_path: Path, airflow_venv: Callable[..., Venv], version: str
) -> None:
    deployed = make_deployed(tmp_path, airflow_venv(version))
    deployed.write_dag("hello", "words of two")
    deployed.deploy()
    try:
        before = deployed.wait_healthy()
        deployed.wait_for_dag("hello")
        deployed.rest.set_paused("hello", is_paused=False)
        deployed.wait_for_run(deployed.rest.trigger("hello"))
        assert "words of two" in deployed.task_log("hello")
        access = deployed.runtime.access(deployed.spec)
        bearer = {"Authorization": f"Bearer {mint(access.signing_key, 'ann', 'viewer').reveal()}"}
        assert httpx2.get(f"{access.base_url}/home", headers=bearer).status_code == 200
        assert httpx2.get(f"{access.base_url}/home").status_code == 302
        assert httpx2.get(f"{access.base_url}/api/v1/dags").status_code == 401
        with pytest.raises(Denied):
            AirflowRest.of(access, role="viewer").set_paused("hello", is_paused=True)
        deployed.write_dag("added", "more words")
        deployed.deploy()
        deployed.wait_for_dag("added")
        assert deployed.wait_healthy() == before
    finally:
        family = _family(deployed)
        deployed.runtime.delete("dep_real")
    assert [process for process in family if _is_alive(process)] == []


def _family(deployed: Deployed) -> list[psutil.Process]:
    seen = deployed.runtime.observe("dep_real")
    roots = [psutil.Process(component.pid) for component in seen.components if component.pid]
    return roots + [child for root in roots for child in root.children(recursive=True)]


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
