"""Definitions as a source, by client, command and page: connected, assessed, planned; and what people say of their holds.

If these break, a DAG may be handed over on nobody's word, or the word of a person is lost.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from sqlalchemy import select
from tests.rooms.migration.service.conftest import Desk
from tests.rooms.migration.sources.test_definitions import COORDINATOR, EXPORT, WORKFLOW
from tests.rooms.web.conftest import http, platform, url  # noqa: F401 - fixtures
from tests.rooms.web.world import World

from aerodrome.client.client import Client
from aerodrome.client.migrations import NewDefinitions
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.migration.service import converting
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.handlers import convert_code
from aerodrome.migration.service.holds import Hold
from aerodrome.migration.sources.contract import DefinitionsConfig
from aerodrome.store.tables.audit import AuditEntry
from aerodrome.web.credentials import SESSION_COOKIE

NAME = "estate"


@pytest.fixture
def store_url(_sqlite_template: Path, tmp_path: Path) -> str:
    """One kind of database is enough: what is said stands in a file and in the audit trail."""
    shutil.copyfile(_sqlite_template, tmp_path / "store.db")
    return f"sqlite:///{tmp_path / 'store.db'}"


@pytest.fixture
def desk(platform: World) -> Desk:  # noqa: F811
    platform.fleet.create_workspace(Desk(platform, cast("Any", None)).actor("admin"), "data")
    return Desk(platform, cast("Any", None))


@pytest.fixture
def client(desk: Desk, url: str) -> Client:  # noqa: F811
    return Client(url, desk.platform.token_of("operator"))


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    folder = tmp_path / "apps" / "etl"
    folder.mkdir(parents=True)
    (folder / "workflow.xml").write_text(
        re.sub(r"<action name=\"child\">.*?</action>", "", WORKFLOW).replace('"child"', '"end"')
    )
    (folder / "coordinator.xml").write_text(COORDINATOR)
    (folder / "job.properties").write_text("nameNode=hdfs://nn:8020\n")
    return folder.parent


@pytest.fixture
def planned(desk: Desk, client: Client, apps: Path) -> Client:
    client.migrations.connect(NAME, "data", NewDefinitions("oozie", str(apps)))
    client.migrations.assess(NAME)
    desk.work()
    return client


def test_definitions_are_connected_assessed_and_planned(desk: Desk, client: Client, tmp_path: Path) -> None:
    file = tmp_path / "export.xml"
    file.write_text(EXPORT)
    with client:
        with pytest.raises(Invalid) as wrong:
            client.migrations.connect(NAME, "data", NewDefinitions("controlm", str(tmp_path / "nowhere")))
        assert wrong.value.details["field"] == "definitions"
        (tmp_path / "empty").mkdir()
        with pytest.raises(Invalid) as refused:
            client.migrations.connect(NAME, "data", NewDefinitions("controlm", str(tmp_path / "empty")))
        assert refused.value.code == "source-not-usable"
        made = client.migrations.connect(NAME, "data", NewDefinitions("controlm", str(file)))
        assert made.data["source_kind"] == "controlm"
        client.migrations.assess(NAME)
        desk.work()
        seen = client.migrations.get(NAME)
        assert (seen.status, seen.data["error"], seen.data["found"]["dag"]) == ("planned", None, 3)
        found = {finding["code"] for finding in client.migrations.assessment(NAME)["findings"]}
        assert {"convert-caveat", "convert-calendar", "convert-producer", "convert-question"} <= found
        steps = [row["key"] for row in client.migrations.dry_run(NAME)]
        assert "code.convert" in steps
        assert not any(key.startswith(("code.upgrade", "transfer.history")) for key in steps)
        assert "depth: none" in client.migrations.plan(NAME)["text"]


def test_a_word_is_kept_with_name_and_time_and_can_be_taken_back(planned: Client, desk: Desk, url: str) -> None:  # noqa: F811
    with planned as client:
        (view,) = client.migrations.holds(NAME)
        assert (view["dag_id"], view["held_by"], bool(view["missing"])) == ("hourly-load", "", True)
        for wish, error, kind in (
            ({"dag_id": "nobody"}, "dag-unknown", NotFound),
            ({"dag_id": "hourly-load", "last_done": "2026-03-20T11:31:00Z"}, "boundary-not-nominal", Invalid),
            ({"dag_id": "hourly-load", "last_done": "0001-01-01T00:00:00Z"}, "boundary-not-nominal", Invalid),
        ):
            with pytest.raises(kind) as refused:
                client.migrations.hold(NAME, [wish])
            assert refused.value.code == error
        (said,) = client.migrations.hold(NAME, [{"dag_id": "hourly-load", "last_done": "2026-03-20T11:30:00Z"}])
        assert (said["held_by"], said["missing"], said["next_time"]) == ("operator", "", "2026-03-20T12:30:00.000000Z")
        (back,) = client.migrations.hold(NAME, [{"dag_id": "hourly-load", "is_held": False}])
        assert (back["held_by"], back["last_done"][:16]) == ("", "2026-03-20T11:30")
        assert back["missing"]
        (never,) = client.migrations.hold(NAME, [{"dag_id": "hourly-load", "has_never_run": True}])
        assert (never["last_done"], never["next_time"][:16]) == (None, "2026-01-01T00:30")
    with Client(url, desk.platform.token_of("viewer")) as viewer, pytest.raises(Denied):
        viewer.migrations.hold(NAME, [{"dag_id": "hourly-load"}])
    with desk.platform.store.reading() as session:
        told = [row for row in session.scalars(select(AuditEntry)) if row.action == "migration.hold-confirmed"]
    assert len(told) == 3
    assert {(row.actor_name, row.details["dags"][0]) for row in told} == {("operator", "hourly-load")}


def test_commands_confirm_many_from_a_file(planned: Client, desk: Desk, url: str, apps: Path, tmp_path: Path) -> None:  # noqa: F811
    words = tmp_path / "holds.csv"
    words.write_text("dag_id,last_done\nhourly-load,2026-03-20T11:30Z\n")
    token = desk.platform.token_of("operator").reveal()

    def run(*line: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, "AERODROME_URL": url, "AERODROME_TOKEN": token, "COLUMNS": "200"}
        command = [sys.executable, "-m", "aerodrome.cli", "migrate", *line]
        return subprocess.run(command, capture_output=True, text=True, env=env, check=False)

    planned.close()
    done = run("hold", NAME, "--from-file", str(words))
    assert (done.returncode, "1 DAGs can move" in done.stderr) == (0, True), done.stderr
    (view,) = json.loads(run("holds", NAME, "-o", "json").stdout)
    assert view["held_by"] == "operator"
    words.write_text("name\nx\n")
    assert "no column dag_id" in run("hold", NAME, "--from-file", str(words)).stderr
    made = run("connect", "second", "--workspace", "data", "--oozie", str(apps))
    assert made.returncode == 0, made.stderr
    assert "one source" in run("connect", "third", "--workspace", "data", "--oozie", "/x", "--controlm", "/y").stderr


def test_the_page_shows_and_takes_a_word(planned: Client, desk: Desk, http: Callable[..., httpx2.Client]) -> None:  # noqa: F811
    planned.close()
    visitor = http(None)
    visitor.headers["Cookie"] = f"{SESSION_COOKIE}={desk.platform.session_of('operator').reveal()}"
    visitor.headers["Origin"] = str(visitor.base_url).rstrip("/")
    address = f"/migrations/{desk.migrations.get(desk.actor(), NAME).id}/holds"
    page = visitor.get(address).text
    assert "1 of 1 DAGs cannot move yet" in page
    csrf = re.findall(r'name="csrf" value="([^"]+)"', page)[0]
    form = {"csrf": csrf, "dag_id": "hourly-load", "act": "confirm"}
    wrong = visitor.post(address, data={**form, "last_done": "yesterday"})
    assert (wrong.status_code, "yesterday is not a time" in wrong.text) == (422, True)
    done = visitor.post(address, data={**form, "last_done": "2026-03-20T11:30Z"})
    assert done.status_code == 303
    page = visitor.get(address).text
    assert "every DAG can move" in page
    assert "2026-03-20T12:30" in page
    form["name"], form["workspace"], form["kind"] = "second", "data", "oozie"
    refused = visitor.post("/migrations/new", data=form)
    assert (refused.status_code, 'data-field="definitions"' in refused.text) == (422, True)


def test_a_source_that_is_an_airflow_holds_itself(planned: Client, desk: Desk) -> None:
    planned.close()
    row = desk.migrations.row_for(desk.actor(), NAME, "migration.read")
    with desk.platform.store.writing() as session:
        session.get_one(type(row), row.id).source = {
            "kind": "airflow-archive", "label": "x", "archive": "/x", "has_key": False,
        }  # fmt: skip
    assert desk.migrations.holds.list(desk.actor(), NAME) == ()
    with pytest.raises(Conflict) as refused:
        desk.migrations.holds.say(desk.actor(), NAME, [Hold("hourly-load")])
    assert refused.value.code == "source-holds-itself"


def test_the_code_step_writes_a_project_for_the_target(desk: Desk, planned: Client, apps: Path, tmp_path: Path) -> None:
    planned.close()
    folder = desk.migrations.folder_of(desk.migrations.row_for(desk.actor(), NAME, "migration.read"))
    config = DefinitionsConfig("oozie", NAME, apps, tmp_path / "boundaries.json")
    for _ in range(2):
        done = converting.convert_into(folder, config, "3.3.2")
    assert done["summary"].startswith("1 DAGs from 2 definitions")
    assert "def test_tasks_and_edges" in (folder.code / "tests/test_dags.py").read_text()
    assert (folder.code / "requirements.txt").read_text() == ""  # the deployment's own lock has all of it
    text = (folder.code / "dags/hourly_load.py").read_text()
    assert "is_paused_upon_creation" not in text
    (file,) = json.loads(folder.code_json.read_text())["files"]
    assert file["diff"].count("\n+") > 10
    assert {finding["rule"] for finding in file["findings"]} == {"kill-message"}
    with pytest.raises(Invalid) as wrong:
        converting.target_of("2.9.3")
    assert wrong.value.code == "convert-target"


def test_definitions_that_changed_since_are_not_converted(desk: Desk, planned: Client, apps: Path) -> None:
    planned.close()
    row = desk.migrations.row_for(desk.actor(), NAME, "migration.read")
    unused = cast("Any", None)
    context = StepContext(
        migration_id=row.id, actor=unused, settings={}, folder=desk.migrations.folder_of(row), fleet=unused, bundles=unused,
        clock=desk.platform.clock, open_source=lambda: unused, estate_digest=str(row.estate_digest),
        source_config=desk.migrations.config_of(row), results={},
    )  # fmt: skip
    assert convert_code(context, {"target_version": "3.3.2"})["files_changed"] == 1
    (apps / "etl/job.properties").write_text("nameNode=hdfs://other:8020\n")
    with pytest.raises(Conflict) as stale:
        convert_code(context, {"target_version": "3.3.2"})
    assert stale.value.code == "plan-stale"
