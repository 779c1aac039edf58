"""The Starship adapter against a fake that speaks the plugin's routes; `test_starship_real.py` runs the plugin itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
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
from aerodrome.kernel.errors import Broken, Conflict, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_rest.activity import TellsActivity
from aerodrome.migration.sources.capture import capture
from aerodrome.migration.sources.contract import RestConfig, SourceAdapter
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.sources.starship.client import StarshipReader
from aerodrome.migration.sources.starship.history import StarshipHistory

NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)
WINDOW = HistoryWindow(("daily_sales", "maintenance"))


def quiet(_what: str, _done: int, _total: int | None) -> None:
    pass


@pytest.fixture
def server() -> Iterator[StarshipServer]:
    with starship_server() as state:
        yield filled(state, NOW)


@pytest.fixture
def config(server: StarshipServer) -> RestConfig:
    folder = PROJECT / "dags"
    return RestConfig("legacy", server.url, "reader", Secret(PASSWORD), Secret(""), folder, kind="starship")


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
    left = [item for batch in source.history("xcom", WINDOW) for item in batch.rejected]
    assert [(item.key, item.code) for item in left] == [("daily_sales", "not-over-starship")]
    assert source.history_counts(WINDOW)["run"] == 130
    server.tasks[0]["state"] = "up_for_retry"  # a run that is done, with something in it that may move
    assert len(rows(source, "run")) == 128
    assert server.runs[0]["run_id"] not in {task["run_id"] for task in rows(source, "task_instance")}
    until = from_text(server.runs[100]["end_date"])
    assert until is not None
    assert len(rows(source, "run", replace(WINDOW, until=until))) == 100  # 0 … 100 without the one above


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


def test_a_plugin_keeps_the_contract_of_sources(open_it: Callable[..., SourceAdapter]) -> None:
    keeps_the_contract(open_it(), holds="daily_sales", leaves=("xcom", "rendered"))
