"""Pausing, stopping and letting go in metadata databases that a real Airflow 2.11.2 wrote, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.rooms.migration.sources.behind import DAGS, execute, query, rows_of

from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.migration.estate.history import HistoryWindow
from aerodrome.migration.sources.contract import (
    SourceAdapter,
    SourceConfig,
    StoppedRuns,
    StopsRuns,
)

pytestmark = pytest.mark.airflow


def test_pause_leaves_a_mark_and_repeats_without_effect(config: SourceConfig, source: SourceAdapter) -> None:
    source.pause_dag("daily_sales", "mig_1")
    source.pause_dag("daily_sales", "mig_1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.is_paused, state.mark) == (True, "mig_1")
    assert query(config, "select count(*) from log where event = 'aerodrome.pause'")[0][0] == 1
    with pytest.raises(Conflict):
        source.pause_dag("daily_sales", "mig_2")
    with pytest.raises(Conflict):
        source.unpause_dag("daily_sales", "mig_2")
    source.unpause_dag("daily_sales", "mig_1")
    source.unpause_dag("daily_sales", "mig_1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.is_paused, state.mark) == (False, None)
    with pytest.raises(NotFound):
        source.pause_dag("no_such_dag", "mig_1")


def test_a_dag_that_is_let_go_starts_nothing_new_until_it_is_parsed(
    config: SourceConfig, source: SourceAdapter
) -> None:
    source.hold_back("daily_sales", "mig_1")  # nobody let it go: nothing happens
    assert source.dag_states(["daily_sales"])["daily_sales"].next_run_after is not None
    source.pause_dag("daily_sales", "mig_1")
    source.unpause_dag("daily_sales", "mig_1")
    source.hold_back("daily_sales", "mig_2")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.let_go, state.next_run_after is not None) == ("mig_1", True)
    source.hold_back("daily_sales", "mig_1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.next_run_after, state.next_interval is not None) == (None, True)
    source.pause_dag("daily_sales", "mig_1")
    state = source.dag_states(["daily_sales"])["daily_sales"]
    assert (state.mark, state.let_go) == ("mig_1", None)
    assert query(config, "select count(*) from log where event = 'aerodrome.pause'")[0][0] == 2


def test_a_dag_that_was_paused_before_stays_paused_after_roll_back(source: SourceAdapter) -> None:
    source.pause_dag("maintenance", "mig_1")
    source.unpause_dag("maintenance", "mig_1")
    assert source.dag_states(["maintenance"])["maintenance"].is_paused


def test_states_tell_what_is_in_flight_and_what_comes_next(source: SourceAdapter) -> None:
    states = source.dag_states([*DAGS, "no_such_dag"])
    assert set(states) == set(DAGS)
    sales = states["daily_sales"]
    assert sales.in_flight == {"run:running": 1, "running": 1, "up_for_retry": 1}
    assert sales.last_run_state == "success"
    assert sales.last_interval is not None
    assert sales.next_interval is not None
    assert sales.next_interval[0] == sales.last_interval[1]
    assert states["orders_report"].next_interval is None


def test_runs_of_a_held_dag_are_stopped_remembered_and_resumed(
    config: SourceConfig, source: SourceAdapter, clock: ManualClock
) -> None:
    assert isinstance(source, StopsRuns)
    with pytest.raises(Conflict) as error:
        source.stop_runs("daily_sales", "mig_1")
    assert error.value.code == "source-cannot-stop"
    running = query(config, "select run_id from dag_run where dag_id = 'daily_sales' and state = 'running'")[0][0]
    succeeded = "select count(*) from task_instance where dag_id = 'daily_sales' and state = 'success'"
    before = query(config, succeeded)
    execute(
        config,
        "insert into job (id, job_type, state, latest_heartbeat) values (4711, 'LocalTaskJob', 'running', :now)",
        now=clock.now(),
    )
    execute(config, "update task_instance set job_id = 4711 where dag_id = 'daily_sales' and state = 'running'")
    source.pause_dag("daily_sales", "mig_1")
    source.stop_runs("daily_sales", "mig_1")
    source.stop_runs("daily_sales", "mig_1")
    assert source.dag_states(["daily_sales"])["daily_sales"].in_flight == {}
    assert source.stopped_runs(DAGS, "mig_1") == {"daily_sales": StoppedRuns((running,), alive=1)}
    assert source.stopped_runs(DAGS, "mig_2") == {}
    execute(config, "update job set state = 'failed' where id = 4711")
    assert source.stopped_runs(DAGS, "mig_1") == {"daily_sales": StoppedRuns((running,), alive=0)}
    states = f"select state from task_instance where dag_id = 'daily_sales' and run_id = '{running}'"
    assert "failed" in {row[0] for row in query(config, states)} <= {"success", "failed", "upstream_failed", "skipped"}
    assert query(config, succeeded) == before  # what succeeded is not run again
    assert running in {row["run_id"] for row in rows_of(source, "run", HistoryWindow(("daily_sales",)))}

    source.resume_runs("daily_sales", "mig_1", {})
    source.resume_runs("daily_sales", "mig_1", {})
    assert source.stopped_runs(DAGS, "mig_1")["daily_sales"].run_ids == ()
    state = f"select state from dag_run where dag_id = 'daily_sales' and run_id = '{running}'"
    assert query(config, state)[0][0] == "queued"
    assert None in {row[0] for row in query(config, states)} <= {"success", "skipped", None}


def test_a_stopped_run_that_ended_elsewhere_takes_that_state(config: SourceConfig, source: SourceAdapter) -> None:
    assert isinstance(source, StopsRuns)
    source.pause_dag("daily_sales", "mig_1")
    source.stop_runs("daily_sales", "mig_1")
    (run_id,) = source.stopped_runs(DAGS, "mig_1")["daily_sales"].run_ids
    source.resume_runs("daily_sales", "mig_1", {run_id: "success"})
    found = query(
        config,
        f"select state from dag_run where dag_id = 'daily_sales' and run_id = '{run_id}' union all "
        f"select state from task_instance where dag_id = 'daily_sales' and run_id = '{run_id}'",
    )
    assert {row[0] for row in found} <= {"success", "skipped"}


def next_of(config: SourceConfig, source: SourceAdapter, date: Any) -> Any:
    """Give the state after the row names a date as the next, as Airflow 2 leaves it while max_active_runs is reached."""
    execute(
        config,
        "update dag set next_dagrun = :date, next_dagrun_create_after = null, next_dagrun_data_interval_start = :date "
        "where dag_id = 'daily_sales'",
        date=date,
    )
    return source.dag_states(["daily_sales"])["daily_sales"]


def test_a_next_run_that_was_run_already_is_stepped_over_as_the_scheduler_will(
    config: SourceConfig, source: SourceAdapter
) -> None:
    fresh = source.dag_states(["daily_sales"])["daily_sales"]
    assert not fresh.is_next_passed
    newest = "select max(execution_date) from dag_run where dag_id = 'daily_sales' and run_type = 'scheduled'"
    ((last,),) = query(config, newest)
    state = next_of(config, source, last)
    assert (state.next_interval, state.next_logical_date) == (fresh.next_interval, fresh.next_logical_date)
    assert state.next_run_after == fresh.next_interval[1]  # type: ignore[index]
    ((before,),) = query(config, f"{newest} and execution_date < ({newest})")
    assert next_of(config, source, before).next_interval == fresh.next_interval  # runs ended in another order
    ended = "select max(execution_date) from dag_run where dag_id = 'daily_sales'"
    execute(
        config, f"update dag_run set run_type = 'manual' where execution_date = ({ended}) and dag_id = 'daily_sales'"
    )
    manual = next_of(config, source, last)
    assert manual.next_logical_date is not None
    assert not manual.is_next_passed  # a run by hand is none of the schedule's


@pytest.mark.parametrize("bound", ["end_date", "start_date", "timetable"])
def test_where_only_the_scheduler_can_tell_the_next_run_it_is_not_guessed(
    config: SourceConfig, source: SourceAdapter, bound: str
) -> None:
    newest = "select max(execution_date) from dag_run where dag_id = 'daily_sales' and run_type = 'scheduled'"
    ((last,),) = query(config, newest)
    ((stored,),) = query(config, "select data from serialized_dag where dag_id = 'daily_sales'")
    form = json.loads(stored) if isinstance(stored, str) else stored
    if bound == "timetable":
        form["dag"]["timetable"] = {"__type": "plugins.days.WorkDays", "__var": {}}
        form["dag"].pop("schedule_interval", None)
    else:
        form["dag"][bound] = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
    execute(config, "update serialized_dag set data = :data where dag_id = 'daily_sales'", data=json.dumps(form))
    assert next_of(config, source, last).is_next_passed
