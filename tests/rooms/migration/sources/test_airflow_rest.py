"""The REST adapter against a running Airflow 2.11.2, held against the adapter over the same database."""

from __future__ import annotations

import json
import os
import re
import socket
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

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
from aerodrome.kernel.errors import Broken, Conflict, Denied, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import AssetKey, HistoryKind, HistoryWindow, PendingAsset
from aerodrome.migration.estate.records import AssetRecord, DagRecord
from aerodrome.migration.sources.airflow_rest import history
from aerodrome.migration.sources.airflow_rest.adapter import AirflowRestSource
from aerodrome.migration.sources.airflow_rest.assets import PASSES, RestAssets, knows_queue
from aerodrome.migration.sources.airflow_rest.client import RestReader
from aerodrome.migration.sources.airflow_rest.dags import RunSummary
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


def served(*answers: httpx2.Response) -> tuple[RestReader, list[float], list[httpx2.Request]]:
    """A reader whose server gives these answers in turn: what a gateway does cannot be asked of a real Airflow."""
    waits: list[float] = []
    asked: list[httpx2.Request] = []
    left = list(answers)

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return left.pop(0)

    transport = httpx2.MockTransport(answer)
    return (
        RestReader("http://x/air", "", Secret(""), Secret("t"), transport=transport, sleep=waits.append),
        waits,
        asked,
    )


def test_reader_waits_as_it_is_told_and_gives_up() -> None:
    version = httpx2.Response(200, json={"version": "3.3.2"})
    page = httpx2.Response(200, json={"pools": [{"name": "a"}], "total_entries": 1})
    slow = httpx2.Response(429, headers={"Retry-After": "7"})
    reader, waits, asked = served(version, slow, httpx2.Response(503), page)
    assert list(reader.pages("/pools", "pools")) == [{"name": "a"}]
    assert waits == [7.0, 2.0]
    assert asked[-1].url.path == "/air/api/v2/pools"
    reader, waits, asked = served(version, *[httpx2.Response(429, headers={"Retry-After": "9999"})] * 5)
    with pytest.raises(Unavailable) as failed:
        reader.get("/pools")
    assert failed.value.code == "source-failed"
    assert waits == [60.0] * 4
    reader, _, _ = served(version, httpx2.Response(403))
    with pytest.raises(Denied) as denied:
        reader.get("/connections")
    assert denied.value.code == "source-right-missing"


class SessionOnly:
    """Airflow 2 as delivered: basic authentication is no way in, a session of the login page is (2.11.2)."""

    def __init__(self, *, has_form: bool = True) -> None:
        self.has_form = has_form
        self.signed_in = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path, has_session = request.url.path, "session=s1" in (request.headers.get("cookie") or "")
        if path == "/api/v1/version":
            return httpx2.Response(200, json={"version": "2.11.2"})
        if path == "/login/" and request.method == "GET":
            form = '<input id="csrf_token" name="csrf_token" type="hidden" value="I&#34;x">'
            return httpx2.Response(200 if self.has_form else 404, text=form)
        if path == "/login/":
            given = dict(parse_qsl(request.content.decode()))
            if given != {"csrf_token": 'I"x', "username": "reader", "password": "canary-right"}:
                return httpx2.Response(302, headers={"Location": "/login/"})
            self.signed_in += 1
            return httpx2.Response(302, headers={"Location": "/home", "Set-Cookie": "session=s1; Path=/; HttpOnly"})
        if path == "/api/v1/dags" and has_session:
            return httpx2.Response(200, json={"dags": [{"dag_id": "d"}], "total_entries": 1})
        return httpx2.Response(401 if path.startswith("/api/v1") else 404)


def test_a_session_opens_what_basic_authentication_does_not() -> None:
    def reader(server: SessionOnly, password: str) -> RestReader:
        transport = httpx2.MockTransport(server)
        return RestReader("http://x", "reader", Secret(password), Secret(""), transport=transport)

    server = SessionOnly()
    right = reader(server, "canary-right")
    assert [list(right.pages("/dags", "dags")) for _ in range(2)] == [[{"dag_id": "d"}]] * 2
    assert server.signed_in == 1
    for wrong in (reader(SessionOnly(), "canary-wrong"), reader(SessionOnly(has_form=False), "canary-right")):
        with pytest.raises(Denied) as refused:
            wrong.get("/dags")
        assert refused.value.code == "source-login-refused"
        assert "canary" not in str(refused.value)


def test_nobody_there_is_told() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        reader = RestReader(f"http://127.0.0.1:{port}", "", Secret(""), Secret("t"), sleep=lambda _s: None)
        with pytest.raises(Unavailable) as caught:
            _ = reader.version
    assert caught.value.code == "source-unreachable"


def test_runs_are_counted_in_every_window() -> None:
    now = datetime(2026, 11, 30, tzinfo=UTC)
    summary = RunSummary()
    for days in (0.5, 3, 20, 200, 500):
        begun = (now - timedelta(days=days)).isoformat()
        summary.add({"start_date": begun, "end_date": begun, "state": "success"}, now)
    assert summary.runs == {"1d": 1, "7d": 2, "30d": 3, "365d": 4}


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


def test_an_api_without_a_queue_of_datasets_says_so() -> None:
    assert [knows_queue(version) for version in ("2.8.4", "2.9.0", "2.11.2", "3.0.6", "3.3.2")] == [
        False, True, True, True, True,
    ]  # fmt: skip


class Events:
    """The events of an Airflow's assets as their routes give them (2.11.2, 3.3.2): filters, order, pages and what they count."""

    def __init__(
        self, version: str, events: Sequence[dict[str, Any]], *, loses: int | None = None, takes_moment: bool = True
    ) -> None:
        self.version, self.events, self.loses, self.takes_moment = version, list(events), loses, takes_moment
        self.asked: list[httpx2.QueryParams] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        path, asked, word = request.url.path, request.url.params, "asset" if self.version[0] == "3" else "dataset"
        if path.endswith("/version"):
            return httpx2.Response(
                200, json={"version": self.version} if f"v{int(self.version[0]) - 1}" in path else {}
            )
        if path.endswith(f"/{word}s"):
            readers = "scheduled_dags" if word == "asset" else "consuming_dags"
            rows = [{"id": number, "uri": f"s3://{number}", readers: [{"dag_id": f"d{number}"}]} for number in (1, 2)]
            return httpx2.Response(200, json={f"{word}s": rows, "total_entries": 2})
        self.asked.append(asked)
        found = sorted(self.events, key=lambda each: each["timestamp"])
        for name in ("asset_id", "dataset_id", "source_dag_id"):
            if name in asked:
                found = [each for each in found if str(each[name]) == asked[name]]
        if "timestamp_gte" in asked and self.takes_moment:
            found = [each for each in found if each["timestamp"] >= asked["timestamp_gte"]]
        start, limit = int(asked.get("offset", 0)), int(asked["limit"])
        page = found[start : start + limit]
        if self.loses is not None and start == 0 and limit > 1:  # one goes as soon as the first page was read
            self.events = [each for each in self.events if each["id"] != self.loses]
        return httpx2.Response(200, json={f"{word}_events": page, "total_entries": len(found)})

    def reader(self) -> RestReader:
        return RestReader("http://x", "", Secret(""), Secret("t"), transport=httpx2.MockTransport(self))


def event(number: int, asset: int, second: int, dag_id: str = "elsewhere") -> dict[str, Any]:
    at = (datetime(2026, 3, 1, tzinfo=UTC) + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"id": number, "asset_id": asset, "dataset_id": asset, "uri": f"s3://{asset}", "timestamp": at,
            "source_dag_id": dag_id, "source_task_id": "t", "source_run_id": str(number), "source_map_index": -1,
            "extra": {}, "created_dagruns": []}  # fmt: skip


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_the_events_of_all_assets_are_read_page_by_page(version: str) -> None:
    """More of one moment than a page holds, and many DAGs: each event once, without a question for each DAG."""
    events = [event(number, 1 + number % 3, min(number, 250) // 2) for number in range(600)]
    events += [event(number, 9, 400, f"p{number}") for number in range(600, 610)]
    server = Events(version, events)
    dag_ids = ["d1", *(f"p{number}" for number in range(605, 1_000))]
    found = [each.source_run_id for batch in RestAssets(server.reader()).events(dag_ids) for each in batch]
    assert sorted(map(str, found)) == sorted(
        str(each["id"]) for each in events if each["asset_id"] == 1 or each["source_dag_id"] in dag_ids
    )
    assert len(server.asked) < 15
    if version == "3.3.2":
        assert max(int(asked["offset"]) for asked in server.asked if "offset" in asked) < 400


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_few_dags_among_many_events_are_asked_for_alone(version: str) -> None:
    events = [event(number, 3, number) for number in range(900)]
    events += [event(1_000, 1, 3), event(1_001, 1, 4, "p"), event(1_002, 3, 5, "p")]
    server = Events(version, events)
    found = [each.source_run_id for batch in RestAssets(server.reader()).events(["d1", "p"]) for each in batch]
    assert found == ["1000", "1001", "1002"]
    assert len(server.asked) == 4


@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_an_event_that_goes_while_pages_are_read_hides_no_other(version: str) -> None:
    events = [event(number, 1, number) for number in range(150)]
    server = Events(version, events, loses=0)
    dag_ids = ["d1", "d2"]
    found = [each.source_run_id for batch in RestAssets(server.reader()).events(dag_ids) for each in batch]
    assert sorted(found, key=lambda name: int(name or -1)) == [str(number) for number in range(150)]


def test_a_version_that_takes_no_moment_is_read_by_number() -> None:
    """Else the first page would come again and again."""
    server = Events("3.0.0", [event(number, 1, number) for number in range(350)], takes_moment=False)
    dag_ids = ["d1", "d2", "d3"]
    found = [each.source_run_id for batch in RestAssets(server.reader()).events(dag_ids) for each in batch]
    assert sorted(found, key=lambda name: int(name or -1)) == [str(number) for number in range(350)]


def test_assets_of_version_2_are_told_with_what_they_started() -> None:
    """Made after the answers of 3.3.2: events have name and URI, the queue has the number of an asset."""
    asset = {"id": 7, "name": "orders", "uri": "s3://lake/orders", "scheduled_dags": [{"dag_id": "d"}]}
    happened = {
        "id": 1, "asset_id": 7, "uri": "s3://lake/orders", "name": "orders", "group": "asset", "extra": {"rows": 3},
        "source_task_id": "t", "source_dag_id": "p", "source_run_id": "r", "source_map_index": -1,
        "created_dagruns": [{"run_id": "asset__1", "dag_id": "d"}, {"run_id": "asset__2", "dag_id": "other"}],
        "timestamp": "2026-03-01T04:05:06.789000Z",
    }  # fmt: skip
    once = [httpx2.Response(200, json={"asset_events": [happened], "total_entries": 1}) for _ in range(2)]
    assets = httpx2.Response(200, json={"assets": [asset], "total_entries": 1})
    version = httpx2.Response(200, json={"version": "3.3.2"})
    reader, _, asked = served(version, assets, *once)
    ((events, links),) = RestAssets(reader).history(["d"])
    assert [key for key, _ in links] == [("d", "asset__1")]
    assert [event for _, event in links] == events
    assert events[0].asset == AssetKey("orders", "s3://lake/orders")
    assert asked[1].url.params["only_active"] == "false"


def test_events_that_come_differently_each_time_are_an_error() -> None:
    version, assets = (
        httpx2.Response(200, json={"version": "2.11.2"}),
        httpx2.Response(
            200,
            json={"datasets": [{"id": 7, "uri": "s3://x", "consuming_dags": [{"dag_id": "d"}]}], "total_entries": 1},
        ),
    )
    same = [
        httpx2.Response(200, json={"dataset_events": [event(1, 7, 1)], "total_entries": 2})
        for _ in range(1 + 2 * PASSES)
    ]
    reader, _, _ = served(httpx2.Response(404), version, assets, *same)
    with pytest.raises(Broken) as unsteady:
        list(RestAssets(reader).started(["d"]))
    assert unsteady.value.code == "source-unsteady"


def test_what_is_pending_is_asked_of_scheduled_dags_only() -> None:
    asset = {"id": 7, "name": "orders", "uri": "s3://lake/orders", "scheduled_dags": [{"dag_id": "d"}]}
    assets = httpx2.Response(200, json={"assets": [asset], "total_entries": 1})
    version = httpx2.Response(200, json={"version": "3.3.2"})
    pending = {"dag_id": "d", "asset_id": 7, "created_at": "2026-03-01T04:05:06Z", "dag_display_name": "d"}
    queue = httpx2.Response(200, json={"queued_events": [pending], "total_entries": 1})
    reader, _, asked = served(version, assets, queue)
    assert RestAssets(reader).pending(["d", "unscheduled"]) == [
        PendingAsset(AssetKey("orders", "s3://lake/orders"), "d", datetime(2026, 3, 1, 4, 5, 6, tzinfo=UTC))
    ]
    assert asked[-1].url.path == "/air/api/v2/dags/d/assets/queuedEvents"
    reader, _, _ = served(version, assets, httpx2.Response(404))
    assert RestAssets(reader).pending(["d"]) == []
