"""The Starship adapter against a fake that speaks the plugin's routes; `test_starship_real.py` runs the plugin itself."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import httpx2
import pytest
from tests.rooms.migration.service.conftest import NAME, Desk, desk  # noqa: F401 - a fixture
from tests.rooms.migration.sources.conformance import keeps_the_contract
from tests.rooms.migration.sources.conftest import PROJECT
from tests.rooms.migration.sources.starship_server import PASSWORD, StarshipServer, filled, starship_server
from tests.rooms.web.conftest import platform, url  # noqa: F401 - fixtures

from aerodrome.client.client import Client
from aerodrome.client.migrations import NewRest
from aerodrome.kernel.clock import ManualClock, from_text
from aerodrome.kernel.errors import Broken, Conflict, Invalid, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.estate.records import MeasureRecord
from aerodrome.migration.sources.airflow_rest.activity import TellsActivity
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import RestConfig, SourceAdapter
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.sources.starship.client import StarshipReader
from aerodrome.migration.sources.starship.history import StarshipHistory
from aerodrome.migration.sources.task_logs.reading import OffersTaskLogs

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WINDOW = HistoryWindow(("daily_sales", "maintenance"))


def quiet(_what: str, _done: int, _total: int | None) -> None:
    pass


@pytest.fixture
def server() -> Iterator[StarshipServer]:
    with starship_server() as state:
        yield filled(state, NOW)


@pytest.fixture
def config(server: StarshipServer, tmp_path: Path) -> RestConfig:
    folder, options = PROJECT / "dags", tmp_path / "airflow.cfg"
    options.write_text("[core]\nparallelism = 8\n")
    return RestConfig(
        "legacy", server.url, "reader", Secret(PASSWORD), Secret(""), folder, config_file=options, kind="starship"
    )


@pytest.fixture
def open_it(config: RestConfig) -> Iterator[Callable[..., SourceAdapter]]:
    opened: list[SourceAdapter] = []

    def opener(**changes: Any) -> SourceAdapter:
        opened.append(open_source(replace(config, **changes), b"fingerprints", ManualClock(NOW)))
        return opened[-1]

    yield opener
    for source in opened:
        source.close()


def rows(source: SourceAdapter, kind: HistoryKind, window: HistoryWindow = WINDOW) -> list[dict[str, Any]]:
    batches = list(source.history(kind, window))
    return [dict(zip(batch.columns, row, strict=True)) for batch in batches for row in batch.rows]


def test_estate_comes_with_secrets_that_stay_secret(
    open_it: Callable[..., SourceAdapter], server: StarshipServer, tmp_path: Path
) -> None:
    source = open_it()
    described = source.describe()
    assert described.is_ok, [probe for probe in described.probes if not probe.is_ok]
    assert described.airflow_version == "2.11.2"
    told = {probe.name: probe for probe in described.probes}
    assert "Starship 2.10.1" in told["Starship"].message
    assert "tasks" in told["REST API"].message
    assert "--env-file" in told["environment"].hint
    estate = capture(source, "legacy", tmp_path / "estate", ManualClock(NOW), quiet)
    dags = {dag.dag_id: dag for dag in estate.records("dag")}
    daily = dags["daily_sales"]
    assert (daily.file, daily.schedule, daily.tags) == ("daily_sales.py", "0 2 * * *", ("finance", "sales"))
    assert (daily.run_states, daily.runs_30d, daily.duration_p95_s) == ({"running": 1, "success": 129}, 30, 30.0)
    assert {"tasks", "task_states", "timezone", "executor_config", "slas"} <= set(daily.unread)
    assert dags["maintenance"].is_paused
    warehouse = next(each for each in estate.records("connection") if each.conn_id == "warehouse")
    assert (warehouse.has_password, warehouse.extra_keys) == (True, ("sslmode", "token"))
    assert warehouse.fingerprint
    values = {value.conn_id: value for value in source.connection_values(["warehouse", "ftp_partner"])}
    assert values["warehouse"].password == Secret("canary-conn-password-a1")
    assert values["ftp_partner"].password is None
    assert [each.value.reveal() for each in source.variable_values(["sales_region"])] == ["eu"]
    assert [pool.slots for pool in source.pool_values(["default_pool"])] == [128]
    with pytest.raises(Invalid, match="nowhere"):
        list(source.connection_values(["nowhere"]))
    written = b"".join(path.read_bytes() for path in (tmp_path / "estate").rglob("*") if path.is_file())
    assert b"canary" not in written
    assert "canary" not in repr(values)
    assert not [asked for asked in server.asked if asked.rpartition("/")[2] in ("env_vars", "telescope")]


def test_whole_environment_is_never_asked_for(config: RestConfig, server: StarshipServer) -> None:
    reader = StarshipReader(config.base_url, config.user, config.password, config.token)
    with pytest.raises(Invalid) as refused:
        reader.starship("env_vars")
    assert refused.value.code == "starship-route-refused"
    assert server.asked == []


def test_history_is_whole_over_pages_and_final_only(
    open_it: Callable[..., SourceAdapter], server: StarshipServer
) -> None:
    source = open_it()
    runs = rows(source, "run")
    assert len(runs) == 129
    assert [run["run_id"] for run in runs] == sorted(run["run_id"] for run in runs)
    assert runs[0]["data_interval_end"] == runs[0]["run_after"] == runs[0]["logical_date"] + timedelta(days=1)
    tasks = rows(source, "task_instance")
    assert len({(task["run_id"], task["task_id"]) for task in tasks}) == len(tasks) == 258
    tries = rows(source, "task_try")
    assert [(each["task_id"], each["state"], each["try_number"]) for each in tries] == [("load", "failed", 1)]
    assert source.history_counts(WINDOW)["run"] == 130
    server.tasks[0]["state"] = "up_for_retry"  # a run that is done, with something in it that may move
    assert len(rows(source, "run")) == 128
    assert server.runs[0]["run_id"] not in {task["run_id"] for task in rows(source, "task_instance")}
    until = from_text(server.runs[100]["end_date"])
    assert until is not None
    assert len(rows(source, "run", replace(WINDOW, until=until))) == 100  # 0 … 100 without the one above


def key_of(task: dict[str, Any]) -> tuple[str, ...]:
    return tuple(str(task[name]) for name in ("dag_id", "run_id", "task_id", "map_index"))


def refused(source: SourceAdapter, window: HistoryWindow = WINDOW) -> dict[str, str]:
    return {item.key: item.code for batch in source.history("xcom", window) for item in batch.rejected}


def test_xcoms_come_one_task_instance_after_the_other(
    open_it: Callable[..., SourceAdapter], server: StarshipServer
) -> None:
    first, second, third, fourth, fifth = [task for task in server.tasks if task["task_id"] == "load"][:5]
    server.xcoms[key_of(first)] = {
        "return_value": b'{"rows": 3, "of": ["a", null, 1.5]}', "path": b'"s3://lake/x (1)"', "none": b"null",
    }  # fmt: skip
    server.xcoms[key_of(second)] = {"return_value": b'"(1,2)"', "rows": b"7"}
    server.xcoms[key_of(third)] = {
        "when": b'{"at": ["datetime.datetime@version=2(timestamp=1.0,tz=UTC)"]}', "pickle": pickle.dumps(object),
    }  # fmt: skip
    server.xcoms[key_of(fourth)] = {"pickle": pickle.dumps({"rows": 4})}
    fifth["task_id"] = "odd"
    server.broken.add("odd")
    server.failing[:] = [429, 503]
    source = open_it()
    told = {probe.name: probe for probe in source.describe().probes}
    assert "a call for each task instance" in told["XComs"].message
    found = rows(source, "xcom")
    assert [(row["run_id"], row["key"], row["value"]) for row in found] == [
        (first["run_id"], "none", "null"),
        (first["run_id"], "path", '"s3://lake/x (1)"'),
        (first["run_id"], "return_value", '{"rows": 3, "of": ["a", null, 1.5]}'),
        (second["run_id"], "rows", "7"),
        (fourth["run_id"], "pickle", '{"rows": 4}'),
    ]
    assert {row["timestamp"] for row in found} == {from_text(each["end_date"]) for each in (first, second, fourth)}
    label = "daily_sales/{}/{}[-1]{}"
    assert refused(source) == {
        label.format(second["run_id"], "load", "/return_value"): "not-over-starship",
        label.format(third["run_id"], "load", "/when"): "not-over-starship",
        label.format(third["run_id"], "load", "/pickle"): "xcom-pickled",
        label.format(fifth["run_id"], "odd", ""): "not-over-starship",
    }
    assert not [item for batch in source.history("xcom", WINDOW) for item in batch.rejected if "canary" in item.message]


def test_xcoms_of_a_top_up_are_those_of_runs_that_moved_since(
    open_it: Callable[..., SourceAdapter], server: StarshipServer
) -> None:
    """A run may end long after its first task: all of its task instances are asked for."""
    source = open_it()
    run = server.runs[-2]
    of_run = [task for task in server.tasks if task["run_id"] == run["run_id"]]
    ended = from_text(run["start_date"])
    assert ended is not None
    run["end_date"] = str(ended + timedelta(hours=9))
    for task in server.tasks:
        server.xcoms[key_of(task)] = {"return_value": b"1"}
    before = len(server.asked)
    found = rows(source, "xcom", replace(WINDOW, since=ended + timedelta(hours=8)))
    assert {(row["run_id"], row["task_id"]) for row in found} == {(run["run_id"], task["task_id"]) for task in of_run}
    assert server.asked[before:].count("GET /api/starship/xcom") == 1 + len(
        of_run
    )  # and whether it can be asked at all
    assert len(rows(source, "xcom")) == 258


def test_a_session_that_ends_is_begun_again(open_it: Callable[..., SourceAdapter], server: StarshipServer) -> None:
    """Single items take longer than a session may last."""
    source = open_it()
    assert len(rows(source, "run")) == 129
    server.ended = True
    assert len(rows(source, "run")) == 129
    assert server.asked.count("POST /login/") == 2


def test_calls_for_single_items_are_counted_beforehand(
    open_it: Callable[..., SourceAdapter], server: StarshipServer
) -> None:
    def counted(source: SourceAdapter) -> dict[str, int]:
        return {each.name: each.amount for each in source.records(quiet) if isinstance(each, MeasureRecord)}

    assert counted(open_it()) == {
        "calls:log": 247,
        "calls:xcom": 247,
        "logs:readable": 1,
    }  # of 130 runs, by the last 10
    server.is_astronomer = False
    assert counted(open_it()) == {"calls:xcom": 247}
    assert counted(open_it(config_file=None)) == {}


@pytest.mark.parametrize("named", ["", "lake.backends.S3XCom"])
def test_xcoms_are_not_asked_for_where_that_may_write(
    open_it: Callable[..., SourceAdapter], server: StarshipServer, tmp_path: Path, named: str
) -> None:
    """The plugin hands each value to the source's XCom backend again, which writes it to its store."""
    server.xcoms[key_of(server.tasks[0])] = {"return_value": b"1"}
    env = tmp_path / "airflow.env"
    env.write_text(f"AIRFLOW__CORE__XCOM_BACKEND={named}\n" if named else "OTHER=1\n")
    source = open_it(config_file=None, env_file=env)
    assert refused(source) == {"daily_sales": "not-over-starship"}
    assert rows(source, "xcom") == []
    assert server.asked.count("GET /api/starship/xcom") == 1  # of nobody: whether the route is there
    left = {probe.name: probe for probe in source.describe().probes}["XComs"]
    assert (left.is_ok, left.is_required) == (False, False)
    assert (named or "AIRFLOW__CORE__XCOM_BACKEND") in left.message
    env.write_text("AIRFLOW__CORE__XCOM_BACKEND=airflow.models.xcom.BaseXCom\n")
    assert len(rows(open_it(config_file=None, env_file=env), "xcom")) == 1


def test_a_source_that_fails_is_no_xcom_that_cannot_be_read(
    open_it: Callable[..., SourceAdapter], server: StarshipServer
) -> None:
    source = open_it()
    assert rows(source, "xcom") == []
    server.down_from = "xcom"
    with pytest.raises(Unavailable):
        rows(source, "xcom")


def test_logs_come_into_files(open_it: Callable[..., SourceAdapter], server: StarshipServer, tmp_path: Path) -> None:
    source = open_it()
    assert isinstance(source, OffersTaskLogs)
    logs = source.task_logs()
    assert logs is not None
    task = server.tasks[0]
    dag = PurePosixPath("dag_id=daily_sales")
    place = dag / f"run_id={task['run_id']}" / "task_id=start"
    content = b"[2026-01-02] INFO - \xc3\xa9 " + b"x" * 3_000_000
    server.logs[(*key_of(task), "1")] = content
    server.logs[("daily_sales", task["run_id"], "start", "3", "2")] = b""
    folder = logs.folder(dag)
    assert folder is not None
    assert logs.folder(PurePosixPath("daily_sales")) is None  # as Airflow before 2.3 named them
    server.failing[:] = [503]
    assert folder.copy(place / "attempt=1.log", tmp_path / "one")
    assert (tmp_path / "one").read_bytes() == content
    assert folder.copy(place / "map_index=3" / "attempt=2.log", tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == b""
    assert not folder.copy(place / "attempt=9.log", tmp_path / "none")
    assert not (tmp_path / "none").exists()
    server.broken.add("start")
    with pytest.raises(Broken) as failed:
        folder.copy(place / "attempt=1.log", tmp_path / "none")
    assert failed.value.code == "starship-item-failed"
    assert "canary" not in str(failed.value)
    assert not (tmp_path / "none").exists()
    server.is_astronomer = False
    other = open_it()
    assert isinstance(other, OffersTaskLogs)
    assert other.task_logs() is None
    left = {probe.name: probe for probe in other.describe().probes}["task logs"]
    assert (left.is_ok, left.is_required) == (False, False)
    assert "Astronomer" in left.message


def test_runs_that_shift_between_pages_are_noticed(server: StarshipServer, config: RestConfig) -> None:
    day = datetime(2020, 1, 1, tzinfo=UTC)
    server.runs[:] = []
    for number in range(2500):
        server.add_run("daily_sales", day + timedelta(hours=number))
    reader = StarshipReader(config.base_url, config.user, config.password, config.token)
    assert len(StarshipHistory(reader).runs("daily_sales")) == 2500

    class Shifting(StarshipReader):
        """What a busy source looks like: each look finds other runs in the places."""

        def starship(self, route: str, **parameters: Any) -> Any:
            answer = super().starship(route, **parameters)
            if parameters.get("offset"):
                answer["dag_runs"] = answer["dag_runs"][60:]
            return answer

    shifting = Shifting(config.base_url, config.user, config.password, config.token)
    with pytest.raises(Broken) as unsteady:
        StarshipHistory(shifting).runs("daily_sales")
    assert unsteady.value.code == "source-unsteady"
    reader.close()
    shifting.close()


def test_next_interval_is_worked_out_or_left_open(
    open_it: Callable[..., SourceAdapter], server: StarshipServer
) -> None:
    source = open_it()
    state = source.dag_states(["daily_sales", "nowhere"])["daily_sales"]
    assert state.last_interval is not None
    assert state.next_interval == (state.last_interval[1], state.last_interval[1] + timedelta(days=1))
    assert state.in_flight == {"run:running": 1, "running": 1}
    assert state.last_run_state == "running"
    server.dags[0]["schedule_interval"] = "30 5 * * *"  # as if read in another time zone: it does not explain the runs
    assert source.dag_states(["daily_sales"])["daily_sales"].next_interval is None
    server.dags[0]["schedule_interval"] = "Dataset"
    assert source.dag_states(["daily_sales"])["daily_sales"].next_interval is None


def test_what_went_on_is_counted_and_what_cannot_be_read_is_none(
    open_it: Callable[..., SourceAdapter], server: StarshipServer
) -> None:
    source = open_it()
    assert isinstance(source, TellsActivity)
    began = sorted(datetime.fromisoformat(run["start_date"]) for run in server.runs if run["start_date"])
    everything = source.activity(datetime(2000, 1, 1, tzinfo=UTC))
    assert (everything.runs, everything.events, everything.in_flight) == (len(began), None, None)
    assert everything.unpaused == tuple(sorted(dag["dag_id"] for dag in server.dags if not dag["is_paused"]))
    since = began[len(began) // 2]
    assert source.activity(since).runs == sum(at >= since for at in began)
    assert source.activity(datetime(2200, 1, 1, tzinfo=UTC)).runs == 0


def test_pause_leaves_a_mark_and_can_be_undone(open_it: Callable[..., SourceAdapter], server: StarshipServer) -> None:
    source = open_it()
    for _ in range(2):
        source.pause_dag("daily_sales", "mark-1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.is_paused, state.mark) == (True, "mark-1")
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
    assert server.dags[1]["is_paused"]
    with pytest.raises(NotFound):
        source.pause_dag("nowhere", "mark-1")
    names = [value.name for value in source.variable_values(["sales_region"])]
    assert names == ["sales_region"]
    assert not [record for record in source.records(quiet) if record.key.startswith("aerodrome")]


def test_wrong_password_and_missing_plugin_are_told(
    open_it: Callable[..., SourceAdapter], server: StarshipServer
) -> None:
    wrong = open_it(password=Secret("canary-wrong")).describe()
    assert not wrong.is_ok
    assert "refuses the user" in wrong.probes[0].message
    assert "canary" not in str(wrong)
    missing = open_it(base_url=f"{server.url}/elsewhere").describe()
    assert not missing.is_ok


def test_a_plugin_that_is_not_there_is_told() -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/api/v2/version":
            return httpx2.Response(200, json={"version": "3.1.3"})
        return httpx2.Response(404, json={"detail": "Not Found"})

    reader = StarshipReader("http://x", "", Secret(""), Secret("t"), transport=httpx2.MockTransport(answer))
    with pytest.raises(Invalid) as missing:
        _ = reader.info
    assert missing.value.code == "starship-missing"


@pytest.mark.airflow
def test_starship_is_connected_by_the_client(desk: Desk, url: str, server: StarshipServer) -> None:  # noqa: F811
    desk.platform.fleet.create_workspace(desk.actor("admin"), "data")
    source = NewRest(server.url, str(PROJECT / "dags"), "reader", Secret(PASSWORD), kind="starship")
    with Client(url, desk.platform.token_of("operator")) as client:
        with pytest.raises(Invalid) as login:
            client.migrations.connect(NAME, "data", replace(source, password=Secret("canary-wrong")))
        assert login.value.code == "source-not-usable"
        made = client.migrations.connect(NAME, "data", source)
        assert (made.data["source_kind"], made.source_version) == ("starship", "2.11.2")
        client.migrations.assess(NAME)
        desk.work()
        seen = client.migrations.get(NAME)
        assert (seen.status, seen.data["found"]["dag"], seen.data["error"]) == ("planned", 2, None)


def test_a_plugin_keeps_the_contract_of_sources(open_it: Callable[..., SourceAdapter], server: StarshipServer) -> None:
    for task in server.tasks[:9]:
        server.xcoms[key_of(task)] = {"return_value": b"[1]", "more": b'{"a": 1}'}
    keeps_the_contract(open_it(), holds="daily_sales", leaves=("rendered",))


def test_a_plugin_whose_xcoms_are_closed_keeps_it_too(open_it: Callable[..., SourceAdapter]) -> None:
    keeps_the_contract(open_it(config_file=None), holds="daily_sales", leaves=("xcom", "rendered"))
