"""A deployment falls asleep while tasks run. Breaks for everybody whose tasks are not safe to run twice."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.keeping_world import platform, sql, until
from tests.matrix import wide

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.bootstrap import App
from aerodrome.fleet.service import DeploymentChanges, NewDeployment
from aerodrome.store import outbox

DAGS = """
import datetime, os, subprocess, time
try:
    from airflow.sdk import dag, task
except ImportError:
    from airflow.decorators import dag, task

NOTES = "{notes}"

def make(name, retries, seconds):
    @dag(name, schedule=None, start_date=datetime.datetime(2026, 1, 1), is_paused_upon_creation=False)
    def flow():
        @task(retries=retries, retry_delay=datetime.timedelta(seconds=1))
        def work():
            with open(NOTES, "a") as notes:
                notes.write(f"{{name}} begins\\n")
            is_first = open(NOTES).read().count(f"{{name}} begins") == 1
            subprocess.run(["sleep", f"{{seconds if is_first else 0}}.{mark}"], check=True)
            with open(NOTES, "a") as notes:
                notes.write(f"{{name}} ends\\n")
        work()
    return flow()

fits, again, once = make("fits", 0, 8), make("again", 1, 900), make("once", 0, 900)

@dag(schedule=datetime.timedelta(seconds=10), catchup=False, max_active_runs=1,
     start_date=datetime.datetime(2026, 1, 1), is_paused_upon_creation=False)
def tick():
    @task
    def look():
        pass
    look()

tick()
"""
VERSIONS = ["3.3.2", *wide("2.11.2")]


def processes(mark: str) -> list[int]:
    """Give the processes that the tasks started."""
    found = []
    for entry in os.scandir("/proc"):
        with suppress(OSError):
            if entry.name.isdigit() and f".{mark}".encode() in Path(entry.path, "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def fall_asleep(app: App) -> list[str]:
    """Hibernate with a drain window; give what the event lists as cut off."""
    app.fleet.update_deployment(SYSTEM, "shop", DeploymentChanges(drain_s=12))
    app.fleet.hibernate(SYSTEM, "shop")
    until(lambda: app.fleet.get_deployment(SYSTEM, "shop").status == "hibernated")
    with app.store.reading() as session:
        found = [event for event in outbox.read(session) if event.type == "deployment.tasks_cut_off"]
    return [] if not found else list(found[-1].data["tasks"])


@pytest.mark.airflow
@pytest.mark.journey
@pytest.mark.parametrize("version", VERSIONS)
def test_tasks_end_in_the_drain_window_or_are_cut_off(
    tmp_path: Path, venv_cache: Path, airflow_venv: Callable[..., Any], version: str
) -> None:
    airflow_venv(version)
    project, notes, mark = tmp_path / "project", tmp_path / "notes", str(os.getpid())
    (project / "dags").mkdir(parents=True)
    (project / "dags" / "all.py").write_text(DAGS.format(notes=notes, mark=mark))
    notes.touch()
    with platform(tmp_path / "home", venv_cache) as app:
        fleet = app.fleet
        fleet.create_workspace(SYSTEM, "team")
        wish = NewDeployment("shop", "team", version, "3.11", parallelism=4, database="postgresql")
        fleet.create_deployment(SYSTEM, wish)
        deploy = fleet.deploy(SYSTEM, "shop", app.bundles.put(project), "first", "cli")
        assert fleet.wait_live(SYSTEM, deploy.id, 240).status == "live"
        with AirflowRest.of(fleet.access(SYSTEM, "shop")) as rest:
            for name in ("again", "once", "fits"):
                until(lambda name=name: rest.dag(name))  # type: ignore[misc]
                rest.trigger(name)
        until(lambda: notes.read_text().count("begins") == 3)
        until(lambda: sql(app, "select 1 from dag_run where dag_id = 'tick'"))

        # within the drain window a task finishes; beyond it Airflow itself ends the task, with everything that it started
        cut_off = fall_asleep(app)
        assert [line.split()[0] for line in cut_off] == ["again", "once"]
        assert processes(mark) == []
        states = dict(sql(app, "select dag_id, state from task_instance where dag_id <> 'tick'"))
        retried = "running" if version.startswith("3") else "up_for_retry"  # Airflow 3 leaves it to its next scheduler
        assert states == {"fits": "success", "again": retried, "once": "failed"}
        ticks = sql(app, "select run_id from dag_run where dag_id = 'tick'")

        # awake again the retry runs once, what has none stays failed, and the schedule goes on
        fleet.wake(SYSTEM, "shop")
        fleet.wait_healthy(SYSTEM, "shop", 240)
        until(lambda: len(sql(app, "select 1 from dag_run where dag_id = 'tick' and state = 'success'")) > len(ticks))
        until(lambda: "again ends" in notes.read_text())
        rows = "select dag_id, state from dag_run where dag_id <> 'tick'"
        until(lambda: dict(sql(app, rows)) == {"fits": "success", "again": "success", "once": "failed"})
        told = Counter(notes.read_text().splitlines())
        assert told == {
            "fits begins": 1,
            "fits ends": 1,
            "again begins": 2,
            "again ends": 1,
            "once begins": 1,
        }
