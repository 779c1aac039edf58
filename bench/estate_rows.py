"""The rows of a made estate, written in bulk by the database itself.

What a task instance looks like stands in two small tables (one row a task, one a run); their product with the DAGs is the history.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bench.estate_dags import (
    CONNECTIONS,
    DAGS_FOLDER,
    OPERATORS,
    POOLS,
    SCHEDULES,
    VARIABLES,
    Size,
    dag_id,
    file_of,
    serialized,
)
from cryptography.fernet import Fernet
from sqlalchemy import Connection, text


@contextmanager
def transaction(connection: Connection) -> Iterator[None]:
    connection.execute(text("begin"))
    yield
    connection.execute(text("commit"))


@contextmanager
def without_indexes(
    connection: Connection, tables: Sequence[str], note: Callable[[str], None], *, is_sqlite: bool
) -> Iterator[None]:
    """Take the secondary indexes away and put the same ones back."""
    if is_sqlite:
        query = "select name, sql, tbl_name from sqlite_master where type = 'index' and sql is not null"
    else:
        query = (
            "select indexname, indexdef, tablename from pg_indexes where schemaname = 'public' and indexname not in"
            " (select conname from pg_constraint)"
        )
    taken = [row for row in connection.execute(text(query)) if row[2] in tables]
    for name, _sql, _table in taken:
        connection.execute(text(f'drop index "{name}"'))
    yield
    for name, sql, _table in taken:
        note(f"index {name}")
        connection.execute(text(str(sql).replace(":", "\\:")))


def patterns(connection: Connection, size: Size, *, is_sqlite: bool) -> None:
    """Write what a run and what a task looks like: their product with the DAGs is the history."""
    moment = "timestamp" if is_sqlite else "timestamptz"
    connection.execute(
        text(
            f"create table bench_run (number integer, run_id varchar(250), at {moment}, ends {moment}, done {moment},"
            " run_type varchar(50), state varchar(50))"
        )
    )
    connection.execute(text("create table bench_task (number integer, task_id varchar(250), operator varchar(250))"))

    def stamp(value: datetime) -> Any:
        return value.strftime("%Y-%m-%d %H:%M:%S.%f") if is_sqlite else value

    newest = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    runs = []
    for number in range(size.runs):
        at = newest - timedelta(days=size.runs - number)
        ends = at + timedelta(days=1)
        state = "failed" if number % 20 == 7 else "running" if number == size.runs - 1 else "success"
        runs.append(
            {
                "number": number,
                "run_id": f"scheduled__{at.isoformat()}",
                "at": stamp(at),
                "ends": stamp(ends),
                "done": stamp(ends + timedelta(seconds=40 + number)),
                "state": state,
            }
        )
    connection.execute(
        text("insert into bench_run values (:number, :run_id, :at, :ends, :done, 'scheduled', :state)"), runs
    )
    connection.execute(
        text("insert into bench_task values (:number, :task_id, :operator)"),
        [
            {"number": task, "task_id": f"task_{task}", "operator": OPERATORS[task % len(OPERATORS)][0]}
            for task in range(size.tasks)
        ],
    )


# Only the DAGs that this bench made: a database that has DAGs of its own keeps their history as it is.
_OURS = "d.dag_id like 'team%/_flow/_%' escape '/'"
# One DAG in 50 has its newest run in flight; everywhere else it ended.
_STATE = "case when r.state = 'running' and d.max_active_runs <> 17 then 'success' else r.state end"
RUNS = f"""insert into dag_run (dag_id, run_id, run_type, state, execution_date, data_interval_start, data_interval_end,
    queued_at, start_date, end_date, external_trigger, clear_number)
  select d.dag_id, r.run_id, r.run_type, {_STATE}, r.at, r.at, r.ends, r.ends, r.ends,
    case when r.state = 'running' and d.max_active_runs = 17 then null else r.done end, false, 0
  from dag d cross join bench_run r where {_OURS} order by d.dag_id, r.number"""
TASKS = f"""insert into task_instance (dag_id, task_id, run_id, map_index, start_date, end_date, duration, state, try_number,
    max_tries, hostname, unixname, pool, pool_slots, queue, priority_weight, operator, task_display_name, job_id)
  select d.dag_id, t.task_id, r.run_id, -1, r.ends, r.done, 3.25, {_STATE}, 1, 2, 'worker-7', 'airflow', 'default_pool', 1,
    'default', 1, t.operator, t.task_id, null
  from (select dag_id, max_active_runs from dag d where {_OURS} order by dag_id limit :amount offset :start) d
    cross join bench_task t cross join bench_run r order by d.dag_id, t.task_id, r.run_id"""
XCOMS = f"""insert into xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)
  select r.id, t.task_id, -1, 'return_value', r.dag_id, r.run_id, :value, r.start_date
  from dag_run r join dag d on d.dag_id = r.dag_id cross join bench_task t where {_OURS} and t.number % :every = 0 order by r.id, t.task_id"""


def dags(connection: Connection, size: Size, *, is_sqlite: bool) -> None:
    now = datetime.now(UTC)
    ahead = now + timedelta(hours=1)
    stamp: Any = (lambda v: v.strftime("%Y-%m-%d %H:%M:%S.%f")) if is_sqlite else (lambda v: v)
    insert_dag = text(
        "insert into dag (dag_id, is_paused, is_subdag, is_active, last_parsed_time, fileloc, processor_subdir, owners,"
        " schedule_interval, max_active_tasks, max_active_runs, max_consecutive_failed_dag_runs,"
        " has_task_concurrency_limits, has_import_errors, next_dagrun, next_dagrun_data_interval_start,"
        " next_dagrun_data_interval_end, next_dagrun_create_after) values (:dag_id, :paused, :no, :active, :now, :file,"
        " :folder, 'airflow', :schedule, 16, :runs, 0, :no, :no, :now, :now, :ahead, :ahead)"
    )
    insert_tag = text("insert into dag_tag (name, dag_id) values ('bench', :dag_id)")
    insert_data = text(
        "insert into serialized_dag (dag_id, fileloc, fileloc_hash, data, last_updated, dag_hash, processor_subdir)"
        " values (:dag_id, :file, :number, :data, :now, :hash, :folder)"
    )
    for start in range(0, size.dags, 500):
        numbers = range(start, min(start + 500, size.dags))
        connection.execute(
            insert_dag,
            [
                {
                    "dag_id": dag_id(number),
                    "paused": number % 6 == 0,
                    "active": number % 70 != 69,
                    "no": False,
                    "now": stamp(now),
                    "ahead": stamp(ahead),
                    "file": f"{DAGS_FOLDER}/{file_of(number)}",
                    "folder": DAGS_FOLDER,
                    "schedule": json.dumps(SCHEDULES[number % len(SCHEDULES)]),
                    "runs": 17 if number % 50 == 0 else 16,
                }
                for number in numbers
            ],
        )
        connection.execute(insert_tag, [{"dag_id": dag_id(number)} for number in numbers])
        connection.execute(
            insert_data,
            [
                {
                    "dag_id": dag_id(number),
                    "file": f"{DAGS_FOLDER}/{file_of(number)}",
                    "folder": DAGS_FOLDER,
                    "number": number,
                    "data": json.dumps(serialized(number, size.tasks)),
                    "now": stamp(now),
                    "hash": f"{number:032x}",
                }
                for number in numbers
            ],
        )


def objects(connection: Connection, size: Size, fernet_key: str) -> None:
    fernet = Fernet(fernet_key)
    chance = random.Random(7)
    types = ("postgres", "http", "aws", "snowflake", "ssh", "mysql")
    hosts = (
        "10.1.{}.9",
        "db{}.internal",
        "api{}.partner.example.com",
        "db{}.abc.eu-west-1.rds.amazonaws.com",
        "8.8.4.{}",
    )
    connection.execute(
        text(
            "insert into connection (conn_id, conn_type, host, schema, login, password, port, is_encrypted,"
            " is_extra_encrypted, extra) values (:conn_id, :conn_type, :host, 'main', 'etl', :password, :port, :yes, :yes, :extra)"
        ),
        [
            {
                "conn_id": f"conn_{number}",
                "conn_type": types[number % len(types)],
                "host": chance.choice(hosts).format(number % 200),
                "password": fernet.encrypt(f"bench-password-{number}".encode()).decode(),
                "port": 5432,
                "yes": True,
                "extra": fernet.encrypt(b'{"sslmode": "require"}').decode(),
            }
            for number in range(CONNECTIONS)
        ],
    )
    connection.execute(
        text("insert into variable (key, val, is_encrypted) values (:key, :val, :yes)"),
        [
            {
                "key": f"var_{number}" if number % 25 else f"service_token_{number}",
                "val": fernet.encrypt(f"value {number}".encode()).decode(),
                "yes": True,
            }
            for number in range(VARIABLES)
        ],
    )
    connection.execute(
        text("insert into slot_pool (pool, slots, include_deferred) values (:pool, 8, :no)"),
        [{"pool": f"pool_{number}", "no": False} for number in range(1, POOLS)],
    )
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    connection.execute(
        text(
            "insert into import_error (timestamp, filename, stacktrace) values (:now, :file, 'ModuleNotFoundError: acme')"
        ),
        [
            {"now": now, "file": f"{DAGS_FOLDER}/team00/broken_{number}.py"}
            for number in range(max(1, size.dags // 1000))
        ],
    )
