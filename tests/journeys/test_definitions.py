"""An Oozie estate and a Control-M estate become deployments that run: people hold the jobs, the target begins at the very next time.

If these break, a team that comes from Oozie or Control-M runs a time twice, or never.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.server import Run, runs_of, until
from tests.matrix import IS_WIDE
from tests.rooms.migration.sources.oozie_fake import OozieFake, oozie_fake

from aerodrome.access import SYSTEM
from aerodrome.bootstrap import App
from aerodrome.builds.contract import Venv
from aerodrome.demo.plan_edit import choose_first_wave, choose_python
from aerodrome.kernel.clock import to_text
from aerodrome.migration.service.definitions_input import DefinitionsInput
from aerodrome.migration.service.holds import Hold
from aerodrome.migration.service.views import MigrationView

pytestmark = [pytest.mark.airflow, pytest.mark.journey]
VERSION = "3.3.2"
WAVE = "first"
MINUTE = timedelta(minutes=1)
FREQUENCY = "${coord:minutes(1)}" if IS_WIDE else "* * * * *"  # proved by another parse, or by the arithmetic of cron
WORKFLOW = """<workflow-app xmlns="uri:oozie:workflow:0.5" name="load">
  <start to="load"/>
  <action name="load"><shell xmlns="uri:oozie:shell-action:0.2"><exec>true</exec></shell><ok to="end"/><error to="fail"/></action>
  <kill name="fail"><message>it failed</message></kill><end name="end"/>
</workflow-app>"""
COORDINATOR = """<coordinator-app xmlns="uri:oozie:coordinator:0.4" name="{name}" frequency="{frequency}"
    start="2026-01-01T00:00Z" end="2099-01-01T00:00Z" timezone="UTC">
  <action><workflow><app-path>${{nameNode}}/apps/{name}</app-path></workflow></action>
</coordinator-app>"""


def write(folder: Path, *names: str) -> Path:
    for name in names:
        place = folder / name
        place.mkdir(parents=True)
        (place / "workflow.xml").write_text(WORKFLOW)
        (place / "coordinator.xml").write_text(COORDINATOR.format(name=name, frequency=FREQUENCY))
        (place / "job.properties").write_text("nameNode=hdfs://nn:8020\n")
    return folder


def settled(app: App, name: str, status: str, timeout_s: float = 180) -> MigrationView:
    def look() -> MigrationView | None:
        view = app.migrations.get(SYSTEM, name)
        assert view.status != "failed", view.error
        return view if view.status == status else None

    found: MigrationView = until(look, timeout_s, every_s=0.2)
    return found


def scheduled(app: App, name: str, dag_id: str) -> list[Run]:
    deployment = app.migrations.get(SYSTEM, name).target_deployment_id
    assert deployment is not None
    runs = runs_of(app.fleet.access(SYSTEM, deployment).database_url)
    return sorted(
        (run for run in runs if run.dag_id == dag_id and run.run_type == "scheduled"), key=lambda run: run.begin
    )


def results(view: MigrationView, kind: str) -> Mapping[str, Mapping[str, Any]]:
    return {
        step.key.partition(":")[2]: step.result or {}
        for track in view.tracks
        for step in track.steps
        if step.kind == f"cutover.{kind}"
    }


def applied(app: App, source: DefinitionsInput, *dag_ids: str) -> None:
    """Move everything up to the cutover; these DAGs make up the wave "first"."""
    app.fleet.create_workspace(SYSTEM, "data")
    app.migrations.connect(SYSTEM, "estate", "data", source)
    app.migrations.assess(SYSTEM, "estate")
    settled(app, "estate", "planned")
    text = app.migrations.plan(SYSTEM, "estate").text
    app.migrations.save_plan(SYSTEM, "estate", choose_python(choose_first_wave(text, dag_ids, WAVE), "3.11"))
    app.migrations.apply(SYSTEM, "estate")
    settled(app, "estate", "applied")


def test_an_oozie_estate_goes_on_at_the_very_next_time(
    app: App, airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    airflow_venv(VERSION)
    folder = write(tmp_path / "apps", "by-hand", "by-oozie")
    with oozie_fake() as server:
        job = _running(server)
        applied(app, DefinitionsInput("oozie", str(folder), server_url=server.url, user="mover"), "by-hand", "by-oozie")
        view = app.migrations.get(SYSTEM, "estate")
        checked = next(step for track in view.tracks for step in track.steps if step.kind == "validate.dags")
        assert checked.result is not None
        assert checked.result["failed_dags"] == []

        # nobody has said anything of the one that Oozie does not run: nothing is touched
        app.migrations.waves.cut_over(SYSTEM, "estate", WAVE)
        refused = until(lambda: (found := app.migrations.get(SYSTEM, "estate")).status == "failed" and found)
        assert refused.error["code"] == "hold-not-confirmed"
        assert server.jobs[job].status == "RUNNING"

        last = datetime.now(UTC).replace(second=0, microsecond=0) - MINUTE  # the next one is due already
        app.migrations.holds.say(SYSTEM, "estate", [Hold("by-hand", last)])
        app.migrations.waves.cut_over(SYSTEM, "estate", WAVE)
        done = settled(app, "estate", "done", 240)
        oozie_last = server.jobs[job].last_done
        assert server.jobs[job].status == "SUSPENDED"
        for dag_id, boundary in (("by-hand", last), ("by-oozie", oozie_last)):
            assert (
                results(done, "prove")[dag_id]["source_next_interval"]
                == results(done, "prove")[dag_id]["next_interval"]
            )
            assert results(done, "watch")[dag_id]["first_target_state"] == "success"
            runs = scheduled(app, "estate", dag_id)
            assert [run.begin for run in runs[:2]] == [boundary, boundary + MINUTE]
            assert len({run.begin for run in runs}) == len(runs)

        # and back: what the target ran is named, so that the source goes on right after it
        app.migrations.waves.roll_back(SYSTEM, "estate", WAVE)
        settled(app, "estate", "applied")
        told = {view.dag_id: view.told for view in app.migrations.holds.list(SYSTEM, "estate")}
        for dag_id, words in (
            ("by-hand", "this is its first time {}"),
            ("by-oozie", "submit the coordinator with start={}"),
        ):
            coming = scheduled(app, "estate", dag_id)[-1].begin + MINUTE
            assert words.format(to_text(coming)) in told[dag_id]
        assert server.jobs[job].status == "SUSPENDED"
        assert not any("kill" in asked for asked in server.asked)


def _running(server: OozieFake) -> str:
    """Let Oozie run one of the two coordinators: its older actions are done, the next one waits for data."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    actions = [(now - 2 * MINUTE, "SUCCEEDED"), (now - MINUTE, "SUCCEEDED"), (now, "WAITING")]
    return server.add("by-oozie", "hdfs://nn:8020/apps/by-oozie", actions, now + MINUTE)


@pytest.mark.matrix
def test_a_control_m_estate_waits_for_its_next_order(
    app: App, airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    airflow_venv(VERSION)
    now = datetime.now(UTC)
    last = now.replace(minute=0, second=0, microsecond=0) - timedelta(
        hours=12
    )  # far from the next one, at any time of day
    job = 'TASKTYPE="Command" CMDLINE="true" DAYS="ALL" RUN_AS="etl"'
    (tmp_path / "export.xml").write_text(
        f'<DEFTABLE><FOLDER FOLDER_NAME="LOAD" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="GET" {job} TIMEFROM="{last:%H}00">'
        '<OUTCOND NAME="GOT" ODATE="ODAT" SIGN="+"/><QUANTITATIVE NAME="DB" QUANT="2"/></JOB></FOLDER>'
        f'<FOLDER FOLDER_NAME="REPORT" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="SEND" {job} TIMEFROM="{last:%H}00">'
        '<INCOND NAME="GOT" ODATE="ODAT"/></JOB></FOLDER></DEFTABLE>'
    )
    applied(app, DefinitionsInput("controlm", str(tmp_path / "export.xml")), "LOAD", "REPORT")
    app.migrations.holds.say(SYSTEM, "estate", [Hold("LOAD", last), Hold("REPORT", last)])
    app.migrations.waves.cut_over(SYSTEM, "estate", WAVE)
    done = settled(app, "estate", "done", 240)
    for dag_id in ("LOAD", "REPORT"):
        coming = to_text(last + timedelta(days=1))
        assert results(done, "prove")[dag_id]["next_interval"] == [coming, coming]
        assert results(done, "watch")[dag_id]["first_target_state"] == "not-due"
        (run,) = scheduled(app, "estate", dag_id)
        assert (run.begin, run.state) == (last, "success")
        assert run.tasks > 0  # what waits for that time in another DAG finds it done
    app.migrations.waves.roll_back(SYSTEM, "estate", WAVE)
    settled(app, "estate", "applied")
    told = {view.dag_id: view.told for view in app.migrations.holds.list(SYSTEM, "estate")}
    assert told["LOAD"].startswith("Resume LOAD in the source yourself now")
    assert (last + timedelta(days=1)).isoformat()[:16] in told["LOAD"]
