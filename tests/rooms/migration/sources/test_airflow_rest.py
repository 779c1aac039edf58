"""The REST adapter against a running Airflow 2.11.2, held against the adapter over the same database."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import make_url
from tests.conftest import Legacy
from tests.rooms.migration.service.conftest import NAME, Desk, desk  # noqa: F401 - a fixture
from tests.rooms.migration.sources.beside import CONFIG, RENDERED, WINDOW, assets_of, configs_of, put_into
from tests.rooms.migration.sources.conformance import keeps_the_contract
from tests.rooms.migration.sources.conftest import DATA, PROJECT
from tests.rooms.web.conftest import platform, url  # noqa: F401 - fixtures

from aerodrome.builds.contract import Venv
from aerodrome.client.client import Client
from aerodrome.client.migrations import NewRest
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.estate.records import AssetRecord, DagRecord
from aerodrome.migration.sources.airflow_rest import history
from aerodrome.migration.sources.airflow_rest.adapter import AirflowRestSource
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import RestConfig, SourceAdapter, SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.web.credentials import SESSION_COOKIE

START_S = 90


def quiet(_what: str, _done: int, _total: int | None) -> None:
    pass


@dataclass(frozen=True)
class Running:
    """A web server of Airflow, and its database."""

    config: RestConfig
    database: SourceConfig
    opened: list[SourceAdapter] = field(default_factory=list)

    def open(self, **changes: Secret) -> SourceAdapter:
        self.opened.append(open_source(replace(self.config, **changes), b"fingerprints", SystemClock()))  # type: ignore[arg-type]
        return self.opened[-1]

    def behind(self) -> SourceAdapter:
        self.opened.append(open_source(self.database, b"fingerprints", SystemClock()))
        return self.opened[-1]


def wait_for(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while True:
        try:
            httpx2.get(address, timeout=5, trust_env=False)
        except httpx2.TransportError:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() < deadline, log.read_text()[-3000:]
            time.sleep(0.2)
        else:
            return


def environment(home: Path, database_url: str, fernet_key: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return kept | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__FERNET_KEY": fernet_key,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
    }


@pytest.fixture(scope="module")
def _running(
    airflow_venv: Callable[..., Venv],
    _legacy: Legacy,
    tmp_path_factory: pytest.TempPathFactory,
    free_port: Callable[[], int],
) -> Iterator[Running]:
    home, port = tmp_path_factory.mktemp("rest"), free_port()
    database = home / "airflow.db"
    database.write_bytes(_legacy.database.read_bytes())
    database_url, log = f"sqlite:///{database}", home / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [airflow_venv("2.11.2").path / "bin" / "python", "-W", "ignore", DATA / "serve_rest.py", str(port)],
            env=environment(home, database_url, _legacy.fernet_key),
            stdout=stream,
            stderr=stream,
        )
    base_url = f"http://127.0.0.1:{port}"
    try:
        wait_for(process, f"{base_url}/health", log)
        config = RestConfig(
            "legacy",
            base_url,
            "reader",
            Secret("canary-rest-password"),
            Secret(""),
            PROJECT / "dags",
            PROJECT / "plugins",
            PROJECT / "include",
            PROJECT / "requirements.txt",
            PROJECT / "airflow.cfg",
            PROJECT / "scheduler.env",
        )
        files = {name: value for name, value in vars(config).items() if name.endswith(("_folder", "_file"))}
        made = Running(
            config, SourceConfig("airflow-db", "legacy", Secret(database_url), Secret(_legacy.fernet_key), **files)
        )
        yield made
        for source in made.opened:
            source.close()
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def running(_running: Running) -> Running:
    """It, without what another test left: marks of ours, and DAGs that were paused or let go."""
    path = make_url(_running.database.database_url.reveal()).database
    assert path is not None
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("delete from variable where key like 'aerodrome.%'")
        connection.execute("update dag set is_paused = (dag_id = 'maintenance')")
        connection.commit()
    return _running


def rows_of(source: SourceAdapter, kind: HistoryKind, window: HistoryWindow) -> dict[Any, dict[str, Any]]:
    rows = [dict(zip(batch.columns, row, strict=True)) for batch in source.history(kind, window) for row in batch.rows]
    return {tuple(row.get(name) for name in ("dag_id", "run_id", "task_id", "map_index")): row for row in rows}


@pytest.mark.airflow
@pytest.mark.journey
def test_rest_says_what_the_database_says_or_why_not(running: Running, tmp_path: Path) -> None:
    source, behind = running.open(), running.behind()
    description = source.describe()
    assert description.is_ok, [probe for probe in description.probes if not probe.is_ok]
    assert description.airflow_version == "2.11.2"
    probes = {probe.name: probe for probe in description.probes}
    assert not probes["connection secrets"].is_ok
    assert "variable secrets" not in probes  # 2.x shows every variable
    estate = capture(source, "legacy", tmp_path / "rest", SystemClock(), quiet)
    direct = capture(behind, "legacy", tmp_path / "db", SystemClock(), quiet)
    for kind in ("pool", "env_var", "config", "package", "file", "import_error", "code_fact"):
        assert list(estate.records(kind)) == list(direct.records(kind)), kind
    there = {dag.dag_id: dag for dag in direct.records("dag")}
    found = {dag.dag_id: dag for dag in estate.records("dag")}
    assert list(found) == list(there)
    same = ("file", "is_paused", "is_active", "schedule", "owners", "tags", "pools", "task_count", "run_states",
            "next_logical_date", "next_interval_end", "runs_30d", "runs_365d", "failures_30d", "last_run_at", "start_date", "variables",
            "datasets_in", "datasets_out", "max_active_runs", "import_error")  # fmt: skip
    assert {"executor_config", "callbacks", "slas", "timezone"} <= set(found["daily_sales"].unread)
    for dag_id, dag in found.items():
        assert there[dag_id].catchup in (dag.catchup, None)  # REST tells the default, too
        for name in same:
            assert getattr(dag, name) == getattr(there[dag_id], name), (dag_id, name)
        assert [(task["task_id"], task["downstream"]) for task in dag.tasks] == [
            (task["task_id"], sorted(task["downstream"]))
            for task in sorted(there[dag_id].tasks, key=lambda t: t["task_id"])
        ]
    hidden = {each.conn_id: each for each in estate.records("connection")}
    assert list(hidden) == [each.conn_id for each in direct.records("connection")]
    assert "does not show the password" in (hidden["warehouse"].error or "")
    assert (hidden["warehouse"].host, hidden["warehouse"].fingerprint) == ("warehouse.internal", None)
    with pytest.raises(Invalid, match="warehouse") as unreadable:
        list(source.connection_values(["warehouse"]))
    assert unreadable.value.code == "connection-unreadable"
    theirs = [each for each in direct.records("variable") if not each.name.startswith("aerodrome.pause.")]
    assert list(estate.records("variable")) == theirs
    assert [value.value.reveal() for value in source.variable_values(["sales_region"])] == ["eu"]


@pytest.mark.airflow
@pytest.mark.journey
def test_history_over_rest_is_that_of_the_database(running: Running) -> None:
    source, behind = running.open(), running.behind()
    dag_ids = ("daily_sales", "orders_mapped")
    window = HistoryWindow(dag_ids)
    for kind in ("run", "task_instance"):
        got, wanted = rows_of(source, kind, window), rows_of(behind, kind, window)
        assert list(got) == list(wanted), kind
        assert len(wanted) > 10
        for key, row in wanted.items():
            left_out = {"queued_at", "clear_number", "custom_operator_name"}
            assert {k: v for k, v in got[key].items() if k not in left_out} == {
                k: v for k, v in row.items() if k not in left_out
            }, key
    left = [item for kind in ("task_try", "xcom") for batch in source.history(kind, window) for item in batch.rejected]
    assert {(item.key, item.code) for item in left} == {
        ("daily_sales", "not-over-rest"),
        ("orders_mapped", "not-over-rest"),
    }
    counts = source.history_counts(window)
    assert counts["run"] >= len(rows_of(behind, "run", window))
    watermark = source.history_watermark(dag_ids)
    assert watermark is not None
    assert abs((watermark - datetime.now(UTC)).total_seconds()) < 5
    later = replace(window, since=watermark)
    assert rows_of(source, "run", later) == {}
    assert rows_of(source, "run", replace(window, until=watermark)) == rows_of(source, "run", window)


@pytest.mark.airflow
@pytest.mark.journey
def test_what_went_on_is_told_without_the_database(running: Running) -> None:
    source = running.open()
    assert isinstance(source, AirflowRestSource)
    long_ago = source.activity(datetime(2000, 1, 1, tzinfo=UTC))
    assert long_ago.runs
    assert long_ago.events is not None
    states = running.behind().dag_states(
        [record.dag_id for record in source.records(quiet) if isinstance(record, DagRecord)]
    )
    assert long_ago.unpaused == tuple(sorted(dag_id for dag_id, state in states.items() if not state.is_paused))
    in_flight = sum(
        count for state in states.values() for key, count in state.in_flight.items() if key.startswith("run:")
    )
    assert long_ago.in_flight == in_flight
    later = source.activity(datetime(2100, 1, 1, tzinfo=UTC))
    assert (later.runs, later.events) == (0, {})


@pytest.mark.airflow
@pytest.mark.journey
def test_pause_leaves_a_mark_and_can_be_undone(running: Running) -> None:
    source, behind = running.open(), running.behind()
    first = source.dag_states(["daily_sales", "nowhere"])
    there = behind.dag_states(["daily_sales"])["daily_sales"]
    assert list(first) == ["daily_sales"]
    assert first["daily_sales"] == there
    assert first["daily_sales"].in_flight
    for _ in range(2):
        source.pause_dag("daily_sales", "mark-1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.is_paused, state.mark) == (True, "mark-1")
    assert behind.dag_states(["daily_sales"])["daily_sales"].is_paused
    with pytest.raises(Conflict) as other:
        source.pause_dag("daily_sales", "mark-2")
    assert other.value.code == "source-dag-marked"
    with pytest.raises(Conflict):
        source.unpause_dag("daily_sales", "mark-2")
    for _ in range(2):
        source.unpause_dag("daily_sales", "mark-1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.is_paused, state.mark, state.let_go) == (False, None, "mark-1")
    source.pause_dag("maintenance", "mark-1")  # somebody else paused it before
    source.unpause_dag("maintenance", "mark-1")
    assert behind.dag_states(["maintenance"])["maintenance"].is_paused
    with pytest.raises(NotFound):
        source.pause_dag("nowhere", "mark-1")
    names = [record.key for record in source._variable_records()]  # type: ignore[attr-defined]
    assert "sales_region" in names
    assert not [name for name in names if name.startswith("aerodrome")]


@pytest.mark.airflow
@pytest.mark.journey
def test_wrong_password_is_told(running: Running) -> None:
    wrong = running.open(password=Secret("canary-wrong")).describe()
    assert not wrong.is_ok
    assert "refuses the user" in str(wrong.probes) or "may not GET /api/v1/dags" in str(wrong.probes)
    assert "canary" not in str(wrong)
    token = running.open(password=Secret(""), token=Secret("canary-token")).describe()
    assert not token.is_ok
    assert "may not GET /api/v1/dags" in str(token.probes)
    assert "canary" not in str(token)


@pytest.mark.airflow
@pytest.mark.journey
def test_rest_source_is_connected_assessed_and_planned(running: Running, desk: Desk, url: str) -> None:  # noqa: F811
    desk.platform.fleet.create_workspace(desk.actor("admin"), "data")
    there = running.config
    files: dict[str, Any] = {
        name: str(value) for name, value in vars(there).items() if name.endswith(("_folder", "_file"))
    }
    source = NewRest(there.base_url, user=there.user, password=there.password, **files)
    with Client(url, desk.platform.token_of("operator")) as client:
        for wrong, name in (
            (replace(source, user=""), "user"),
            (replace(source, base_url="https://u:p@airflow"), "base_url"),
            (replace(source, dags_folder="/nowhere"), "dags_folder"),
        ):
            with pytest.raises(Invalid) as refused:
                client.migrations.connect(NAME, "data", wrong)
            assert refused.value.details["field"] == name
        with pytest.raises(Invalid) as login:
            client.migrations.connect(NAME, "data", replace(source, password=Secret("canary-wrong")))
        assert login.value.code == "source-not-usable"
        made = client.migrations.connect(NAME, "data", source)
        assert (made.data["source_kind"], made.data["source_label"]) == ("airflow-rest", there.base_url)
        client.migrations.assess(NAME)
        desk.work()
        seen = client.migrations.get(NAME)
        assert (seen.status, seen.data["found"]["dag"], seen.data["error"]) == ("planned", 5, None)
        assert "daily_sales" in client.migrations.plan(NAME)["text"]
    browser = httpx2.Client(base_url=url, trust_env=False, timeout=60)
    browser.headers["Cookie"] = f"{SESSION_COOKIE}={desk.platform.session_of('operator').reveal()}"
    csrf = re.search(r'name="csrf" value="([^"]+)"', browser.get("/migrations/new").text)
    assert csrf is not None
    form = {"csrf": csrf[1], "name": "again", "workspace": "data", "kind": "airflow-rest", "base_url": there.base_url}
    form |= {"user": there.user, "password": "canary-rest-password", "dags_folder": "/nowhere"}
    headers = {"Origin": url}
    shown = browser.post("/migrations/new", data=form, headers=headers)
    assert (shown.status_code, "canary" in shown.text) == (422, False)
    done = browser.post("/migrations/new", data=form | {"dags_folder": str(there.dags_folder)}, headers=headers)
    assert done.status_code == 303, done.text
    browser.close()


@pytest.mark.airflow
@pytest.mark.journey
def test_a_rest_api_keeps_the_contract_of_sources(running: Running) -> None:
    with put_into(running.database.database_url.reveal()):
        keeps_the_contract(running.open(), holds="daily_sales", leaves=("task_try", "xcom"))


@pytest.mark.airflow
@pytest.mark.journey
def test_what_goes_with_history_comes_over_rest(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """An executor_config and rendered fields as exactly as the database has them; events, what they started, and what is pending."""
    with put_into(running.database.database_url.reveal()):
        source, behind = running.open(), running.behind()
        for _ in range(2):  # at first they are not known to be there, then they are
            assert configs_of(source) == configs_of(behind)
            assert set(configs_of(source).values()) == {repr(CONFIG)}
            list(source.history("task_instance", WINDOW))
        told, stored = (
            {key: json.loads(row["rendered_fields"]) for key, row in rows_of(each, "rendered", WINDOW).items()}
            for each in (source, behind)
        )
        assert told == stored
        assert list(told.values()) == [RENDERED] * len(told) != []
        monkeypatch.setattr(history, "MOST_KEPT", 10)  # more than is kept while task instances are read
        again = running.open()
        list(again.history("task_instance", WINDOW))
        assert rows_of(again, "rendered", WINDOW).keys() == told.keys()
        assert rows_of(running.open(), "rendered", WINDOW).keys() == told.keys()  # without task instances read before
        assert assets_of(source) == assets_of(behind)
        assert all(assets_of(source).values())
        shown, there = ([record for record in each.records(quiet) if isinstance(record, AssetRecord)]
                       for each in (source, behind))  # fmt: skip
        assert [(each.key, each.readers, each.makers) for each in shown] == [
            (each.key, each.readers, each.makers) for each in there
        ]
        waiting = {each.uri: (each.events, each.waiting, each.last_event_at) for each in there}
        assert waiting["s3://beside/customers"] == (1, ("orders_mapped",), "2026-03-01T04:05:06.789000Z")
        assert waiting["s3://beside/else"][:2] == (2, ())
    list(source.history("task_instance", WINDOW))
    assert configs_of(source) == {}
    assert rows_of(source, "rendered", WINDOW) == {}
    assert assets_of(source) == {"events": [], "runs": [], "queue": []}
