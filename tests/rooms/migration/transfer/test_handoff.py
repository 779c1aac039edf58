"""After the handover Airflow 3 goes on exactly where Airflow 2 stopped: no interval twice, none left out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import DAY, MemorySource, make_history, run_airflow

from aerodrome.builds.contract import Venv
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import DagState, SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import (
    TargetDatabase,
    hand_off,
    move_history,
    next_interval,
    scheduler_options,
    source_interval,
)
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = pytest.mark.airflow
PROGRAMS = Path(__file__).parent / "programs"


def state_of(dag_id: str, runs: int) -> DagState:
    """The state of a daily DAG with that many runs, paused."""
    start = DAY + timedelta(days=runs)
    end = start + timedelta(days=1)
    return DagState(dag_id, True, None, start, (start, end), end, (start - timedelta(days=1), start), "success")


def test_the_next_interval_is_written_once(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 3), states={"daily": state_of("daily", 3)})
    move_history(source, target, ["daily"])

    first, second = hand_off(source, target, "daily"), hand_off(source, target, "daily")

    assert first.is_equal
    assert second.is_equal
    assert (first.computed.is_planned, second.computed) == (False, first.target)
    assert next_interval(target, "daily") == source_interval(source.states["daily"])


def test_a_handover_that_would_double_or_lose_an_interval_is_refused(
    target: TargetDatabase, add_dags: Callable[..., None]
) -> None:
    add_dags("daily")
    add_dags("trigger", timetable="CronTriggerTimetable")
    rows = make_history("daily", 3)
    source = MemorySource(rows=rows, states={name: state_of(name, 4) for name in ("daily", "trigger", "ghost")})
    move_history(source, target, ["daily"])

    def code(dag_id: str) -> str:
        with pytest.raises((Conflict, NotFound)) as caught:
            hand_off(source, target, dag_id)
        return caught.value.code

    assert code("daily") == "last-run-not-moved"
    source.states["daily"] = replace(state_of("daily", 2))
    assert code("daily") == "interval-already-run"
    assert code("trigger") == "timetable-differs"
    assert code("ghost") == "dag-not-in-target"
    assert code("unknown") == "dag-not-in-source"
    with target.writing() as connection:
        connection.execute(text("update dag set is_paused = :no where dag_id = 'daily'"), {"no": False})
    assert code("daily") == "target-dag-not-paused"


def test_airflow_3_goes_on_where_airflow_2_stopped(
    sqlite_access: AirflowAccess,
    airflow3: Venv,
    airflow_venv: Callable[..., Venv],
    tmp_path: Path,
) -> None:
    """Real 2.11.2 runs, real 3.3.2 parser and scheduler, cron and timedelta, catchup or not."""
    target_url = sqlite_access.database_url.reveal()
    start = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=21)
    env = {"SCHEDULES_START": start.isoformat(), "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5"}
    homes = {side: tmp_path / side for side in ("source", "target")}
    for home in homes.values():
        (home / "dags").mkdir(parents=True)
        shutil.copy(PROGRAMS / "schedules.py", home / "dags")
    source_url = f"sqlite:///{homes['source'] / 'airflow.db'}"
    airflow2 = airflow_venv("2.11.2")
    run_airflow(airflow2, homes["source"], source_url, "db", "migrate")
    run_airflow(airflow2, homes["source"], source_url, str(PROGRAMS / "run_source.py"), env=env)
    for option, value in scheduler_options({}).items():
        env["AIRFLOW__" + option.upper().replace(".", "__")] = value

    def parse() -> None:
        run_airflow(airflow3, homes["target"], target_url, "dags", "reserialize", env=env)

    parse()
    config = SourceConfig("airflow-db", "old", Secret(source_url), Secret(""), homes["source"] / "dags")
    source, target = open_source(config, b"key"), TargetDatabase(sqlite_access)
    dag_ids = [f"{name}_{how}" for name in ("cron", "delta", "daily", "delta_daily") for how in ("catchup", "latest")]
    moved = move_history(source, target, dag_ids)
    assert moved.is_proven
    assert moved.of("run").moved == moved.of("run").found > 25

    handed = {dag_id: hand_off(source, target, dag_id) for dag_id in [*dag_ids, "manual"]}
    assert all(item.is_equal for item in handed.values())
    assert not handed["manual"].target.is_planned
    parse()
    for dag_id in dag_ids:
        if "daily" in dag_id or "catchup" in dag_id:  # without catchup a short interval may be over by now, on any side
            assert next_interval(target, dag_id) == handed[dag_id].source, dag_id

    with target.writing() as connection:
        connection.execute(text("update dag set is_paused = :no, next_dagrun = next_dagrun"), {"no": False})
    log = run_airflow(airflow3, homes["target"], target_url, "scheduler", "-s", "-n", "12", env=env)
    assert "already exists" not in log
    with target.reading() as connection:
        rows = connection.execute(
            text("select dag_id, data_interval_start, data_interval_end from dag_run order by dag_id, logical_date")
        )
        intervals: dict[str, list[tuple[str, str]]] = {dag_id: [] for dag_id in dag_ids}
        for dag_id, first, last in rows:
            intervals[dag_id].append((first, last))
    for name in ("cron", "delta"):
        pairs = intervals[f"{name}_catchup"]
        planned = handed[f"{name}_catchup"].source
        assert [str(planned.start)[:19], str(planned.end)[:19]] in [[a[:19], b[:19]] for a, b in pairs], "never ran"
        assert len(pairs) >= 9
        assert [last for _, last in pairs[:-1]] == [first for first, _ in pairs[1:]], "a gap or a double"
    for dag_id in dag_ids:
        if "daily" in dag_id:
            before = [row for row in intervals[dag_id] if row[0] < str(handed[dag_id].source.start)[:19]]
            assert len(before) == len(intervals[dag_id]), "a day that is not over was run, or one ran twice"
    source.close()
    target.close()
