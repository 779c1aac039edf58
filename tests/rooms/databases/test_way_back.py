"""Upgrade and way back on real schemas: losing a team's history, or an older scheduler that crashes, is the worst we could do."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from tests.rooms.databases.conftest import Upgraded, quiet
from tests.rooms.databases.history import DAYS, START, add_scheduled_run, digest, rows, work_since

from aerodrome import databases
from aerodrome.databases import AirflowTool, LossReport
from aerodrome.databases.places import place_of
from aerodrome.databases.upgrades import prove
from aerodrome.kernel.errors import Broken, Invalid
from aerodrome.kernel.secret import Secret

pytestmark = pytest.mark.airflow
_HISTORY = ("xcom", "task_instance_history", "dag_run_note", "rendered_task_instance_fields", "log")


@pytest.fixture
def made(database: str, upgraded: Callable[[str], Upgraded]) -> Upgraded:
    return upgraded(database)


def _copied(made: Upgraded, folder: Path) -> Path:
    """A snapshot of this test's own: reports are written into it."""
    subprocess.run(["cp", "-a", str(made.snapshot.folder), str(folder / "snapshot")], check=True)
    return folder / "snapshot"


def _go_back(folder: Path, url: Secret, tool: AirflowTool) -> LossReport:
    return databases.go_back(folder, url, url, tool, "3.3.2", quiet)


def test_an_upgrade_keeps_every_row_of_history(made: Upgraded) -> None:
    before, after = made.result.rows_before, made.result.rows_after
    kept = ("dag_run", "task_instance", "task_instance_history", "xcom", "variable", "connection", "dag_run_note")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert before["task_instance"] == 2 * DAYS
    assert after["asset"] == before["dataset"] == 1
    assert made.result.revision_before != made.result.revision_after


def test_runs_without_an_interval_get_the_one_until_the_next_run(made: Upgraded, newer_url: Secret) -> None:
    assert "2 runs had no data interval" in made.result.remarks[0]
    with rows(newer_url) as db:
        found = db.all("select data_interval_start, data_interval_end from dag_run where id = 1")
    assert [str(moment)[:10] for moment in found[0]] == ["2026-01-01", "2026-01-02"]


def test_an_upgrade_that_lost_rows_is_refused() -> None:
    with pytest.raises(Broken, match="3 of task_instance"):
        prove({"task_instance": 5, "xcom": 2}, {"task_instance": 2, "xcom": 0, "_xcom_archive": 2})


def test_an_upgrade_can_be_repeated(
    newer_url: Secret, older_tool: AirflowTool, newer_tool: AirflowTool, made: Upgraded
) -> None:
    """After a kill between the last step and its record the same upgrade is asked for again."""
    again = databases.upgrade(newer_url, older_tool, newer_tool, quiet)
    assert again.revision_before == again.revision_after == made.result.revision_after
    assert again.rows_after["task_instance"] == 2 * DAYS


_KILL_UPGRADE = """
import os, signal, sys
from pathlib import Path
from aerodrome import databases
from aerodrome.databases import AirflowTool
from aerodrome.kernel.secret import Secret
older, newer = AirflowTool("2.11.2", Path(sys.argv[1]), {"HOME": "/"}), AirflowTool("3.3.2", Path(sys.argv[1]), {"HOME": "/"})
def progress(line):
    if "migrated" in line:
        os.kill(os.getpid(), signal.SIGKILL)
databases.upgrade(Secret(sys.stdin.read()), older, newer, progress)
"""


def test_a_killed_upgrade_leaves_the_original_and_can_be_repeated(
    made: Upgraded, place_url: Secret, older_tool: AirflowTool, newer_tool: AirflowTool
) -> None:
    databases.restore(made.snapshot.folder, place_url, quiet)
    command = [sys.executable, "-c", _KILL_UPGRADE, str(newer_tool.venv)]
    assert subprocess.run(command, input=place_url.reveal(), text=True, check=False).returncode == -9
    assert databases.row_counts(place_url) == made.snapshot.row_counts
    result = databases.upgrade(place_url, older_tool, newer_tool, quiet)
    assert result.rows_after["task_instance"] == made.snapshot.row_counts["task_instance"]


def test_everything_made_since_comes_along(
    made: Upgraded, newer_url: Secret, older_tool: AirflowTool, tmp_path: Path
) -> None:
    work_since(newer_url)
    report = _go_back(_copied(made, tmp_path), newer_url, older_tool)
    with rows(newer_url) as db:
        runs = {
            row[0]: row[1:]
            for row in db.all("select run_id, run_type, state, external_trigger, execution_date, conf from dag_run")
        }
        assert {name for name in runs if name.startswith("new")} == {f"new__{n}" for n in range(5)}
        assert [runs[f"new__{n}"][0] for n in range(5)] == ["manual", "manual", "dataset_triggered", "manual", "manual"]
        assert (
            len({str(runs[f"new__{n}"][3]) for n in range(5)}) == len(runs) - DAYS + 1
        )  # every date is free in its DAG
        assert pickle.loads(bytes(runs["new__0"][4])) == {"key": "new__0"}
        assert "scheduled__1" not in runs
        assert db.one("select count(*) from task_instance where run_id = 'scheduled__1'") == 0
        states = dict(db.all("select run_id, state from task_instance where task_id = 'second' and run_id like 'new%'"))
        assert states == {"new__0": "success", "new__1": None, "new__2": "success", "new__3": "success", "new__4": None}
        assert {
            pickle.loads(bytes(row[0])) == {}
            for row in db.all("select executor_config from task_instance where run_id like 'new%'")
        } == {True}
        again = db.all(
            "select state, try_number, job_id from task_instance where run_id = 'scheduled__2' and task_id = 'first'"
        )
        assert again == [("failed", 2, 7)]
        values = {
            row[0]: json.loads(bytes(row[1]))
            for row in db.all("select key, value from xcom where run_id = 'scheduled__2' and task_id = 'first'")
        }
        assert values == {"other": [1, 2]}
        assert json.loads(bytes(db.one("select value from xcom where run_id = 'new__0'"))) == {
            "run": "new__0",
            "text": "ü",
        }
        assert dict(db.all("select key, val from variable")) == {"kept": "changed", "new": "3"}
        assert dict(db.all("select dag_id, is_paused from dag where dag_id in ('daily', 'other')")) == {
            "daily": False,
            "other": True,
        }
        assert (
            db.one("select count(*) from dag_run_note where content like 'Airflow 3 gave this run no logical date%'")
            == 2
        )
        assert db.one("select count(*) from task_instance_note") == 10
        assert (
            db.one(
                "select e.source_dag_id from dataset_event e join dataset d on d.id = e.dataset_id where d.uri = 's3://b'"
            )
            == "daily"
        )
        assert db.one("select slots from slot_pool where pool = 'q'") == 9
    assert {one.kind: one.count for one in report.archived} == {"backfill": 1}
    carried = {one.kind: one for one in report.carried}
    assert (carried["dag_run"].inserted, carried["dag_run"].deleted, carried["task_instance"].deleted) == (5, 1, 2)
    assert carried["dag_run"].converted >= 4
    json.dumps(report.as_data())


def test_the_past_is_as_it_was(
    made: Upgraded, newer_url: Secret, older_tool: AirflowTool, tmp_path: Path, place_url: Secret
) -> None:
    """Rows from before the upgrade that nobody touched are equal in every column."""
    folder = _copied(made, tmp_path)
    databases.restore(folder, place_url, quiet)
    before = {table: digest(place_url, table) for table in (*_HISTORY, "dag_run", "task_instance", "connection")}
    _go_back(folder, newer_url, older_tool)
    for table, found in before.items():
        assert found <= digest(newer_url, table), table


def test_new_rows_get_new_ids_afterwards(
    made: Upgraded, newer_url: Secret, older_tool: AirflowTool, tmp_path: Path
) -> None:
    work_since(newer_url)
    _go_back(_copied(made, tmp_path), newer_url, older_tool)
    at = START - timedelta(days=9)
    with rows(newer_url) as db:
        last = db.one("select max(id) from dag_run")
        db.add(
            "dag_run",
            {"dag_id": "daily", "run_id": "next", "execution_date": at, "run_type": "manual", "clear_number": 0},
        )
        assert db.one("select id from dag_run where run_id = 'next'") > last


def test_going_back_twice_tells_the_same(
    made: Upgraded, newer_url: Secret, older_tool: AirflowTool, tmp_path: Path
) -> None:
    folder = _copied(made, tmp_path)
    work_since(newer_url)
    first = _go_back(folder, newer_url, older_tool)
    assert _go_back(folder, newer_url, older_tool) == first


def test_there_is_no_way_back_from_the_older_version(
    made: Upgraded, place_url: Secret, older_tool: AirflowTool, tmp_path: Path
) -> None:
    folder = _copied(made, tmp_path)
    databases.restore(folder, place_url, quiet)
    with pytest.raises(Invalid) as refusal:
        _go_back(folder, place_url, older_tool)
    assert refusal.value.code == "way-back-not-needed"


_KILL = """
import os, signal, sys
from pathlib import Path
from aerodrome import databases
from aerodrome.databases import AirflowTool
from aerodrome.kernel.secret import Secret
left = [int(sys.argv[2])]
def progress(line):
    left[0] -= 1
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
url = Secret(sys.stdin.read())
databases.go_back(Path(sys.argv[1]), url, url, AirflowTool("2.11.2", Path("/nowhere"), {}), "3.3.2", progress)
"""


@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_way_back_killed_anywhere_is_walked_again(
    made: Upgraded, newer_url: Secret, older_tool: AirflowTool, tmp_path: Path, at: int
) -> None:
    folder = _copied(made, tmp_path)
    work_since(newer_url)
    command = [sys.executable, "-c", _KILL, str(folder), str(at)]
    assert subprocess.run(command, input=newer_url.reveal(), text=True, check=False).returncode == -9
    report = _go_back(folder, newer_url, older_tool)
    assert next(one for one in report.carried if one.kind == "dag_run").inserted == 5
    with rows(newer_url) as db:
        assert db.one("select count(*) from dag_run where run_id like 'new%'") == 5


def test_within_airflow_3_rows_keep_their_shape(
    made: Upgraded, newer_url: Secret, newer_tool: AirflowTool, tmp_path: Path
) -> None:
    """The way to a lower 3.y, whose tables have the same names: here on equal schemas."""
    databases.snapshot(newer_url, tmp_path / "three", "3.2.0", quiet)
    work_since(newer_url)
    with databases.scratch(newer_url) as older:
        report = databases.go_back(
            tmp_path / "three", newer_url, older, replace(newer_tool, version="3.2.0"), "3.3.2", quiet
        )
        with rows(older) as db, rows(newer_url) as newer:
            count = "select count(*) from {}"
            for table in (
                "dag_run",
                "task_instance",
                "xcom",
                "task_instance_note",
                "backfill",
                "asset",
                "asset_event",
                "variable",
            ):
                assert db.one(count.format(table)) == newer.one(count.format(table)), table
            assert db.one("select run_type from dag_run where run_id = 'new__3'") == "manual"
    assert report.archived == ()


@pytest.mark.parametrize(("older_version", "is_renamed"), [("3.0.6", True), ("3.1.8", True), ("3.2.0", False)])
def test_the_name_of_the_next_run_is_free_for_an_older_airflow_3(
    made: Upgraded, newer_url: Secret, newer_tool: AirflowTool, tmp_path: Path, older_version: str, *, is_renamed: bool
) -> None:
    """Up to 3.1 a run is called after its logical date, later after the moment it was due: that of the one before."""
    databases.snapshot(newer_url, tmp_path / "three", older_version, quiet)
    due = datetime(2026, 2, 1, 12, tzinfo=UTC)
    names = [add_scheduled_run(newer_url, due - timedelta(hours=hours)) for hours in (1, 0)]
    with databases.scratch(newer_url) as older:
        tool = replace(newer_tool, version=older_version)
        report = databases.go_back(tmp_path / "three", newer_url, older, tool, "3.3.2", quiet)
        assert [(run.dag_id, run.run_id) for run in report.renamed] == ([("daily", names[1])] if is_renamed else [])
        with rows(older) as db:
            newest = f"{names[1]}__airflow3" if is_renamed else names[1]
            for table in ("dag_run", "task_instance", "xcom"):
                found = {row[0] for row in db.all(f"select run_id from {table} where run_id like 'scheduled%2026-02%'")}
                assert found == {names[0], newest}, table


def test_the_older_airflow_lives_on_it(
    made: Upgraded, newer_url: Secret, older_tool: AirflowTool, tmp_path: Path
) -> None:
    work_since(newer_url)
    _go_back(_copied(made, tmp_path), newer_url, older_tool)
    project = tmp_path / "project"
    (project / "dags").mkdir(parents=True)
    (project / "dags" / "daily.py").write_text(
        "import datetime\nfrom airflow import DAG\nfrom airflow.operators.bash import BashOperator\n"
        f"with DAG('daily', schedule='@daily', start_date=datetime.datetime(2026, 1, 1), is_paused_upon_creation=False):\n"
        f"    BashOperator(task_id='first', bash_command='touch {tmp_path}/ran')\n"
    )
    (project / "dags" / "broken.py").write_text("import airflow\nimport no_such_module_dag\n")
    result = databases.try_scheduling(newer_url, older_tool, project, quiet)
    assert (result.is_ok, result.probe_state, result.reasons) == (True, "success", ()), result
    assert list(result.import_errors) == ["broken.py"]
    assert "no_such_module_dag" in result.import_errors["broken.py"]
    assert result.dag_count >= 1
    assert not (tmp_path / "ran").exists()
    assert not psutil.Process().children(recursive=True) or not _airflows()


def _airflows() -> list[str]:
    found = []
    for child in psutil.Process().children(recursive=True):
        try:
            found.append(" ".join(child.cmdline()))
        except psutil.Error:
            continue
    return [line for line in found if "bin/airflow" in line]


_TRY = """
import sys
from pathlib import Path
from aerodrome import databases
from aerodrome.databases import AirflowTool
from aerodrome.kernel.secret import Secret
tool = AirflowTool("2.11.2", Path(sys.argv[1]), {"HOME": "/", "AERODROME_CANARY": sys.argv[3]})
databases.try_scheduling(Secret(sys.stdin.read()), tool, Path(sys.argv[2]), lambda _line: print("said", flush=True))
"""


def test_a_killed_trial_leaves_no_process(
    upgraded: Callable[[str], Upgraded], older_tool: AirflowTool, tmp_path: Path
) -> None:
    copy = tmp_path / "airflow.db"
    url = Secret(f"sqlite:///{copy}")
    copy.touch()
    databases.restore(upgraded("sqlite").snapshot.folder, url, quiet)
    (tmp_path / "dags").mkdir()
    canary = f"canary-{os.urandom(8).hex()}"
    command = [sys.executable, "-c", _TRY, str(older_tool.venv), str(tmp_path), canary]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(url.reveal())
        process.stdin.close()
        assert process.stdout.readline() == "said\n"  # parsed: the scheduler starts
        while not _marked(canary, but=process.pid):
            assert process.poll() is None
            time.sleep(0.05)
        process.kill()
    deadline = time.monotonic() + 20
    while _marked(canary, but=0) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _marked(canary, but=0) == []
    assert place_of(url).label == str(copy)


def _marked(canary: str, but: int) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != but and canary in process.environ().values() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found
