"""Two scans are compared field by field, without a secret, and only where their fingerprints can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from aerodrome.migration.estate.archive import Estate, EstateHeader, EstateWriter
from aerodrome.migration.estate.difference import KEY_FACT, Change, FieldChange, difference
from aerodrome.migration.estate.records import (
    KINDS,
    AssetRecord,
    CodeFactRecord,
    ConfigRecord,
    ConnectionRecord,
    ConversionRecord,
    DagRecord,
    EndpointRecord,
    EnvVarRecord,
    FileRecord,
    ImportErrorRecord,
    MeasureRecord,
    PackageRecord,
    PoolRecord,
    Record,
    RoleRecord,
    UserRecord,
    VariableRecord,
)

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


EACH = (
    (DAG, {"callbacks": ("on_failure_callback",), "runs_1d": 2}),
    (CONNECTION, {"origin": "environment"}),
    (VariableRecord("v", None, 3, False, False, "canary-v", "metadata-db"), {"size_bytes": 4}),
    (PoolRecord("p", 4, None, False), {"slots": 5}),
    (EnvVarRecord("E", False, "canary-e", "user"), {"fingerprint": "canary-f"}),
    (ConfigRecord("core.executor", "LocalExecutor", False, "file"), {"origin": "environment"}),
    (PackageRecord("pandas", "==2.1", "requirements"), {"version": "==2.2"}),
    (FileRecord("a.py", "plugins", 3, "0" * 64), {"sha256": "1" * 64}),
    (UserRecord("ana", None, ("Admin",), True), {"roles": ("Op",)}),
    (ImportErrorRecord("a.py", "NameError"), {"message": "ImportError"}),
    (
        CodeFactRecord("plugins", "a.py", 3, "custom-class", "A hook of your own.", "h", False, 1),
        {"message": "Another."},
    ),
    (EndpointRecord("dags", "a.py", 3, "https", "api", None), None),
    (RoleRecord("Team", 3, 1), {"permissions": 4}),
    (MeasureRecord("rows:xcom", 1), {"amount": 2}),
    (ConversionRecord("d", "caveat", "c", "e", "m", "f.xml", 1), {"message": "n"}),
    (AssetRecord("s3://a", "s3://a", ("d",), (), (), 3, None), {"readers": ("d", "e")}),
)


def test_each_kind_is_compared(tmp_path: Path) -> None:
    """What a scan found of any kind and the next one lacks, has more, or has otherwise, is shown with its field."""
    assert [record.kind for record, _ in EACH] == list(KINDS)
    every = freeze(tmp_path / "every", [record for record, _ in EACH])
    none = freeze(tmp_path / "none", [])
    for before, after, what in ((every, none, "removed"), (none, every, "added")):
        found = difference(before, after).changes
        assert [(change.kind, change.key, change.what) for change in found] == [
            (record.kind, record.key, what) for record, _ in EACH
        ]
    other = freeze(tmp_path / "other", [replace(record, **changes) for record, changes in EACH if changes])
    changed = {
        change.kind: [field.name for field in change.fields]
        for change in difference(every, other, with_activity=True).changes
        if change.what == "changed"
    }
    shown = {"fingerprint": "secret value"}
    assert {kind: sorted(names) for kind, names in changed.items()} == {
        record.kind: sorted(shown.get(name, name) for name in changes) for record, changes in EACH if changes
    }


def test_fingerprints_of_two_keys_are_not_compared(tmp_path: Path) -> None:
    before = freeze(tmp_path / "a", [CONNECTION], key="one")
    after = freeze(tmp_path / "b", [replace(CONNECTION, fingerprint="other", host="db2")], key="two")
    found = difference(before, after)
    assert not found.are_secrets_compared
    assert [field.name for field in found.changes[0].fields] == ["host"]
