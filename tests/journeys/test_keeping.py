"""A deployment on PostgreSQL over its life: runs, a backup, a mishap, a restore, sleep, a deploy and a move while asleep.

Breaks for whoever trusts us with a history, on either Airflow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from tests.journeys.keeping_world import ended, platform, sql, until
from tests.matrix import wide

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.bootstrap import App
from aerodrome.bootstrap.safekeeping import metadata
from aerodrome.bootstrap.safekeeping import platform as safekeeping
from aerodrome.fleet.service import DeploymentChanges, NewDeployment
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.settings import load_settings

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


VERSIONS = ["2.11.2", *wide("3.3.2")]
PASSPHRASE = Secret("a horse, a boat and a lamp")
HISTORY = "select dag_id, run_id, state from dag_run"


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
    assert sql(app, HISTORY) == history
    fleet.wake(SYSTEM, "shop")
    assert fleet.wait_healthy(SYSTEM, "shop", 240).database == "sqlite"
    with AirflowRest.of(fleet.access(SYSTEM, "shop")) as rest:
        until(lambda: rest.dag("two"))
    assert sql(app, HISTORY) == history


def copy_beside(app: App, backup_id: str, history: list[tuple[Any, ...]]) -> None:
    """The backup becomes a second deployment: the same history, readable secrets, and nothing in it runs by itself."""
    act = ended(app, app.fleet.keeping.clone_backup(SYSTEM, "shop", backup_id, "copy"))
    assert app.fleet.hibernate(SYSTEM, "copy").name == "copy"  # nobody needs its Airflow here
    assert sql(app, HISTORY, "copy") == history
    assert sql(app, "select distinct is_paused from dag", "copy") == [(True,)]
    assert sql(app, "select distinct is_paused from dag") == [(False,)]
    key = DeploymentVault(app.secrets, act.deployment_id).fernet_key().reveal()
    ((value,),) = sql(app, "select val from variable where key = 'token'", "copy")
    assert Fernet(key).decrypt(value.encode()) == b"s3cret"
    app.fleet.delete_deployment(SYSTEM, "copy")


def restore_elsewhere(app: App, tmp_path: Path, venv_cache: Path, history: list[tuple[Any, ...]]) -> None:
    """The whole platform is restored on another machine, and the deployment goes on with its history."""
    file, quiet = tmp_path / "platform.backup", lambda _line: None
    fresh = metadata.take_all(app.reconciler.context, quiet)
    assert len(fresh) == 1
    safekeeping.back_up(app.settings, app.clock, file, PASSPHRASE, with_snapshots=False, progress=quiet, fresh=fresh)
    there = load_settings(home=tmp_path / "there", log_level="warning")
    safekeeping.restore(there, file, PASSPHRASE, progress=quiet)
    with platform(there.home, venv_cache) as restored:
        (act,) = [item for item in restored.fleet.list_acts(SYSTEM, "shop") if item.kind == "bring-back"]
        ended(restored, act)
        assert sql(restored, HISTORY) == history
        assert sql(restored, "select state from task_instance") == [("success",)]
        assert not (there.home / "snapshots" / "bring-back.json").exists()


@pytest.mark.airflow
@pytest.mark.journey
@pytest.mark.parametrize("version", VERSIONS)
def test_a_history_is_kept(tmp_path: Path, venv_cache: Path, airflow_venv: Callable[..., Any], version: str) -> None:
    airflow_venv(version)
    with platform(tmp_path / "home", venv_cache) as app:
        keep(app, tmp_path, venv_cache, version)


def keep(app: App, tmp_path: Path, venv_cache: Path, version: str) -> None:
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
    history = sql(app, HISTORY)

    # a backup is taken while it runs, and seen to be restorable; a mishap is undone by it
    fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(pools={"warehouse": 3}))
    until(lambda: sql(app, "select slots from slot_pool where pool = 'warehouse'") == [(3,)])
    key = DeploymentVault(app.secrets, fleet.get_deployment(SYSTEM, "shop").id).fernet_key().reveal()
    token = Fernet(key).encrypt(b"s3cret").decode()
    sql(app, f"insert into variable (key, val, is_encrypted) values ('token', '{token}', true)")
    backup = fleet.keeping.create_backup(SYSTEM, "shop", "before the mishap")
    until(lambda: fleet.keeping.get_backup(SYSTEM, "shop", backup.id).verified_at)
    sql(app, "delete from task_instance")
    sql(app, "delete from dag_run")
    ended(app, fleet.keeping.restore_backup(SYSTEM, "shop", backup.id))
    assert sql(app, HISTORY) == history
    assert sql(app, "select state from task_instance") == [("success",)]
    assert fleet.wait_healthy(SYSTEM, "shop", 60).status == "healthy"

    copy_beside(app, backup.id, history)
    until(lambda: len(fleet.list_deployments(SYSTEM)) == 1)
    restore_elsewhere(app, tmp_path, venv_cache, history)
    if version == "3.3.2":  # once is enough: what moves between databases is tested on 2.11.2 too, without processes
        sleep_and_move(app, project, history)

    # old rows go, unfinished runs stay: Airflow's own command would remove those too
    sql(app, "update log set dttm = '2020-01-01 00:00:00.000000'")
    sql(app, "update dag_run set start_date = '2020-02-01 00:00:00.000000', state = 'queued'")
    sql(app, "update dag set is_paused = true")
    would = fleet.keeping.clean(SYSTEM, "shop", 365, is_dry_run=True)
    assert would.held_by == f"one {history[0][1]}"
    assert set(would.rows) == {"log"}
    assert fleet.keeping.clean(SYSTEM, "shop", 365, is_dry_run=False).rows == would.rows
    assert sql(app, "select count(*) from log where dttm < '2021-01-01'") == [(0,)]
    assert len(sql(app, HISTORY)) == 1

    # when it is deleted nothing of it is left on the server
    fleet.delete_deployment(SYSTEM, "shop")
    until(lambda: not fleet.list_deployments(SYSTEM))
    assert isinstance(app.runtime, LocalRuntime)
    assert not app.runtime.databases.managed.is_wanted()
