"""From Airflow 2.11 to 3.3 and back again, on the command line, while the server is killed. Breaks for whoever upgrades.

The history of before is there at every moment, and no interval of a schedule is run twice or left out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.server import Run, Server, runs_of, until

from aerodrome.client.client import Client
from aerodrome.kernel.errors import Unavailable
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.settings.model import Settings

OLD, NEW = "2.11.2", "3.3.2"
LOWER, LOWER_ON = ("3.0.6", "3.1.8", "3.2.2"), ("sqlite", "postgresql")
DAG = """
import datetime
try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task

@dag(schedule="* * * * *", start_date=datetime.datetime.fromisoformat("{start}"), catchup=True, max_active_runs=1,
     is_paused_upon_creation=False)
def tick():
    @task
    def tock(data_interval_start=None):
        return str(data_interval_start)
    tock()

tick()
"""


@dataclass
class Story:
    """One server with one deployment on the old Airflow."""

    server: Server
    client: Client
    environment: dict[str, str]
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, *words: str) -> Any:
        """Type a command, and give what it writes as JSON."""
        began = time.monotonic()
        command = [sys.executable, "-m", "aerodrome.cli", *words, "--output", "json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=300)
        self.seconds[" ".join(words[:2])] = round(time.monotonic() - began, 1)
        assert done.returncode == 0, done.stderr[-3000:]
        return json.loads(done.stdout)

    def runs(self) -> list[Run]:
        return runs_of(self.server.reach("shop").database_url)

    def await_run(self, known: list[Run]) -> list[Run]:
        """Wait until a run has succeeded that had not before; gives all runs."""
        before = {run.run_id for run in known if run.state == "success"}

        def look() -> list[Run] | None:
            found = self.runs()
            return found if {run.run_id for run in found if run.state == "success"} - before else None

        seen: list[Run] = until(look, 150, every_s=0.5)
        return seen


@pytest.fixture
def story(
    tmp_path: Path, venv_cache: Path, airflow_venv: Callable[..., Any], free_port: Callable[[], int]
) -> Iterator[Story]:
    airflow_venv(OLD)
    airflow_venv(NEW)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "venvs").symlink_to(venv_cache / "venvs")
    server = Server(Settings(home=home, port=free_port(), gate_port=free_port()), tmp_path / "server.log")
    try:
        server.start()
        with server.sign_in("journey") as client:
            environment = {
                **os.environ,
                "AERODROME_URL": server.url,
                "AERODROME_TOKEN": server.secrets["API token"],
                "AERODROME_CONFIG_DIR": str(tmp_path / "config"),
            }
            yield Story(server, client, environment)
    finally:
        server.stop()
        server.remove_deployments()
        managed = LocalRuntime(server.settings.deployments_dir).databases.managed
        if managed.is_wanted():
            postgres = managed.ensure()
            managed.stop()
            postgres.delete()


def started(story: Story, tmp_path: Path, *options: str, version: str = OLD) -> list[Run]:
    """Make the deployment on an Airflow, the old one unless said otherwise, deploy, and wait for its first runs."""
    project = tmp_path / "project"
    (project / "dags").mkdir(parents=True)
    start = time.strftime("%Y-%m-%dT%H:%M:00+00:00", time.gmtime(time.time() - 120))
    (project / "dags" / "tick.py").write_text(DAG.replace("{start}", start))
    story.client.workspaces.create("team")
    words = ("--workspace", "team", "--airflow-version", version, "--python-version", "3.11", *options)
    story.run("deployment", "create", "shop", *words)
    story.run("deploy", str(project), "--deployment", "shop")
    return story.await_run([])


def assert_logs_are_where_runs_say(story: Story, runs: list[Run]) -> None:
    """Every run that came to its end has its task's log under its own name, also when it was renamed on the way back."""
    home = story.server.settings.deployments_dir / story.client.deployments.get("shop").id / "home"
    for run in runs:
        if run.state == "success":
            assert list((home / "logs" / f"dag_id={run.dag_id}" / f"run_id={run.run_id}").rglob("*.log")), run.run_id


def intervals(runs: list[Run]) -> list[Any]:
    return [run.begin for run in runs if run.run_type == "scheduled"]


def assert_nothing_twice_or_lost(runs: list[Run]) -> None:
    begins = sorted(intervals(runs))
    assert len(set(begins)) == len(begins)
    assert all(after - before == timedelta(minutes=1) for before, after in pairwise(begins))


def kill_at(story: Story, number: int, names: list[str]) -> list[str]:
    """Kill the server as soon as each step has begun, and start it again; give the statuses that were seen."""
    seen = []
    for name in names:

        def begun(wanted: str = name) -> str | None:
            try:
                deploy = story.client.deploys.get("shop", number)
            except Unavailable:
                return None
            found = next((step for step in deploy.steps if step["name"] == wanted), None)
            return None if found is None or found["status"] == "pending" else str(found["status"])

        seen.append(until(begun, 150, every_s=0.02))
        story.server.kill()
        story.server.start()
    return seen


@pytest.mark.airflow
@pytest.mark.journey
def test_up_and_back_on_sqlite_while_the_server_is_killed(story: Story, tmp_path: Path) -> None:
    before = started(story, tmp_path)

    tried = story.run("deployment", "upgrade", "shop", "--to", NEW, "--rehearse-only")
    assert (tried["status"], tried["report"]["problems"]) == ("passed", [])
    assert tried["report"]["dags"]["equal"] + tried["report"]["dags"]["different_count"] == 1
    assert tried["report"]["database"]["seconds"] > 0

    deploy = story.client.versions.upgrade("shop", to=NEW, rehearsal_id=tried["id"])
    killed = kill_at(story, deploy.number, ["stop", "snapshot", "convert", "switch"])
    assert len(killed) == 4
    live = until(lambda: _live(story, deploy.number), 200, every_s=0.5)
    assert (live.cause, live.airflow_version) == ("upgrade", NEW)
    upgraded = story.await_run(story.runs())
    kept = {run.run_id: (run.state, run.tasks) for run in before if run.state == "success"}
    assert kept.items() <= {run.run_id: (run.state, run.tasks) for run in upgraded}.items()
    assert_nothing_twice_or_lost(upgraded)

    back = story.client.versions.roll_back("shop", 1)
    kill_at(story, back.number, ["rehearse", "convert", "confirm"])
    live = until(lambda: _live(story, back.number), 200, every_s=0.5)
    assert (live.cause, live.airflow_version) == ("rollback", OLD)
    returned = story.await_run(story.runs())
    kept_states = {run.begin: run.state for run in upgraded if run.state == "success"}
    assert kept_states.items() <= {run.begin: run.state for run in returned}.items()
    assert_nothing_twice_or_lost(returned)
    assert story.client.deployments.get("shop").airflow_version == OLD


@pytest.mark.airflow
@pytest.mark.journey
def test_up_and_back_on_postgresql_on_the_command_line(story: Story, tmp_path: Path) -> None:
    before = started(story, tmp_path, "--database", "postgresql")

    live = story.run("deployment", "upgrade", "shop", "--to", NEW, "--yes")
    assert (live["status"], live["cause"], live["airflow_version"]) == ("live", "upgrade", NEW)
    assert live["snapshot_id"] is not None
    upgraded = story.await_run(story.runs())
    kept = {run.run_id: (run.state, run.tasks) for run in before if run.state == "success"}
    assert kept.items() <= {run.run_id: (run.state, run.tasks) for run in upgraded}.items()
    assert_nothing_twice_or_lost(upgraded)

    live = story.run("deploy", "rollback", "1", "--deployment", "shop", "--yes")
    assert (live["status"], live["cause"], live["airflow_version"]) == ("live", "rollback", OLD)
    tried = story.client.versions.rehearsals("shop")[0]
    assert (tried.kind, tried.status) == ("rollback", "passed")
    assert tried.report is not None
    assert {row["kind"] for row in tried.report["loss"]["carried"]} >= {"dag_run", "task_instance"}
    returned = story.await_run(story.runs())
    kept_states = {run.begin: run.state for run in upgraded if run.state == "success"}
    assert kept_states.items() <= {run.begin: run.state for run in returned}.items()
    assert_nothing_twice_or_lost(returned)
    assert_logs_are_where_runs_say(story, returned)


@pytest.mark.airflow
@pytest.mark.journey
@pytest.mark.matrix
@pytest.mark.parametrize("kind", LOWER_ON)
@pytest.mark.parametrize("lower", LOWER)
def test_up_and_back_within_airflow_3(
    story: Story, tmp_path: Path, airflow_venv: Callable[..., Any], lower: str, kind: str
) -> None:
    """The older scheduler goes on with rows that the newer one wrote: no crash, nothing twice, nothing lost."""
    airflow_venv(lower)
    before = started(story, tmp_path, "--database", kind, version=lower)
    live = story.run("deployment", "upgrade", "shop", "--to", NEW, "--yes")
    assert (live["status"], live["airflow_version"]) == ("live", NEW)
    upgraded = story.await_run(story.runs())
    assert {run.run_id for run in before} <= {run.run_id for run in upgraded}
    assert_nothing_twice_or_lost(upgraded)

    live = story.run("deploy", "rollback", "1", "--deployment", "shop", "--yes")
    assert (live["status"], live["cause"], live["airflow_version"]) == ("live", "rollback", lower)
    returned = story.await_run(story.runs())
    kept_states = {run.begin: (run.state, run.tasks) for run in upgraded if run.state == "success"}
    assert kept_states.items() <= {run.begin: (run.state, run.tasks) for run in returned}.items()
    assert_nothing_twice_or_lost(returned)
    assert_logs_are_where_runs_say(story, returned)
    scheduler = next(part for part in story.client.deployments.get("shop").components if part.name == "scheduler")
    assert (scheduler.state, scheduler.restarts) == ("running", 0)


def _live(story: Story, number: int) -> Any:
    try:
        deploy = story.client.deploys.get("shop", number)
    except Unavailable:
        return None
    assert deploy.status != "failed", deploy.error
    return deploy if deploy.status == "live" else None
