"""Two scans are compared field by field, without a secret, and only where their fingerprints can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from aerodrome.migration.estate.archive import Estate, EstateHeader, EstateWriter
from aerodrome.migration.estate.difference import KEY_FACT, Change, FieldChange, difference
from aerodrome.migration.estate.records import ConnectionRecord, DagRecord, MeasureRecord, PoolRecord, Record

CONNECTION = ConnectionRecord(
    "wh", "postgres", "db", 5432, None, "etl", None, (), True, False, "canary-1", "metadata-db"
)
DAG = DagRecord(
    dag_id="d", file="d.py", is_paused=False, is_active=True, schedule="0 2 * * *", schedule_kind="cron", timetable=None,
    timezone="UTC", catchup=None, start_date=None, end_date=None, max_active_runs=16, max_active_tasks=16, owners=("ann",),
    tags=(), description=None, task_count=2, tasks=({"task_id": "a", "pool": "p"}, {"task_id": "b", "pool": "p"}),
    depends_on_dags=(), datasets_in=(), datasets_out=(), pools=("p",), queues=(), connections=(), variables=(),
    next_logical_date=None, next_interval_start=None, next_interval_end=None, next_run_after=None,
)  # fmt: skip


def freeze(folder: Path, records: Iterable[Record], key: str = "k") -> Estate:
    writer = EstateWriter(folder, EstateHeader("airflow-db", "x", "2.11.2", "s", "r", "", {KEY_FACT: key}))
    for record in records:
        writer.add(record)
    return writer.freeze()


def test_what_was_added_removed_and_changed(tmp_path: Path) -> None:
    before = freeze(
        tmp_path / "a", [DAG, CONNECTION, PoolRecord("old", 1, None, False), PoolRecord("p", 4, None, False)]
    )
    tasks = ({"task_id": "a", "pool": "q"}, {"task_id": "c", "pool": "p"})
    later = [
        replace(DAG, schedule="0 3 * * *", owners=("ann", "bob"), tasks=tasks, runs_30d=9, last_run_at="x"),
        replace(CONNECTION, fingerprint="canary-2"),
        PoolRecord("p", 4, None, False),
        PoolRecord("new", 1, None, False),
    ]
    found = difference(before, freeze(tmp_path / "b", later))
    assert found.are_secrets_compared
    assert found.changes == (
        Change(
            "dag",
            "d",
            "changed",
            (
                FieldChange("schedule", "0 2 * * *", "0 3 * * *"),
                FieldChange("owners", ["ann"], ["ann", "bob"]),
                FieldChange("task a: pool", "p", "q"),
                FieldChange("task b", "there", None),
                FieldChange("task c", None, "there"),
            ),
        ),
        Change("connection", "wh", "changed", (FieldChange("secret value", None, None),)),
        Change("pool", "new", "added"),
        Change("pool", "old", "removed"),
    )
    assert found.counts()["pool"] == {"added": 1, "removed": 1, "changed": 0}
    assert "canary" not in json.dumps(found.as_data())


def test_the_same_source_at_work_shows_nothing_unless_asked(tmp_path: Path) -> None:
    before = freeze(tmp_path / "a", [DAG, MeasureRecord("rows:xcom", 1)])
    after = freeze(tmp_path / "b", [replace(DAG, run_states={"success": 4}), MeasureRecord("rows:xcom", 9)])
    assert difference(before, after).changes == ()
    moved = difference(before, after, with_activity=True).changes
    assert [(change.kind, change.fields[0].name) for change in moved] == [("dag", "run_states"), ("measure", "amount")]


def test_fingerprints_of_two_keys_are_not_compared(tmp_path: Path) -> None:
    before = freeze(tmp_path / "a", [CONNECTION], key="one")
    after = freeze(tmp_path / "b", [replace(CONNECTION, fingerprint="other", host="db2")], key="two")
    found = difference(before, after)
    assert not found.are_secrets_compared
    assert [field.name for field in found.changes[0].fields] == ["host"]
