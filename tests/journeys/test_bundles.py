"""Two teams on one Airflow: a project and a named DAG bundle change while tasks of both run, and the tasks keep their code.

Breaks for everybody whose tasks run longer than the time between two deploys.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.journeys.server import until

from aerodrome.access import SYSTEM
from aerodrome.airflowkit.rest import AirflowRest
from aerodrome.bootstrap import App
from aerodrome.fleet.service import NewDeployment

DAG = """
import datetime, os, time
from pathlib import Path
from airflow.sdk import dag, task

@dag(schedule=None, start_date=datetime.datetime(2026, 1, 1), is_paused_upon_creation=False)
def {name}():
    @task
    def look(run_id=None):
        out = Path(os.environ["OUT"])
        (out / "started-{name}").touch()
        while not (out / "go").exists():
            time.sleep(0.1)
        import {name}_words  # loaded only now, long after the deploys
        (out / f"{name}-{{run_id}}").write_text({name}_words.VERSION + Path(__file__).with_name("note.txt").read_text())
    look()

{name}()
"""


def write(folder: Path, name: str, version: str) -> Path:
    (folder / "dags").mkdir(parents=True, exist_ok=True)
    (folder / "dags" / f"{name}.py").write_text(DAG.format(name=name) + f"# {version}\n")
    (folder / "dags" / f"{name}_words.py").write_text(f"VERSION = {version!r}\n")
    (folder / "dags" / "note.txt").write_text(version)
    (folder / "plugins").mkdir(exist_ok=True)
    (folder / "plugins" / "ours.py").write_text(f"VERSION = {version!r}\n")
    return folder


def text_of(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@pytest.mark.airflow
@pytest.mark.journey
def test_running_tasks_keep_the_code_of_their_bundle(app: App, tmp_path: Path) -> None:
    fleet, out = app.fleet, tmp_path / "out"
    out.mkdir()
    fleet.create_workspace(SYSTEM, "team")
    wish = NewDeployment(
        "shop", "team", airflow_version="3.3.2", python_version="3.11", parallelism=4, env={"OUT": str(out)}
    )
    fleet.create_deployment(SYSTEM, wish)
    fleet.deploy(SYSTEM, "shop", app.bundles.put(write(tmp_path / "project", "ours", "1")))
    named = app.bundles.put(write(tmp_path / "theirs", "theirs", "1"), {"dags"})
    second = fleet.deploy(SYSTEM, "shop", named, kind="bundle", bundle_name="theirs")
    assert fleet.wait_live(SYSTEM, second.id, 240).status == "live"
    assert fleet.wait_healthy(SYSTEM, "shop", 60).status == "healthy"
    before = {part.name: part.pid for part in fleet.get_deployment(SYSTEM, "shop").components}

    with AirflowRest.of(fleet.access(SYSTEM, "shop")) as rest:
        first_runs = {}
        for name in ("ours", "theirs"):
            until(partial(rest.dag, name))
            first_runs[name] = rest.trigger(name).run_id
        for name in first_runs:
            until((out / f"started-{name}").exists)

        # only DAGs are taken: the plugin of version 2 stays away, and nothing restarts
        dags = fleet.deploy(SYSTEM, "shop", app.bundles.put(write(tmp_path / "project", "ours", "2")), kind="dags")
        assert dags.kind == "dags"
        named = app.bundles.put(write(tmp_path / "theirs", "theirs", "2"), {"dags"})
        last = fleet.deploy(SYSTEM, "shop", named, kind="bundle", bundle_name="theirs")
        assert fleet.wait_live(SYSTEM, last.id, 60).status == "live"
        assert (app.bundles.get(dags.bundle_digest).path / "plugins/ours.py").read_text() == "VERSION = '1'\n"
        assert {part.name: part.pid for part in fleet.get_deployment(SYSTEM, "shop").components} == before

        # what is pinned by an unfinished run is not removed, however little else needs it
        shop = fleet.get_deployment(SYSTEM, "shop")
        assert app.runtime.forget_releases(shop.id, None, set()) == 0

        (out / "go").touch()
        for name, run_id in first_runs.items():
            told = out / f"{name}-{run_id}"
            until(partial(text_of, told))
            assert told.read_text() == "11"

        def newest(name: str) -> bool:
            run_id = rest.trigger(name).run_id
            told = out / f"{name}-{run_id}"
            until(partial(text_of, told))
            return told.read_text() == "22"

        for name in first_runs:
            until(partial(newest, name))
