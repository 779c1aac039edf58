"""History moves completely, once, and with a reason for every row that stays behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.rooms.migration.transfer.conftest import MemorySource, make_history, make_run, make_task

from aerodrome.migration.estate.history import HISTORY_KINDS, RejectedRow
from aerodrome.migration.transfer.history import move_history
from aerodrome.migration.transfer.target import TargetDatabase

pytestmark = pytest.mark.airflow
AddDags = Callable[..., None]


def rows_of(target: TargetDatabase, sql: str) -> list[Any]:
    with target.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def snapshot(target: TargetDatabase) -> dict[str, list[Any]]:
    tables = (
        "dag_run",
        "task_instance",
        "task_instance_history",
        "xcom",
        "dag_run_note",
        "task_instance_note",
        "rendered_task_instance_fields",
    )
    return {table: sorted(map(repr, rows_of(target, f"select * from {table}"))) for table in tables}


def test_everything_found_stands_in_the_target(target: TargetDatabase, add_dags: AddDags) -> None:
    """Whoever migrates sees equal counts and equal hashes on both sides."""
    add_dags("daily", "hourly")
    source = MemorySource(rows=make_history("daily", 4))
    for kind, rows in make_history("hourly", 3).items():
        source.rows[kind] += rows
    seen: list[tuple[str, int, int | None]] = []

    outcome = move_history(source, target, ["daily", "hourly"], progress=lambda *step: seen.append(step))

    found = {item.kind: (item.found, item.moved, item.same, item.failed_count) for item in outcome.kinds}
    assert found == {
        "run": (7, 7, 0, 0), "task_instance": (14, 14, 0, 0), "task_try": (7, 7, 0, 0), "xcom": (7, 7, 0, 0),
        "rendered": (7, 7, 0, 0),
    }  # fmt: skip
    assert outcome.is_proven
    assert all(item.source_hash != "0" * 32 for item in outcome.kinds)
    assert seen[-1] == ("moving rendered", 42, 42)
    assert rows_of(target, "select distinct hostname, state from task_instance") == [("", "success")]
    assert sorted(rows_of(target, "select content from dag_run_note")) == [("checked 1",)] * 2 + [("checked 3",)]
    assert len(rows_of(target, "select * from task_instance_note")) == 7
    assert rows_of(
        target,
        "select distinct r.dag_id, run_type, triggered_by, version_number, v.bundle_version from dag_run r "
        "join dag_version v on v.id = created_dag_version_id order by r.dag_id",
    ) == [(dag_id, "scheduled", "TIMETABLE", 1, "beforemigration") for dag_id in ("daily", "hourly")]
    unlike = "(select count(*) from {} t join dag_run r on r.run_id = t.run_id and r.dag_id = t.dag_id "
    unlike += "where t.dag_version_id = r.created_dag_version_id)"
    tables = ("task_instance", "task_instance_history")
    assert rows_of(target, f"select {', '.join(unlike.format(table) for table in tables)}") == [(14, 7)]


def test_a_second_time_adds_and_changes_nothing(target: TargetDatabase, add_dags: AddDags) -> None:
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 4))
    first = move_history(source, target, ["daily"])
    before = snapshot(target)

    second = move_history(source, target, ["daily"])

    assert snapshot(target) == before
    assert [(item.moved, item.same) for item in second.kinds] == [(0, 4), (0, 8), (0, 4), (0, 4), (0, 4)]
    assert [item.target_hash for item in second.kinds] == [item.target_hash for item in first.kinds]


def test_a_run_that_was_cleared_in_the_source_is_brought_up_to_date(target: TargetDatabase, add_dags: AddDags) -> None:
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 2))
    move_history(source, target, ["daily"])
    later = source.rows["run"][0]["end_date"] + timedelta(hours=3)
    source.rows["run"][0] |= {"clear_number": 1, "end_date": later, "note": "second look"}
    source.rows["task_instance"][0] |= {"try_number": 3, "end_date": later, "state": "failed"}
    source.rows["xcom"][0] |= {"value": '"new"'}

    outcome = move_history(source, target, ["daily"])

    assert outcome.is_proven
    assert [(item.moved, item.same) for item in outcome.kinds] == [(1, 1), (1, 3), (0, 2), (1, 1), (0, 2)]
    assert rows_of(target, "select content from dag_run_note order by 1") == [("checked 1",), ("second look",)]


@pytest.mark.parametrize("value", ["1204", "0.173", "-7", "true", "null", '"5"', "[3, 1, 0]", "1e20"])
def test_an_xcom_of_any_json_type_is_moved_and_proved(target: TargetDatabase, add_dags: AddDags, value: str) -> None:
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 1))
    source.rows["xcom"][0] |= {"value": value}

    assert move_history(source, target, ["daily"]).is_proven
    assert move_history(source, target, ["daily"]).is_proven


def test_what_the_target_ran_itself_is_never_touched(target: TargetDatabase, add_dags: AddDags) -> None:
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 2))
    move_history(source, target, ["daily"])
    version = "0" * 31 + "1"
    with target.writing() as connection:
        connection.execute(
            text(
                "insert into dag_version (id, version_number, dag_id, created_at, last_updated) "
                "values (:id, 2, 'daily', '2026-03-01 00:00:00', '2026-03-01 00:00:00')"
            ),
            {"id": version},
        )
        connection.execute(
            text("update dag_run set created_dag_version_id = :id, state = 'failed' where run_id like '%03-01%'"),
            {"id": version},
        )
    source.rows["task_instance"].append(make_task(source.rows["run"][0], "added"))
    before = snapshot(target)

    outcome = move_history(source, target, ["daily"])

    assert snapshot(target) == before
    assert outcome.of("run").failed_by_code == {"row-belongs-to-target": 1}
    assert outcome.of("task_instance").failed_by_code == {"run-belongs-to-target": 1}


def test_a_run_moves_beside_one_that_the_target_made_under_its_name(target: TargetDatabase, add_dags: AddDags) -> None:
    """Airflow 3 names a run by its end, Airflow 2 by its beginning: after a way back the next run has the name of the last."""
    add_dags("daily")
    source = MemorySource(rows=make_history("daily", 1))
    (run,) = source.rows["run"]
    move_history(source, target, ["daily"])
    with target.writing() as connection:
        connection.execute(text("update dag_run set last_scheduling_decision = updated_at"))
    own = snapshot(target)
    for column in ("logical_date", "data_interval_start", "data_interval_end", "run_after"):
        run[column] += timedelta(days=1)

    outcome = move_history(source, target, ["daily"])

    assert outcome.is_proven
    assert [(item.kind, item.moved, item.failed) for item in outcome.kinds if item.failed or not item.moved] == []
    names = [run["run_id"], f"{run['run_id']}__moved"]
    assert rows_of(target, "select run_id from dag_run order by 1") == [(name,) for name in names]
    counts = rows_of(target, "select run_id, count(*) from task_instance group by 1 order by 1")
    assert [count for _, count in counts] == [len(source.rows["task_instance"])] * 2
    after = snapshot(target)
    assert {table: [row for row in own[table] if row not in after[table]] for table in own} == {
        table: [] for table in own
    }
    again = move_history(source, target, ["daily"])
    assert [item.moved for item in again.kinds] == [0] * len(again.kinds)
    assert again.is_proven
    assert snapshot(target) == after


def test_every_row_left_behind_has_a_reason(target: TargetDatabase, add_dags: AddDags) -> None:
    add_dags("daily")
    good = make_run("daily", 0)
    running = make_run("daily", 1, state="running")
    rows = [good, running, make_run("daily", 2, run_type="strange"), make_run("daily", 3, run_id="r" * 251)]
    rows += [make_run("daily", 4, conf="{'a'"), make_run("daily", 0, run_id="zz__same-date", run_type="manual")]
    source = MemorySource(
        rows={
            "run": rows,
            "task_instance": [
                make_task(good, "a"),
                make_task(good, "b", state="running"),
                make_task(good, "c", map_index=0),
                make_task(good, "c", map_index=0),
                make_task(running, "a"),
                make_task(make_run("ghost", 0), "a"),
            ],
            "xcom": [
                {"key": "k", "value": "{", "map_index": -1, "timestamp": good["end_date"]}
                | {key: good.get(key) for key in ("dag_id", "run_id")}
                | {"task_id": "a"},
                {"key": "orphan", "value": "1", "map_index": -1, "timestamp": good["end_date"]}
                | {key: good.get(key) for key in ("dag_id", "run_id")}
                | {"task_id": "never-moved"},
            ],
        },
        rejected=[RejectedRow("daily/x", "xcom-pickled", "The value is pickled.")],
        batch=100,
    )

    outcome = move_history(source, target, ["daily", "ghost"])

    assert outcome.is_proven
    runs, tasks, xcoms = outcome.of("run"), outcome.of("task_instance"), outcome.of("xcom")
    assert (runs.found, runs.moved) == (6, 1)
    assert set(runs.failed_by_code) == {
        "run-not-final", "run-type-unknown", "id-too-long", "run-conf-not-json", "logical-date-taken",
    }  # fmt: skip
    assert (tasks.found, tasks.moved) == (6, 2)
    assert tasks.failed_by_code == {
        "task-not-final": 1, "row-doubled": 1, "run-not-there": 1, "dag-not-in-target": 1,
    }  # fmt: skip
    assert (xcoms.found, xcoms.moved) == (3, 0)
    assert xcoms.failed_by_code == {"xcom-not-json": 1, "xcom-pickled": 1, "refused-by-target": 1}
    for kind in HISTORY_KINDS:
        item = outcome.of(kind)
        assert item.found == item.moved + item.same + item.failed_count


def test_a_logical_date_that_the_target_used_otherwise_is_refused(target: TargetDatabase, add_dags: AddDags) -> None:
    add_dags("daily")
    move_history(MemorySource(rows={"run": [make_run("daily", 0, run_id="manual__here")]}), target, ["daily"])

    outcome = move_history(MemorySource(rows=make_history("daily", 2)), target, ["daily"])

    assert outcome.of("run").failed_by_code == {"logical-date-taken": 1}
    assert "manual__here" in outcome.of("run").failed[0].message
    assert outcome.of("task_instance").failed_by_code == {"run-not-there": 2}
    assert outcome.is_proven
