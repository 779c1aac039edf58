"""XComs and task logs of an Airflow with the Starship plugin, into a real Airflow 3: whole, once, and after kill -9, too.

If these break, an old task shows no result or no log, or a value that is not the one that the source had.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from tests.conftest import Legacy
from tests.rooms.migration.sources.conftest import DATA, PROJECT
from tests.rooms.migration.sources.starship_server import PASSWORD, StarshipServer, filled, starship_server
from tests.rooms.migration.sources.test_airflow_rest import environment, wait_for
from tests.rooms.migration.transfer.conftest import AIRFLOW, add_dags_to, run_airflow

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryKind
from aerodrome.migration.sources.contract import RestConfig, SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.sources.starship.adapter import StarshipSource
from aerodrome.migration.transfer import TargetDatabase, move_history, move_logs
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = pytest.mark.airflow
ROOT = Path(__file__).parents[4]
PROGRAMS = Path(__file__).parent / "programs"
PLUGIN = ("astronomer-starship==2.10.1",)
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
DAGS = ("daily_sales", "maintenance")
WITHOUT: tuple[HistoryKind, ...] = ("xcom",)


def content(target: TargetDatabase) -> list[str]:
    with target.reading() as connection:
        rows = connection.execute(text("select dag_id, run_id, task_id, map_index, key, value, timestamp from xcom"))
        return sorted(map(repr, rows))


def values(target: TargetDatabase) -> dict[tuple[Any, ...], str]:
    with target.reading() as connection:
        rows = connection.execute(text("select dag_id, run_id, task_id, map_index, key, value from xcom"))
        return {tuple(row[:5]): repr(row[5]) for row in rows}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def server() -> Iterator[StarshipServer]:
    with starship_server() as state:
        filled(state, NOW)
        day = datetime(2026, 1, 1, tzinfo=UTC)
        state.runs[:], state.tasks[:], state.tries[:] = [], [], []
        for number in range(12):
            for dag_id in DAGS:
                state.add_run(dag_id, day + timedelta(days=number), ("start", "load"))
        for task in state.tasks:
            key = tuple(str(task[name]) for name in ("dag_id", "run_id", "task_id", "map_index"))
            state.xcoms[key] = {"return_value": json.dumps({"of": key}).encode(), "rows": b"3"}
            if task["task_id"] == "load":
                state.logs[(*key, "1")] = f"log of {key}\n".encode() * 1_000
        yield state


def test_kill_9_anywhere_loses_and_doubles_nothing(
    server: StarshipServer, target: TargetDatabase, target_url: str, fernet_key: str, tmp_path: Path
) -> None:
    add_dags_to(target, *DAGS)
    options, into, checkpoint = tmp_path / "airflow.cfg", tmp_path / "logs", tmp_path / "checkpoint.json"
    options.write_text("[core]\nparallelism = 8\n")

    def start(pause_s: float) -> subprocess.Popen[str]:
        paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")]), "PATH": os.environ["PATH"]}
        arguments = (
            server.url,
            PASSWORD,
            options,
            target_url,
            fernet_key,
            AIRFLOW,
            checkpoint,
            into,
            pause_s,
            ",".join(DAGS),
        )
        return subprocess.Popen(
            [sys.executable, PROGRAMS / "move_starship.py", *map(str, arguments)],
            stdout=subprocess.PIPE,
            text=True,
            env=paths,
        )

    def kill_at(wanted: str, times: int) -> None:
        """End it once it has said so often what it does."""
        process = start(0.002)
        assert process.stdout
        with process.stdout:
            while times:
                line = process.stdout.readline()
                assert line, f"ended before {wanted}"
                times -= line.startswith(wanted)
            process.kill()
        assert process.wait() == -9

    kill_at("moving run", 1)
    kill_at("moving xcom", 5)
    kill_at("moving xcom", 14)
    kill_at("copying logs", 1)
    assert 0 < len(files(into)) < 24
    process = start(0)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    done = {line.split()[1]: line.split()[2:] for line in output.splitlines() if line.startswith("done")}
    assert {kind: done[kind][:4] for kind in ("run", "task_instance", "xcom")} == {
        "run": ["24", "24", "0", "True"],
        "task_instance": ["48", "48", "0", "True"],
        "xcom": ["96", "96", "0", "True"],
    }
    assert output.splitlines()[-1] == "logs 24 24 24 0"
    wanted = {
        "/".join((f"dag_id={dag}", f"run_id={run}", f"task_id={task}", f"attempt={number}.log")): each
        for (dag, run, task, _map_index, number), each in server.logs.items()
    }
    assert {name: each for name, each in files(into).items() if not name.endswith(".aerodrome")} == wanted
    before, asked = content(target), server.asked.count("GET /api/starship/task_log")
    assert len(before) == len(set(before)) == 96
    again, _ = start(0).communicate(timeout=120)
    assert again.splitlines()[-1] == "logs 24 24 24 0"
    assert content(target) == before
    # what stands is not asked for again: only the 24 that are not there, and whether the route is
    assert server.asked.count("GET /api/starship/task_log") - asked == 25


def test_the_plan_may_leave_xcoms_out_and_it_is_told(
    server: StarshipServer, target: TargetDatabase, tmp_path: Path
) -> None:
    add_dags_to(target, *DAGS)
    options = tmp_path / "airflow.cfg"
    options.write_text("")
    config = RestConfig(
        "old",
        server.url,
        "reader",
        Secret(PASSWORD),
        Secret(""),
        PROJECT / "dags",
        config_file=options,
        kind="starship",
    )
    with closing(open_source(config, b"fingerprints", SystemClock())) as source:
        moved = move_history(source, target, DAGS, without=WITHOUT)
    left = moved.of("xcom")
    assert (left.found, left.failed_count, dict(left.noticed_by_code)) == (0, 0, {"left-out-by-plan": 2})
    assert [notice.key for notice in left.notices] == list(DAGS)
    assert moved.of("task_instance").moved == 48
    assert content(target) == []
    assert "GET /api/starship/xcom" not in server.asked


@pytest.fixture(params=["session", "deny_all"])
def plugin(
    request: pytest.FixtureRequest,
    airflow_venv: Callable[..., Venv],
    legacy: Legacy,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> Iterator[tuple[StarshipSource, Venv, dict[str, str]]]:
    """The plugin itself in an Airflow 2.11.2 that says it runs at Astronomer; `deny_all`: without the stable REST API."""
    port, log, home = free_port(), tmp_path / "log", tmp_path / "home"
    home.mkdir()
    env = environment(home, legacy.url, legacy.fernet_key) | {
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.session",
        "ASTRONOMER_ENVIRONMENT": "cloud",
        "AIRFLOW_CONN_ASTRO_S3_LOGGING": "none",
        "AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER": (tmp_path / "remote").as_uri(),
    }
    if request.param == "deny_all":
        env["AIRFLOW__API__AUTH_BACKENDS"] = "old_airflow.api.auth.backend.session"
        backend = tmp_path / "old" / "old_airflow" / "api" / "auth" / "backend" / "session.py"
        backend.parent.mkdir(parents=True)
        backend.write_text("from airflow.api.auth.backend.deny_all import *  # noqa: F403\n")
        env["PYTHONPATH"] = str(tmp_path / "old")
        (home / "webserver_config.py").write_text('AUTH_ROLE_PUBLIC = ""\n')
    venv = airflow_venv("2.11.2", PLUGIN)
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [venv.path / "bin" / "python", "-W", "ignore", DATA / "serve_rest.py", str(port)],
            env=env,
            stdout=stream,
            stderr=stream,
        )
    url, files_of = f"http://127.0.0.1:{port}", tmp_path / "source.env"
    files_of.write_text("AIRFLOW__CORE__XCOM_BACKEND=airflow.models.xcom.BaseXCom\n")
    config = RestConfig(
        "old", url, "reader", Secret(PASSWORD), Secret(""), PROJECT / "dags", env_file=files_of, kind="starship"
    )
    source = open_source(config, b"fingerprints", SystemClock())
    assert isinstance(source, StarshipSource)
    try:
        wait_for(process, f"{url}/health", log)
        assert source._wire.has_rest is (request.param == "session")
        yield source, venv, env
    finally:
        source.close()
        process.terminate()
        process.wait(30)


def rows_of(url: str, table: str) -> list[Any]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(f"select * from {table} order by 1, 2, 3, 4"))]
    engine.dispose()
    return found


@pytest.mark.matrix
def test_xcoms_and_logs_of_the_plugin_stand_in_an_airflow_3(
    plugin: tuple[StarshipSource, Venv, dict[str, str]],
    legacy: Legacy,
    airflow3: Venv,
    sqlite_access: AirflowAccess,
    tmp_path: Path,
) -> None:
    """Values equal those of the source's database, which stays as it was; what the plugin shows only as a text is refused."""
    source, venv, env = plugin
    engine = create_engine(legacy.url)
    with engine.connect() as connection:
        wanted = "select run_id from dag_run where dag_id = 'daily_sales' and state = 'success' order by run_id"
        run_id = str(connection.scalar(text(wanted)))
    engine.dispose()
    program = list(map(str, (venv.path / "bin" / "python", "-W", "ignore", PROGRAMS / "fill_xcoms.py", run_id)))
    filling = subprocess.run(program, env=env, capture_output=True, text=True, check=False)
    assert filling.returncode == 0, filling.stderr[-3000:]
    before = rows_of(legacy.url, "xcom")
    told = {probe.name: probe for probe in source.describe().probes}
    assert (told["XComs"].is_ok, told["task logs"].is_ok) == (True, True), told
    place = tmp_path / "remote" / "dag_id=daily_sales" / f"run_id={run_id}" / "task_id=load" / "attempt=1.log"
    place.parent.mkdir(parents=True)
    place.write_text("[2026-01-02T03:04:05.000+0000] {work.py:1} INFO - loaded 3 rows\n" * 50_000)

    with closing(TargetDatabase(sqlite_access)) as target:
        add_dags_to(target, "daily_sales", "orders_mapped")
        moved = move_history(source, target, ["daily_sales", "orders_mapped"])
        found = moved.of("xcom")
        assert [kind for kind in moved.kinds if not kind.is_proven] == []
        assert {item.key.rpartition("/")[2]: item.code for item in found.failed} == dict.fromkeys(
            ("pair", "when", "names"), "not-over-starship"
        )
        assert rows_of(legacy.url, "xcom") == before  # reading by the plugin wrote nothing
        database = SourceConfig("airflow-db", "legacy", Secret(legacy.url), Secret(legacy.fernet_key), PROJECT / "dags")
        of_plugin = values(target)
        assert len(of_plugin) == found.moved
        with closing(open_source(database, b"fingerprints", SystemClock())) as behind:
            direct = move_history(behind, target, ["daily_sales", "orders_mapped"]).of("xcom")
        if source._wire.has_rest:  # which tells the moments, too
            assert (direct.same, direct.moved) == (found.moved, 3)
        of_database = values(target)
        assert of_plugin.items() <= of_database.items()
        assert {key[-1] for key in of_database.keys() - of_plugin.keys()} == {"pair", "when", "names"}
        logs = source.task_logs()
        assert logs is not None
        copied = move_logs(target, ["daily_sales", "orders_mapped"], logs, tmp_path / "new")
        assert (copied.found, copied.moved, dict(copied.failed_by_code)) == (1, 1, {})
    assert list(files(tmp_path / "new").values()) == [place.read_bytes()]
    shutil.rmtree(tmp_path / "remote")
    shown = run_airflow(
        airflow3,
        tmp_path,
        sqlite_access.database_url.reveal(),
        str(PROGRAMS / "read_log.py"),
        "daily_sales",
        run_id,
        env={
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(tmp_path / "new"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 64,
        },
    )
    assert "loaded 3 rows" in shown
