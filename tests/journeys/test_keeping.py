"""A deployment on PostgreSQL over its life: runs, a backup, a mishap, a restore, sleep, a deploy and a move while asleep.

Breaks for whoever trusts us with a history, on either Airflow.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import structlog

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.bootstrap import App, build
from aerodrome.fleet.acts.queries import ActView
from aerodrome.fleet.service import DeploymentChanges, NewDeployment
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.settings.model import Settings

DAG = """
import datetime
try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task

@dag(schedule=None, start_date=datetime.datetime(2026, 1, 1), is_paused_upon_creation=False)
def {name}():
    @task
    def look():
        return {{"seen": "{name}"}}
    look()

{name}()
"""


@pytest.fixture
def app(tmp_path: Path, venv_cache: Path) -> Iterator[App]:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "venvs").symlink_to(venv_cache / "venvs")
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    app = build(Settings(home=home, log_format="json"))
    app.start_worker()
    yield app
    app.worker.stop(10)
    for view in app.fleet.list_deployments(SYSTEM):
        app.runtime.delete(view.id)
    assert isinstance(app.runtime, LocalRuntime)
    managed = app.runtime.databases.managed
    if managed.is_wanted():
        server = managed.ensure()
        managed.stop()
        server.delete()
    app.stop()
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def until(look: Callable[[], Any], timeout_s: float = 120) -> Any:
    end = time.monotonic() + timeout_s
    while not (seen := look()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)
    return seen


def sql(app: App, text: str) -> list[tuple[Any, ...]]:
    """Read or write the deployment's metadata database, whatever it is."""
    engine = sa.create_engine(app.fleet.access(SYSTEM, "shop").database_url.reveal(), poolclass=sa.NullPool)
    with closing(engine.connect()) as connection:
        answer = connection.execute(sa.text(text))
        rows = [tuple(row) for row in answer] if answer.returns_rows else []
        connection.commit()
    engine.dispose()
    return rows


def ended(app: App, act: ActView) -> ActView:
    found: ActView = until(
        lambda: seen if (seen := app.fleet.get_act(SYSTEM, act.id)).status in ("done", "failed") else None, 240
    )
    assert found.error is None
    return found


def sleep_and_move(app: App, project: Path, history: list[tuple[Any, ...]]) -> None:
    """Asleep it takes a deploy and another database; on waking all of it is there."""
    fleet = app.fleet
    fleet.hibernate(SYSTEM, "shop")
    until(lambda: fleet.get_deployment(SYSTEM, "shop").status == "hibernated")
    (project / "dags" / "two.py").write_text(DAG.format(name="two"))
    second = fleet.deploy(SYSTEM, "shop", app.bundles.put(project), "second", "cli")
    assert fleet.wait_live(SYSTEM, second.id, 120).status == "live"
    moved = ended(app, fleet.move_database(SYSTEM, "shop", "sqlite"))
    assert moved.result["copy"]["rows"] > 0
    assert fleet.get_deployment(SYSTEM, "shop").status == "hibernated"
    assert sql(app, "select dag_id, run_id, state from dag_run") == history
    fleet.wake(SYSTEM, "shop")
    assert fleet.wait_healthy(SYSTEM, "shop", 240).database == "sqlite"
    with AirflowRest.of(fleet.access(SYSTEM, "shop")) as rest:
        until(lambda: rest.dag("two"))
    assert sql(app, "select dag_id, run_id, state from dag_run") == history


@pytest.mark.airflow
@pytest.mark.journey
@pytest.mark.parametrize("version", ["3.3.2", "2.11.2"])
def test_a_history_is_kept(app: App, tmp_path: Path, airflow_venv: Callable[..., Any], version: str) -> None:
    airflow_venv(version)
    fleet, project = app.fleet, tmp_path / "project"
    (project / "dags").mkdir(parents=True)
    (project / "dags" / "one.py").write_text(DAG.format(name="one"))
    fleet.create_workspace(SYSTEM, "team")
    wish = NewDeployment("shop", "team", version, "3.11", parallelism=2, database="postgresql")
    fleet.create_deployment(SYSTEM, wish)
    first = fleet.deploy(SYSTEM, "shop", app.bundles.put(project), "first", "cli")
    assert fleet.wait_live(SYSTEM, first.id, 240).status == "live"

    # it runs on the managed PostgreSQL
    with AirflowRest.of(fleet.access(SYSTEM, "shop")) as rest:
        until(lambda: rest.dag("one"))
        run = rest.trigger("one")
        until(lambda: rest.run("one", run.run_id).is_finished)
        assert rest.run("one", run.run_id).state == "success"
    history = sql(app, "select dag_id, run_id, state from dag_run")

    # a backup is taken while it runs, and seen to be restorable; a mishap is undone by it
    fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(pools={"warehouse": 3}))
    until(lambda: sql(app, "select slots from slot_pool where pool = 'warehouse'") == [(3,)])
    backup = fleet.keeping.create_backup(SYSTEM, "shop", "before the mishap")
    until(lambda: fleet.keeping.get_backup(SYSTEM, "shop", backup.id).verified_at)
    sql(app, "delete from task_instance")
    sql(app, "delete from dag_run")
    ended(app, fleet.keeping.restore_backup(SYSTEM, "shop", backup.id))
    assert sql(app, "select dag_id, run_id, state from dag_run") == history
    assert sql(app, "select state from task_instance") == [("success",)]
    assert fleet.get_deployment(SYSTEM, "shop").status == "healthy"

    if version == "3.3.2":  # once is enough: what moves between databases is tested on 2.11.2 too, without processes
        sleep_and_move(app, project, history)

    # when it is deleted nothing of it is left on the server
    fleet.delete_deployment(SYSTEM, "shop")
    until(lambda: not fleet.list_deployments(SYSTEM))
    assert isinstance(app.runtime, LocalRuntime)
    assert not app.runtime.databases.managed.is_wanted()
