"""A team's first hour: a deployment, a deploy, a DAG that runs, a change without a restart, a mistake, a new server, the end.

Breaks for everybody who hosts an Airflow here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.server import until

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest, RestRun
from aerodrome.bootstrap import App, build
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret

DAG = """
import datetime, os
from airflow.sdk import dag, task

@dag(schedule=None, start_date=datetime.datetime(2026, 1, 1), is_paused_upon_creation=False)
def {name}():
    @task
    def look():
        assert os.environ["GREETING"] == "hello"
        assert os.environ["TOKEN_OF_TEAM"] == "canary-team-token"
        return "{name}"
    look()

{name}()
"""


@pytest.fixture(autouse=True)
def airflow_3(airflow_venv: Callable[..., Any]) -> None:
    """Have the virtualenv before a deployment waits for it."""
    airflow_venv("3.3.2")


def write(folder: Path, *names: str, requirements: str = "") -> Path:
    (folder / "dags").mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / "dags" / f"{name}.py").write_text(DAG.format(name=name))
    (folder / "requirements.txt").write_text(requirements)
    return folder


def run(rest: AirflowRest, dag_id: str) -> RestRun:
    """Trigger a DAG as soon as Airflow knows it, and wait for its end."""
    until(lambda: rest.dag(dag_id))
    started = rest.trigger(dag_id)

    def finished() -> RestRun | None:
        seen = rest.run(dag_id, started.run_id)
        return seen if seen.is_finished else None

    ended: RestRun = until(finished)
    return ended


def pids(app: App) -> dict[str, int | None]:
    return {part.name: part.pid for part in app.fleet.get_deployment(SYSTEM, "shop").components}


@pytest.mark.airflow
@pytest.mark.journey
def test_a_teams_first_hour(app: App, tmp_path: Path) -> None:
    fleet, project = app.fleet, tmp_path / "project"
    fleet.create_workspace(SYSTEM, "team")
    wish = NewDeployment(
        "shop",
        "team",
        airflow_version="3.3.2",
        python_version="3.11",
        parallelism=2,
        env={"GREETING": "hello", "TOKEN_OF_TEAM": Secret("canary-team-token")},
    )
    view = fleet.create_deployment(SYSTEM, wish)

    # the first version becomes live on a healthy Airflow, and its DAG runs with the environment of the deployment
    first = fleet.deploy(SYSTEM, "shop", app.bundles.put(write(project, "first")), "the first", "cli")
    assert fleet.wait_live(SYSTEM, first.id, 240).status == "live"
    assert fleet.wait_healthy(SYSTEM, "shop", 60).status == "healthy"
    before = pids(app)
    with AirflowRest.of(fleet.access(SYSTEM, "shop")) as rest:
        assert run(rest, "first").state == "success"

        # new DAG files reach the running Airflow without a restart
        second = fleet.deploy(SYSTEM, "shop", app.bundles.put(write(project, "second")), "more DAGs", "cli")
        assert fleet.wait_live(SYSTEM, second.id, 30).kind == "dags"
        assert run(rest, "second").state == "success"
        assert run(rest, "first").state == "success"
    assert pids(app) == before

    # a mistake in requirements.txt fails with a sentence, and what runs runs on
    broken = write(project, requirements="no-such-package-of-aerodrome==1.2.3\n")
    third = fleet.deploy(SYSTEM, "shop", app.bundles.put(broken), "a mistake", "cli")
    with pytest.raises(Invalid) as caught:
        fleet.wait_live(SYSTEM, third.id, 120)
    assert caught.value.code == "requirements-unresolvable"
    assert caught.value.hint
    assert fleet.get_deployment(SYSTEM, "shop").current_deploy_id == second.id
    assert pids(app) == before

    # the logs are there; the secret is in no log, no argument and no environment that others can read
    lines = fleet.deployment_logs(SYSTEM, "shop", "scheduler", 500)
    assert lines
    for name in before:
        assert "canary-team-token" not in "\n".join(fleet.deployment_logs(SYSTEM, "shop", name, 5000))
    for pid in before.values():
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        assert b"canary-team-token" not in command
        assert Path(f"/proc/{pid}/environ").stat().st_uid == os.getuid()

    # another server on the same home adopts what runs
    app.worker.stop()
    again = build(app.settings)
    again.start_worker()
    adopted_at = again.clock.now()
    until(lambda: (again.fleet.get_deployment(SYSTEM, "shop").observed_at or view.created_at) > adopted_at, 30)
    assert again.fleet.get_deployment(SYSTEM, "shop").status == "healthy"
    assert pids(again) == before

    # sleep, wake, the end
    again.fleet.hibernate(SYSTEM, "shop")
    until(lambda: again.fleet.get_deployment(SYSTEM, "shop").status == "hibernated")
    assert not any(Path(f"/proc/{pid}").exists() for pid in before.values())
    again.fleet.wake(SYSTEM, "shop")
    assert again.fleet.wait_healthy(SYSTEM, "shop", 120).status == "healthy"
    with AirflowRest.of(again.fleet.access(SYSTEM, "shop")) as rest:
        assert len(list(rest.dag_runs("first"))) == 2
    again.fleet.delete_deployment(SYSTEM, "shop")

    def is_gone() -> bool:
        try:
            again.fleet.get_deployment(SYSTEM, "shop")
        except NotFound:
            return True
        return False

    until(is_gone, 60)
    assert app.secrets.list("deployment") == []
    assert not [path for path in app.settings.deployments_dir.glob("dep_*") if path.is_dir()]
    again.stop()
