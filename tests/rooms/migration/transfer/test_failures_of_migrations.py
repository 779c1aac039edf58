"""Ways in which moving an Airflow by other means went wrong, each tried on ours. One that breaks is a failure people have met.

They were seen with copies over HTTP between two running Airflows. The failures that have no counterpart here (a button that
deletes what it migrated, a proxy without sign-in, a page that asks the database once per DAG) stand with their reasons in
docs/guides/guards.md.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import (
    DAY,
    MemorySource,
    add_dags_to,
    make_history,
    make_run,
    make_task,
)

from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryBatch, HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_db.surroundings import env_records
from aerodrome.migration.sources.contract import ConnectionValue, DagState, VariableValue
from aerodrome.migration.transfer import (
    TargetDatabase,
    hand_off,
    move_connections,
    move_history,
    move_variables,
    next_interval,
)
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = pytest.mark.airflow
CANARY = "canary-of-a-failed-migration"


@pytest.fixture
def target(sqlite_access: AirflowAccess) -> Iterator[TargetDatabase]:
    opened = TargetDatabase(sqlite_access)
    yield opened
    opened.close()


@pytest.fixture
def add_dags(target: TargetDatabase) -> Callable[..., None]:
    return partial(add_dags_to, target)


def count(target: TargetDatabase, sql: str) -> int:
    with target.reading() as connection:
        return int(connection.scalar(text(sql)) or 0)


def test_no_catch_up_storm_after_a_part_of_the_history(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    """The newest 10 of 114 runs moved, and the target's stale next run started 35 days that the source had done."""
    add_dags("daily")
    stale = DAY
    with target.writing() as connection:
        connection.execute(
            text("update dag set next_dagrun = :at, next_dagrun_create_after = :at"),
            {"at": stale.strftime("%Y-%m-%d %H:%M:%S.%f")},
        )
    start = DAY + timedelta(days=114)
    rows: dict[HistoryKind, list[Any]] = {"run": make_history("daily", 114)["run"][-10:]}
    following = (start, start + timedelta(days=1))
    last = (start - timedelta(days=1), start)
    state = DagState("daily", True, None, start, following, following[1], last, "success")
    source = MemorySource(rows=rows, states={"daily": state})
    assert move_history(source, target, ["daily"]).of("run").moved == 10

    assert hand_off(source, target, "daily").computed.logical_date == stale
    assert next_interval(target, "daily").logical_date == start


def test_a_running_run_stays_where_it_runs(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    """A run copied while running holds max_active_runs for ever: nothing in the target works on it."""
    add_dags("daily")
    run = make_run("daily", 0, state="running")
    source = MemorySource(rows={"run": [run], "task_instance": [make_task(run, "t", state="running")]})
    outcome = move_history(source, target, ["daily"])
    assert outcome.of("run").failed_by_code == {"run-not-final": 1}
    assert count(target, "select count(*) from dag_run") == count(target, "select count(*) from task_instance") == 0


def test_one_deferred_task_holds_back_nothing_else(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    """One deferred task instance refused a whole batch; the runs stood there without any task instance."""
    add_dags("daily")
    rows = make_history("daily", 10)
    rows["task_instance"][0] |= {"state": "deferred"}
    rows["task_try"], rows["rendered"], rows["xcom"] = [], [], []
    outcome = move_history(MemorySource(rows=rows, batch=100), target, ["daily"])
    assert outcome.of("task_instance").failed_by_code == {"task-not-final": 1}
    assert (outcome.of("run").moved, outcome.of("task_instance").moved) == (10, 19)
    empty = (
        "select count(*) from dag_run r where not exists "
        "(select 1 from task_instance t where t.dag_id = r.dag_id and t.run_id = r.run_id)"
    )
    assert count(target, empty) == 0


def test_a_batch_of_old_and_new_runs_goes_on(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    """A second try with five runs that stood there already wrote nothing; the way out was to delete all."""
    add_dags("daily")
    rows = make_history("daily", 10)
    first = {kind: [row for row in found if row["run_id"] < "scheduled__2026-03-06"] for kind, found in rows.items()}
    move_history(MemorySource(rows=first, batch=100), target, ["daily"])
    outcome = move_history(MemorySource(rows=rows, batch=100), target, ["daily"])
    assert [(item.moved, item.same, item.failed_count) for item in outcome.kinds][:2] == [(5, 5, 0), (10, 10, 0)]


def test_one_date_under_another_id_refuses_one_run(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    """One logical date that stood under another run id refused the whole batch."""
    add_dags("daily")
    move_history(MemorySource(rows={"run": [make_run("daily", 3, run_id="manual__here")]}), target, ["daily"])
    outcome = move_history(MemorySource(rows=make_history("daily", 10), batch=100), target, ["daily"])
    assert outcome.of("run").failed_by_code == {"logical-date-taken": 1}
    assert outcome.of("run").moved == 9


def test_more_than_1024_dags_move_at_once(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    """A migration DAG with one mapped task per DAG ended at core.max_map_length."""
    dag_ids = [f"dag_{number:04}" for number in range(1_025)]
    add_dags(*dag_ids)
    source = MemorySource(rows={"run": [make_run(dag_id, 0) for dag_id in dag_ids]}, batch=2_000)
    # one pass over the rows per group of DAGs is the memory source's own cost
    outcome = move_history(source, target, dag_ids)
    assert (outcome.of("run").moved, outcome.is_proven) == (1_025, True)


def test_a_refusal_shows_no_secret(target: TargetDatabase) -> None:
    """The answer to a connection that stood there already carried its password."""
    connection = ConnectionValue(
        "db", "postgres", "h", 5432, "s", "me", None, Secret(CANARY), Secret(json.dumps({"token": CANARY}))
    )
    move_connections(MemorySource(connections=[connection]), target, ["db"])
    other = replace(connection, password=Secret(CANARY + "-2"))
    without_type = replace(connection, conn_id="bad", conn_type=None)
    outcome = move_connections(MemorySource(connections=[other, without_type]), target, ["db", "bad"], "target-wins")
    assert len(outcome.failed) == 2
    assert CANARY not in json.dumps(outcome.as_data()) + repr(outcome)


def test_the_source_s_own_secrets_are_no_part_of_the_estate() -> None:
    """A list of the environment gave the Fernet key and the database's URL to whoever asked."""
    env = {
        "AIRFLOW__CORE__FERNET_KEY": Secret(CANARY),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": Secret(f"postgresql://u:{CANARY}@h/d"),
        "PLAIN_TEXT": Secret("shown to nobody either"),
    }
    records = list(env_records(env, b"key"))
    assert [record.name for record in records] == list(env)
    shown = repr(records)
    assert CANARY not in shown
    assert "shown to nobody" not in shown


def test_what_cannot_be_decrypted_is_named_and_not_emptied(target: TargetDatabase) -> None:
    """An undecryptable variable arrived as null, and one such connection failed the list of all."""
    source = MemorySource(
        variables=[VariableValue("good", Secret("1"), None), VariableValue("bad", Secret("2"), None)],
        unreadable={"bad"},
    )
    outcome = move_variables(source, target, ["good", "bad"])
    assert [(item.key, item.code) for item in outcome.failed] == [("bad", "fernet-key-wrong")]
    assert outcome.moved == 1
    assert count(target, "select count(*) from variable where key = 'bad'") == 0


def test_no_rows_of_dags_that_the_target_never_parsed(target: TargetDatabase) -> None:
    """History of a DAG that no file defines stood in the target and could not be opened."""
    outcome = move_history(MemorySource(rows=make_history("ghost", 2)), target, ["ghost"])
    assert outcome.of("run").failed_by_code == {"dag-not-in-target": 2}
    assert count(target, "select count(*) from dag_run") == 0


@pytest.mark.parametrize("dag_ids", [[], ["daily"]])
def test_nothing_to_move_is_not_an_error(
    target: TargetDatabase, add_dags: Callable[..., None], dag_ids: list[str]
) -> None:
    """An empty batch was answered with a traceback."""
    add_dags("daily")
    outcome = move_history(MemorySource(), target, dag_ids)
    found: list[Any] = [item.found for item in outcome.kinds]
    assert (set(found), outcome.is_proven) == ({0}, True)


class Forgetful(MemorySource):
    """A database that counts all of its rows and gives all but the first XCom, as a page that begins one row late."""

    def text_history(self) -> None:
        return None

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        for number, batch in enumerate(super().history(kind, window)):
            yield replace(batch, rows=batch.rows[1:]) if kind == "xcom" and number == 0 else batch

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        return {kind: len(rows) for kind, rows in self.rows.items()}


def test_rows_that_were_never_read_are_told_of(target: TargetDatabase, add_dags: Callable[..., None]) -> None:
    add_dags("a")
    whole = make_history("a", 4)
    there = len(whole["xcom"])
    moved = move_history(Forgetful(rows=whole), target, ["a"])
    outcome = moved.of("xcom")
    assert outcome.source_hash == outcome.target_hash  # the hashes know nothing of it
    assert (outcome.found, outcome.failed_by_code) == (there - 1, {"not-read": 1})
    again = move_history(MemorySource(rows=whole), target, ["a"]).of("xcom")
    assert (again.moved, again.same, again.failed_count) == (1, there - 1, 0)
