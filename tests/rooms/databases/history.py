"""Rows of a small Airflow, written straight into real schemas: what was there under 2.11.2, what came under 3.3.2."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from aerodrome.databases.places import place_of
from aerodrome.kernel.secret import Secret

START = datetime(2026, 1, 1, tzinfo=UTC)
DAYS = 6


class Rows:
    """Writes and reads rows of one database by reflected tables."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._tables: dict[str, sa.Table] = {}
        self.is_sqlite = connection.dialect.name == "sqlite"

    def table(self, name: str) -> sa.Table:
        if name not in self._tables:
            self._tables[name] = sa.Table(name, sa.MetaData(), autoload_with=self._connection, resolve_fks=False)
        return self._tables[name]

    def add(self, name: str, *rows: dict[str, Any]) -> None:
        table = self.table(name)
        for row in rows:
            self._connection.execute(table.insert().values({key: self.value(item) for key, item in row.items()}))

    def value(self, item: Any) -> Any:
        return item.astimezone(UTC).replace(tzinfo=None) if self.is_sqlite and isinstance(item, datetime) else item

    def run(self, statement: str, **values: Any) -> sa.CursorResult[Any]:
        return self._connection.execute(sa.text(statement), {key: self.value(item) for key, item in values.items()})

    def all(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.run(statement, **values)]

    def one(self, statement: str, **values: Any) -> Any:
        return self.run(statement, **values).scalar()


@contextmanager
def rows(url: Secret) -> Iterator[Rows]:
    place = place_of(url)
    text = place.url.reveal()
    engine = sa.create_engine(
        text.replace("postgresql+psycopg2", "postgresql+psycopg"), poolclass=sa.NullPool, hide_parameters=True
    )
    with engine.begin() as connection:
        yield Rows(connection)
    engine.dispose()


def fill_old(url: Secret) -> None:
    """What a 2.11.2 had: daily runs with retried tasks and XComs, notes, a dataset, a run from before data intervals."""
    with rows(url) as db:
        db.add(
            "dag",
            *(
                {
                    "dag_id": dag,
                    "is_paused": False,
                    "is_active": True,
                    "max_active_tasks": 16,
                    "max_consecutive_failed_dag_runs": 0,
                    "has_task_concurrency_limits": False,
                    "next_dagrun": START + timedelta(days=DAYS),
                    "next_dagrun_data_interval_start": START + timedelta(days=DAYS),
                }
                for dag in ("daily", "other")
            ),
        )
        for day in range(DAYS):
            _add_old_run(db, day)
        db.add(
            "variable",
            {"key": "kept", "val": "1", "is_encrypted": False},
            {"key": "gone", "val": "2", "is_encrypted": False},
        )
        db.add(
            "connection",
            {
                "conn_id": "c",
                "conn_type": "http",
                "password": "cipher",
                "is_encrypted": True,
                "is_extra_encrypted": False,
            },
        )
        db.add("slot_pool", {"pool": "p", "slots": 3, "include_deferred": False})
        moment = {"created_at": START, "updated_at": START}
        db.add("dataset", {"uri": "s3://a", "extra": {}, "is_orphaned": False, **moment})
        db.add(
            "dataset_event",
            {
                "dataset_id": db.one("select id from dataset"),
                "extra": {"n": 1},
                "source_dag_id": "daily",
                "source_map_index": -1,
                "timestamp": START,
            },
        )
        db.add("log", {"dttm": START, "event": "cli", "dag_id": "daily"})
        db.run("update dag_run set data_interval_start = null, data_interval_end = null where id <= 2")


def _add_old_run(db: Rows, day: int) -> None:
    at, run_id = START + timedelta(days=day), f"scheduled__{day}"
    common = {"dag_id": "daily", "run_id": run_id}
    db.add(
        "dag_run",
        {
            **common,
            "execution_date": at,
            "state": "success",
            "run_type": "scheduled",
            "conf": pickle.dumps({} if day else {"a": [1]}, protocol=5),
            "data_interval_start": at,
            "data_interval_end": at + timedelta(days=1),
            "updated_at": at,
            "clear_number": 0,
        },
    )
    number = db.one("select id from dag_run where run_id = :run", run=run_id)
    for task in ("first", "second"):
        db.add(
            "task_instance",
            {
                **common,
                "task_id": task,
                "map_index": -1,
                "state": "success",
                "try_number": 1,
                "max_tries": 1,
                "pool": "default_pool",
                "pool_slots": 1,
                "updated_at": at,
                "job_id": 7,
                "executor_config": pickle.dumps({}, protocol=5),
            },
        )
        value = json.dumps({"day": day, "task": task}).encode()
        db.add(
            "xcom",
            {
                **common,
                "dag_run_id": number,
                "task_id": task,
                "map_index": -1,
                "key": "return_value",
                "value": value,
                "timestamp": at,
            },
        )
    tried = {"task_id": "first", "map_index": -1, "state": "failed", "try_number": 0}
    db.add("task_instance_history", {**common, **tried, "pool": "default_pool", "pool_slots": 1, "updated_at": at})
    db.add("dag_run_note", {"dag_run_id": number, "content": f"note {day}", "created_at": at, "updated_at": at})
    db.add(
        "rendered_task_instance_fields", {**common, "task_id": "first", "map_index": -1, "rendered_fields": {"x": day}}
    )


def work_since(url: Secret) -> None:
    """What happened under 3.3.2 after the upgrade: all that the way back must carry, convert, delete or archive."""
    now = datetime.now(UTC)
    with rows(url) as db:
        db.run(
            "delete from dag_run where run_id = 'scheduled__1'"
        )  # its children go with it, by foreign keys on PostgreSQL
        if db.is_sqlite:
            for table in ("task_instance", "xcom", "task_instance_history", "rendered_task_instance_fields"):
                db.run(f"delete from {table} where run_id = 'scheduled__1'")
        due = now.replace(microsecond=0)
        for number, (kind, state) in enumerate(
            (
                ("manual", "success"),
                ("manual", "running"),
                ("asset_triggered", "success"),
                ("operator_triggered", "success"),
                ("backfill", "running"),
            )
        ):
            _add_new_run(db, f"new__{number}", kind, state, due, None if number < 2 else due - timedelta(hours=number))
        _run_again(db, now)
        db.add("variable", {"key": "new", "val": "3", "is_encrypted": False})
        db.run("update variable set val = 'changed' where key = 'kept'")
        db.run("delete from variable where key = 'gone'")
        db.add("slot_pool", {"pool": "q", "slots": 9, "include_deferred": False})
        db.run("update dag set is_paused = :paused where dag_id = 'other'", paused=True)
        moment = {"created_at": now, "updated_at": now}
        db.add("asset", {"name": "b", "uri": "s3://b", "group": "asset", "extra": {}, **moment})
        asset = db.one("select id from asset where uri = 's3://b'")
        db.add(
            "asset_event",
            {"asset_id": asset, "extra": {}, "source_dag_id": "daily", "source_map_index": -1, "timestamp": now},
        )
        db.add(
            "backfill",
            {
                "dag_id": "daily",
                "from_date": now,
                "to_date": now,
                "dag_run_conf": {},
                "is_paused": False,
                "reprocess_behavior": "none",
                "max_active_runs": 1,
                **moment,
            },
        )
        db.add("log", {"dttm": now, "event": "success", "dag_id": "daily"})


def add_scheduled_run(url: Secret, due: datetime) -> str:
    """Add a run of the hour before `due` under the name that 3.3.2 gives it; give the name."""
    name = f"scheduled__{due.isoformat()}"
    with rows(url) as db:
        _add_new_run(db, name, "scheduled", "success", due, due - timedelta(hours=1))
    return name


def _add_new_run(db: Rows, run_id: str, kind: str, state: str, due: datetime, at: datetime | None) -> None:
    common = {"dag_id": "daily", "run_id": run_id}
    db.add(
        "dag_run",
        {
            **common,
            "logical_date": at,
            "run_after": due,
            "state": state,
            "run_type": kind,
            "conf": {"key": run_id},
            "updated_at": datetime.now(UTC),
            "clear_number": 0,
            "span_status": "not_started",
        },
    )
    number = db.one("select id from dag_run where run_id = :run", run=run_id)
    for task, now in (("first", "success"), ("second", "deferred" if state == "running" else "success")):
        _add_new_task(db, common, task, now)
    value = {"run": run_id, "text": "ü"}
    db.add(
        "xcom",
        {
            **common,
            "dag_run_id": number,
            "task_id": "first",
            "map_index": -1,
            "key": "return_value",
            "value": value,
            "timestamp": due,
        },
    )


def _add_new_task(db: Rows, common: dict[str, Any], task: str, state: str) -> None:
    ti = uuid4()
    identity: Any = ti.hex if db.is_sqlite else ti
    db.add(
        "task_instance",
        {
            **common,
            "id": identity,
            "task_id": task,
            "map_index": -1,
            "state": state,
            "try_number": 1,
            "max_tries": 0,
            "pool": "default_pool",
            "pool_slots": 1,
            "span_status": "not_started",
            "updated_at": datetime.now(UTC),
            "executor_config": pickle.dumps(_Foreign(), protocol=5)
            if task == "second"
            else pickle.dumps({}, protocol=5),
        },
    )
    moment = {"created_at": datetime.now(UTC), "updated_at": datetime.now(UTC)}
    db.add("task_instance_note", {"ti_id": identity, "content": f"note of {task}", **moment})


def _run_again(db: Rows, now: datetime) -> None:
    """A task from before the upgrade was cleared and ran again, with another XCom."""
    where = "where run_id = 'scheduled__2' and task_id = 'first'"
    db.run(f"update task_instance set state = 'failed', try_number = 2, updated_at = :now {where}", now=now)
    db.run(f"delete from xcom {where}")
    number = db.one("select id from dag_run where run_id = 'scheduled__2'")
    db.add(
        "xcom",
        {
            "dag_id": "daily",
            "run_id": "scheduled__2",
            "dag_run_id": number,
            "task_id": "first",
            "map_index": -1,
            "key": "other",
            "value": [1, 2],
            "timestamp": now,
        },
    )


class _Foreign:
    """An executor_config that the older Airflow could not unpickle."""


def digest(url: Secret, table: str) -> set[tuple[Any, ...]]:
    """Give all rows of a table in comparable form."""
    with rows(url) as db:
        return {
            tuple(repr(bytes(v) if isinstance(v, memoryview) else v) for v in row)
            for row in db.all(f'select * from "{table}"')
        }


__all__ = ["add_scheduled_run", "digest", "fill_old", "rows", "work_since"]
