"""The run history of metadata databases that a real Airflow 2.11.2 wrote, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.rooms.migration.sources.behind import DAGS, execute, query, rows_of

from aerodrome.migration.estate.history import COLUMNS, FINAL_RUN_STATES, HISTORY_KINDS, HistoryWindow
from aerodrome.migration.sources.contract import (
    SourceAdapter,
    SourceConfig,
)

pytestmark = pytest.mark.airflow


def test_history_holds_finished_runs_only(source: SourceAdapter) -> None:
    window = HistoryWindow(DAGS)
    found = {kind: rows_of(source, kind, window) for kind in HISTORY_KINDS}
    assert {kind: len(rows) for kind, rows in found.items()} == source.history_counts(window)
    runs = found["run"]
    assert all(run["state"] in FINAL_RUN_STATES for run in runs)
    assert [(run["dag_id"], run["run_id"]) for run in runs] == sorted((run["dag_id"], run["run_id"]) for run in runs)
    manual = next(run for run in runs if run["run_type"] == "manual")
    assert json.loads(manual["conf"]) == {"full": True, "since": "2026-01-01"}
    assert manual["note"] == "checked by hand"
    assert manual["is_external_trigger"] is True
    scheduled = next(run for run in runs if run["run_type"] == "scheduled")
    assert scheduled["run_after"] == scheduled["data_interval_end"]
    assert scheduled["data_interval_end"].tzinfo is not None
    keys = {(run["dag_id"], run["run_id"]) for run in runs}
    assert {(row["dag_id"], row["run_id"]) for row in found["task_instance"]} == keys
    assert "slow that day" in {row["note"] for row in found["task_instance"]}
    assert json.loads(found["xcom"][0]["value"])["rows"] == 3
    assert tuple(found["xcom"][0]) == COLUMNS["xcom"]


def test_history_since_gives_what_changed(config: SourceConfig, source: SourceAdapter) -> None:
    later = datetime.now(UTC) + timedelta(hours=1)
    assert rows_of(source, "run", HistoryWindow(DAGS, since=later)) == []
    run = query(config, "select id, run_id from dag_run where dag_id = 'orders_mapped' order by id limit 1")[0]
    moment = later + timedelta(minutes=1)
    stored: Any = moment.replace(tzinfo=None) if config.database_url.reveal().startswith("sqlite") else moment
    execute(
        config,
        "update task_instance set updated_at = :at where run_id = :run and dag_id = 'orders_mapped'",
        at=stored.isoformat(" ") if isinstance(stored, datetime) and stored.tzinfo is None else stored,
        run=run.run_id,
    )
    assert [row["run_id"] for row in rows_of(source, "run", HistoryWindow(DAGS, since=later))] == [run.run_id]


class Dangerous:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


def test_pickles_are_never_executed(
    config: SourceConfig, source: SourceAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = pickle.dumps({"x": Dangerous()})
    execute(config, "update dag_run set conf = :evil where run_type = 'manual' and state = 'success'", evil=evil)
    execute(config, "update xcom set value = :evil where dag_id = 'daily_sales' and task_id = 'start'", evil=evil)
    window = HistoryWindow(("daily_sales",))
    rejected = [item for batch in source.history("run", window) for item in batch.rejected]
    assert [item.code for item in rejected] == ["run-conf-pickled"]
    left = [item for batch in source.history("xcom", window) for item in batch.rejected]
    assert {item.code for item in left} == {"xcom-pickled"}
    assert len(left) + len(rows_of(source, "xcom", window)) == source.history_counts(window)["xcom"]
    assert capsys.readouterr().out == ""


def test_a_run_that_ends_while_history_is_read_belongs_to_the_next_pass(
    config: SourceConfig, source: SourceAdapter
) -> None:
    until = source.history_watermark(DAGS)
    assert until is not None
    before = HistoryWindow(DAGS, until=until)
    counts = source.history_counts(before)
    later = until + timedelta(minutes=5)
    is_sqlite = config.database_url.reveal().startswith("sqlite")
    execute(
        config,
        "update dag_run set state = 'success', end_date = :at, updated_at = :at where state = 'running'",
        at=later.replace(tzinfo=None).isoformat(" ") if is_sqlite else later,
    )
    execute(config, "update task_instance set state = 'success' where state in ('running', 'up_for_retry')")
    assert source.history_counts(before) == counts
    newest = source.history_watermark(DAGS)
    assert newest is not None
    assert newest >= later
    everything = source.history_counts(HistoryWindow(DAGS, until=later))
    assert everything["run"] > counts["run"]
    assert everything["task_instance"] > counts["task_instance"]


def test_tries_from_before_an_upgrade_to_2_10_are_given(config: SourceConfig, source: SourceAdapter) -> None:
    """Their only trace is `task_fail`; what the table of tries has is not given twice."""
    dag_id, run_id = query(config, "select dag_id, run_id from dag_run where state = 'success' order by id limit 1")[0]
    window = HistoryWindow((dag_id,))
    first, second = sorted(
        row["task_id"]
        for row in rows_of(source, "task_instance", window)
        if row["run_id"] == run_id and row["map_index"] == -1 and row["start_date"]
    )[:2]
    here = {"dag_id": dag_id, "run_id": run_id}
    whose = "dag_id = :dag_id and run_id = :run_id and task_id in (:first, :second)"
    for table in ("task_fail", "task_instance_history"):
        execute(config, f"delete from {table} where dag_id = :dag_id", dag_id=dag_id)
    assert rows_of(source, "task_try", window) == []
    execute(config, f"update task_instance set try_number = 2 where {whose}", **here, first=first, second=second)
    execute(
        config,
        "insert into task_fail (dag_id, run_id, task_id, map_index, start_date, end_date, duration) "
        "select dag_id, run_id, task_id, map_index, '2024-01-01 00:00:00+00:00', '2024-01-01 00:00:05+00:00', 5 "
        f"from task_instance where {whose}",
        **here, first=first, second=second,
    )  # fmt: skip
    execute(
        config,
        "insert into task_instance_history (dag_id, run_id, task_id, map_index, try_number, state, pool, pool_slots) "
        "select dag_id, run_id, task_id, map_index, 1, 'failed', pool, pool_slots "
        "from task_instance where dag_id = :dag_id and run_id = :run_id and task_id = :second",
        **here, second=second,
    )  # fmt: skip

    tries = {row["task_id"]: row for row in rows_of(source, "task_try", window)}

    assert {task_id: (row["try_number"], row["state"]) for task_id, row in tries.items()} == {
        first: (1, "failed"),
        second: (1, "failed"),
    }
    assert tries[first]["start_date"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert tries[second]["start_date"] is None
    assert source.history_counts(window)["task_try"] == 2
    execute(config, f"update task_instance set try_number = 3 where {whose}", **here, first=first, second=second)
    left = [item.code for batch in source.history("task_try", window) for item in batch.rejected]
    assert left == ["try-number-unknown"]
