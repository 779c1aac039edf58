"""A team that is not ready for Airflow 3 lands on 2.11: its history is there, and its DAGs go on with the next interval.

AERODROME_MATRIX=1 (`make test-matrix`) lands on 2.10.5, too.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.rooms.migration.aged import Aged
from tests.rooms.migration.transfer.conftest import (
    AIRFLOW2,
    EACH_AIRFLOW2,
    MemorySource,
    add_dags_to2,
    make_history,
    make_run,
    make_task,
    run_airflow,
)

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.cutover.hosted import HostedTarget
from aerodrome.migration.estate.history import AssetEvent, AssetKey
from aerodrome.migration.sources.contract import DagState
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase, hand_off, move_assets, move_history, move_logs, next_interval
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = [pytest.mark.airflow, EACH_AIRFLOW2]
PROGRAMS = Path(__file__).parent / "programs"
DAG_IDS = ("berlin_nightly", "by_hand", "daily_orders", "six_hourly")
DAG = """
from datetime import datetime, timezone
from airflow import DAG
from airflow.operators.empty import EmptyOperator
start, end = datetime.fromisoformat("{start}"), datetime.fromisoformat("{end}")
with DAG("daily", schedule="@daily", start_date=start, end_date=end, catchup=True):
    EmptyOperator(task_id="extract", retries=2) >> EmptyOperator(task_id="load", retries=2)
"""


@pytest.fixture
def target2_url(database: str, airflow2_version: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a metadata database as a real Airflow 2 made it, on each database of `--db`."""
    if database == "sqlite":
        shutil.copyfile(request.getfixturevalue("_sqlite_target2"), tmp_path / "target2.db")
        yield f"sqlite:///{tmp_path / 'target2.db'}"
        return
    template = request.getfixturevalue("_postgres_target2")
    server = request.getfixturevalue("postgres_server")
    name = f"t_{os.urandom(8).hex()}"
    yield server.create_database(name, template=template).reveal()
    server.drop_database(name)


def _open(version: str, url: str, fernet_key: str) -> TargetDatabase:
    return TargetDatabase(
        AirflowAccess("http://127.0.0.1:1", version, Secret(url), Secret(fernet_key), Secret("unused"))
    )


@pytest.fixture
def target2(airflow2_version: str, target2_url: str, fernet_key: str) -> Iterator[TargetDatabase]:
    opened = _open(airflow2_version, target2_url, fernet_key)
    yield opened
    opened.close()


def _rows(target: TargetDatabase, sql: str) -> list[tuple[Any, ...]]:
    with target.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_history_stands_in_the_words_of_airflow_2(target2: TargetDatabase) -> None:
    add_dags_to2(target2, "daily")
    rows = make_history("daily", 4)
    asset_run = make_run("daily", 9, run_id="dataset_triggered__9", run_type="asset_triggered", conf=None)
    manual = make_run("daily", 10, run_id="manual__10", run_type="manual", is_external_trigger=True)
    dateless = make_run("daily", 11, run_id="manual__11", run_type="manual", logical_date=None)
    newer = make_run("daily", 12, run_id="made__12", run_type="asset_materialization")
    rows["run"] += [asset_run, manual, dateless, newer]
    rows["task_instance"] += [make_task(manual, "extract", map_index=3)]
    source = MemorySource(rows=rows)

    moved, again = move_history(source, target2, ["daily"]), move_history(source, target2, ["daily"])

    assert moved.is_proven
    assert again.is_proven
    assert moved.of("run").failed_by_code == {"run-without-date": 1, "run-type-unknown": 1}
    assert [moved.of(kind).moved for kind in ("run", "task_instance", "task_try", "xcom", "rendered")] == [
        6,
        9,
        4,
        4,
        4,
    ]
    assert [again.of(kind).moved for kind in ("run", "task_instance", "task_try", "xcom", "rendered")] == [0] * 5
    stood = _rows(
        target2,
        "select run_type, external_trigger, conf, dag_hash, execution_date from dag_run order by execution_date",
    )
    assert [(row[0], bool(row[1])) for row in stood[-3:]] == [
        ("scheduled", False), ("dataset_triggered", False), ("manual", True),
    ]  # fmt: skip
    assert pickle.loads(bytes(stood[0][2])) == {"b": 1, "a": [1.5, "ü"]}
    assert pickle.loads(bytes(stood[-2][2])) == {}
    assert {row[3] for row in stood} == {"aerodrome-import"}
    assert str(stood[0][4])[:19] == "2026-03-01 00:00:00"
    (value,) = {bytes(row[0]) for row in _rows(target2, "select value from xcom")}
    assert json.loads(value) == {"rows": 3, "share": 1.0}
    notes = {row[0] for row in _rows(target2, "select content from dag_run_note")}
    assert notes == {"checked 1", "checked 3"}
    assert _rows(target2, "select distinct task_id, content from task_instance_note") == [("extract", "slow")]
    assert _rows(target2, "select count(*) from task_instance where map_index = 3") == [(1,)]


def test_what_airflow_2_ran_itself_is_never_touched(target2: TargetDatabase) -> None:
    add_dags_to2(target2, "daily")
    source = MemorySource(rows=make_history("daily", 3))
    move_history(source, target2, ["daily"])
    with target2.writing() as connection:
        connection.execute(
            text(
                "update dag_run set last_scheduling_decision = updated_at, state = 'failed', dag_hash = 'abc' "
                "where run_id like '%03-01%'"
            )
        )
    source.rows["run"][1]["state"] = "failed"
    again = move_history(source, target2, ["daily"])
    assert again.of("run").failed_by_code == {"row-belongs-to-target": 1}
    assert again.of("run").moved == 1, "an import that changed in the source is brought up to date"
    own = HostedTarget(target2, None).own_runs(["daily"])  # type: ignore[arg-type]
    assert [run.run_id for run in own["daily"]] == [source.rows["run"][0]["run_id"]]
    assert own["daily"][0].logical_date == source.rows["run"][0]["logical_date"]
    assert own["daily"][0].run_after == source.rows["run"][0]["data_interval_end"]


class _AssetSource(MemorySource):
    def asset_events(self, dag_ids: Any) -> Iterator[list[AssetEvent]]:
        run = self.rows["run"][0]
        key = AssetKey("s3://sales", "s3://sales")
        yield [AssetEvent(key, run["end_date"], "daily", "load", run["run_id"], -1, '{"rows": 3}')]

    def asset_runs(self, dag_ids: Any) -> Iterator[list[Any]]:
        (events,) = self.asset_events(dag_ids)
        yield [(("daily", self.rows["run"][1]["run_id"]), events[0])]

    def asset_queue(self, dag_ids: Any) -> list[Any]:
        return []


def test_asset_events_become_dataset_events(target2: TargetDatabase) -> None:
    add_dags_to2(target2, "daily")
    source = _AssetSource(rows=make_history("daily", 2))
    move_history(source, target2, ["daily"])
    first, second = (move_assets(source, target2, ["daily"], SystemClock(), with_pending=True) for _ in range(2))
    assert (first.events_moved, first.links_moved) == (1, 1)
    assert (second.events_moved, second.links_moved) == (0, 0)
    ((uri, extra),) = _rows(target2, "select d.uri, e.extra from dataset_event e join dataset d on d.id = e.dataset_id")
    assert (uri, extra if isinstance(extra, dict) else json.loads(extra)) == ("s3://sales", {"rows": 3})


def test_airflow_2_shows_the_history_and_goes_on(
    request: pytest.FixtureRequest, airflow2: Venv, airflow2_version: str, tmp_path: Path, fernet_key: str
) -> None:
    shutil.copyfile(request.getfixturevalue("_sqlite_target2"), tmp_path / "airflow.db")
    url = f"sqlite:///{tmp_path / 'airflow.db'}"
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first_day = today - timedelta(days=6)  # of six days; the DAG ends with yesterday
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags" / "daily.py").write_text(
        DAG.format(start=first_day.isoformat(), end=(first_day + timedelta(days=5)).isoformat())
    )
    (tmp_path / "webserver_config.py").write_text("AUTH_ROLE_PUBLIC = 'Admin'\n")
    env = {
        "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.default",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    }
    run_airflow(airflow2, tmp_path, url, "dags", "reserialize", env=env)
    rows: dict[Any, list[Any]] = {}
    for kind, found in make_history("daily", 4).items():  # the days from the first on, but the last two
        shift = first_day - make_run("daily", 0)["logical_date"]
        rows[kind] = [_shifted(row, shift) for row in found]
    next_day = first_day + timedelta(days=4)
    state = DagState(
        "daily", True, None, next_day, (next_day, next_day + timedelta(days=1)), next_day + timedelta(days=1),
        (next_day - timedelta(days=1), next_day), "success",
    )  # fmt: skip
    source, target = MemorySource(rows=rows, states={"daily": state}), _open(airflow2_version, url, fernet_key)
    assert move_history(source, target, ["daily"]).is_proven
    run = rows["run"][1]
    old = tmp_path / "old-logs" / "daily" / "load" / run["logical_date"].isoformat()
    old.mkdir(parents=True)
    (old / "2.log").write_text("canary line of the old worker\n")
    assert move_logs(target, ["daily"], tmp_path / "old-logs", tmp_path / "logs").moved == 1

    handed = hand_off(source, target, "daily")
    assert handed.is_equal
    run_airflow(airflow2, tmp_path, url, "dags", "reserialize", env=env)
    assert next_interval(target, "daily") == handed.source, "the next parse must say the same"
    with target.writing() as connection:
        connection.execute(text("update dag set is_paused = :no"), {"no": False})
    run_airflow(airflow2, tmp_path, url, "scheduler", "-n", "25", env=env)
    days = [row[0] for row in _rows(target, "select execution_date from dag_run order by execution_date")]
    assert [str(day)[:10] for day in days] == [str(first_day + timedelta(days=number))[:10] for number in range(6)]
    made = _rows(target, "select count(*) from dag_run where dag_hash <> 'aerodrome-import'")
    assert made == [(2,)], "exactly the two days that were due"

    output = run_airflow(airflow2, tmp_path, url, str(PROGRAMS / "read_target2.py"), "daily", run["run_id"], env=env)
    answers: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    assert {name: status for name, (status, _) in answers.items() if status != 200} == {}
    assert answers["runs"][1]["total_entries"] == 6
    assert (answers["run"][1]["note"], answers["run"][1]["conf"]) == ("checked 1", {"b": 1, "a": [1.5, "ü"]})
    tasks = {task["task_id"]: task for task in answers["tasks"][1]["task_instances"]}
    assert (tasks["extract"]["note"], tasks["extract"]["try_number"], tasks["load"]["duration"]) == ("slow", 2, 28.25)
    first_try = answers["tries"][1]["task_instances"][0]
    assert (first_try["try_number"], first_try["state"]) == (1, "failed")
    assert "canary line of the old worker" in str(answers["log"][1])
    models = answers["models"][1]
    assert (models["conf"], models["xcom"], models["executor_config"]) == (
        {"b": 1, "a": [1.5, "ü"]}, {"rows": 3, "share": 1.0}, {},
    )  # fmt: skip
    assert models["rendered"] == {"bash_command": "load 1", "env": None}
    assert answers["cleared"][1]["state"] == "queued"
    again = move_history(source, target, ["daily"])
    assert again.of("run").failed_by_code == {"row-belongs-to-target": 1}
    target.close()


def _shifted(row: dict[str, Any], shift: timedelta) -> dict[str, Any]:
    """Move a row of history to other days; the run is named by its new date."""
    moved = {name: value + shift if isinstance(value, datetime) else value for name, value in row.items()}
    date = datetime.fromisoformat(row["run_id"].removeprefix("scheduled__")) + shift
    return moved | {"run_id": f"scheduled__{date.isoformat()}"}


CASES = [
    *(
        (version, database)
        for version in ("1.10.15", "2.3.4", "2.7.3", "2.11.2")
        for database in ("sqlite", "postgresql")
    ),
    ("2.11.2", "mysql"),
]


@pytest.mark.matrix
@pytest.mark.parametrize(("version", "kind"), CASES)
def test_every_older_version_moves_into_2_11(
    version: str,
    kind: str,
    aged: Callable[..., Aged],
    airflow2_version: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    fernet_key: str,
) -> None:
    if version == AIRFLOW2 != airflow2_version:
        pytest.skip("newer than the target")
    old = aged(version, kind)
    if kind != "postgresql":
        shutil.copyfile(request.getfixturevalue("_sqlite_target2"), tmp_path / "target2.db")
        url = f"sqlite:///{tmp_path / 'target2.db'}"
    else:
        server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("_postgres_target2")
        url = server.create_database(f"t_{os.urandom(8).hex()}", template=template).reveal()
    source, target = open_source(old.config, b"fingerprints", SystemClock()), _open(airflow2_version, url, fernet_key)
    add_dags_to2(target, *DAG_IDS)
    moved, again = move_history(source, target, DAG_IDS), move_history(source, target, DAG_IDS)
    assert moved.is_proven
    assert again.is_proven
    assert moved.of("run").moved == old.count("select count(*) from dag_run where state in ('success', 'failed')")
    assert moved.of("task_instance").moved > 0
    assert sum(item.moved for item in again.kinds) == 0
    intervals = _rows(target, "select count(*) from dag_run where run_type = 'scheduled' and data_interval_end is null")
    assert intervals == [(0,)]
    source.close()
    target.close()
