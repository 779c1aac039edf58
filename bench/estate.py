"""Makes a large self-managed Airflow 2.11.2: its metadata database (the schema is Airflow's own) and its folder of DAGs.

    python -m bench.estate --db postgresql --dags 14000 --runs 72 --tasks 10 --folder DIR

Rows are written in bulk by the database itself: what a task instance looks like stands in two small tables (one row a task,
one a run), their product is the history. Everything that the assessment reads is there: serialized DAGs of 2.11's form, DAG
files of many kinds, connections and variables under a Fernet key, pools, users, import errors, XComs.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import Connection, create_engine, text

from aerodrome.builds import Venv, VenvSpec, VenvStore
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

VERSION = "2.11.2"
START = datetime(2026, 1, 1, tzinfo=UTC)
DAGS_FOLDER = "/opt/airflow/dags"
SCHEDULES = (
    "0 2 * * *",
    "*/15 * * * *",
    "0 6 * * 1-5",
    "@daily",
    "@hourly",
    None,
    "30 1 * * *",
    "dataset",
    "5 4 1 * *",
)
OPERATORS = (
    ("BashOperator", "airflow.operators.bash"),
    ("PythonOperator", "airflow.operators.python"),
    ("SQLExecuteQueryOperator", "airflow.providers.common.sql.operators.sql"),
    ("S3KeySensor", "airflow.providers.amazon.aws.sensors.s3"),
    ("KubernetesPodOperator", "airflow.providers.cncf.kubernetes.operators.pod"),
    ("HttpOperator", "airflow.providers.http.operators.http"),
)
CONNECTIONS = 300
VARIABLES = 500
POOLS = 20
DAGS_AT_ONCE = 250


@dataclass(frozen=True)
class Size:
    """How large; XComs belong to every `xcom_every`-th task."""

    dags: int = 14_000
    runs: int = 72
    tasks: int = 10
    xcom_every: int = 10

    @property
    def task_instances(self) -> int:
        return self.dags * self.runs * self.tasks


def dag_id(number: int) -> str:
    return f"team{number % 97:02}_flow_{number:05}"


def write_files(folder: Path, size: Size) -> None:
    """Write one file a DAG, of some kinds, in a folder per team."""
    for team in range(min(97, size.dags)):
        (folder / f"team{team:02}").mkdir(parents=True, exist_ok=True)
    for number in range(size.dags):
        (folder / file_of(number)).write_text(code_of(number, size.tasks), encoding="utf-8")


def file_of(number: int) -> str:
    return f"team{number % 97:02}/flow_{number:05}.py"


def code_of(number: int, tasks: int) -> str:
    """Give the text of a DAG file as people write them."""
    lines = [
        '"""Loads what the team needs."""',
        "from __future__ import annotations",
        "",
        "import json",
        "from datetime import datetime, timedelta",
        "",
        "from airflow import DAG",
        "from airflow.models import Variable",
        "from airflow.operators.bash import BashOperator",
        "from airflow.operators.python import PythonOperator",
        "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator",
    ]
    if number % 50 == 0:
        lines.append("from airflow.utils.session import provide_session")
    if number % 11 == 0:
        lines.append("from airflow.utils.dates import days_ago")
    if number % 40 == 0:
        lines.append('API_TOKEN = "b3nch-t0ken-9f2"')
    if number % 30 == 0:
        lines.append(f'ENDPOINT = "https://api{number % 7}.partner.example.com:8443/v2/orders"')
    lines += [
        "",
        "",
        "def transform(ti, **context):",
        "    rows = ti.xcom_pull(task_ids='task_0')",
        f"    limit = Variable.get('var_{number % VARIABLES}', default_var='10')",
        "    return json.dumps({'rows': rows, 'limit': limit, 'day': context['execution_date'].isoformat()})",
        "",
        "",
        "default_args = {'owner': 'airflow', 'retries': 2, 'retry_delay': timedelta(minutes=5)}",
    ]
    schedule = SCHEDULES[number % len(SCHEDULES)]
    shown = f'"{schedule}"' if schedule not in (None, "dataset") else "None"
    lines += [
        "with DAG(",
        f'    "{dag_id(number)}",',
        f"    schedule_interval={shown},",
        f"    start_date={'days_ago(2)' if number % 11 == 0 else 'datetime(2025, 1, 1)'},",
        "    default_args=default_args,",
        "    tags=['bench'],",
        ") as dag:",
    ]
    for task in range(tasks):
        if task % 3 == 0:
            lines.append(f"    t{task} = BashOperator(task_id='task_{task}', bash_command='echo {{{{ ds }}}} {task}')")
        elif task % 3 == 1:
            lines.append(f"    t{task} = PythonOperator(task_id='task_{task}', python_callable=transform)")
        else:
            lines += [
                f"    t{task} = SQLExecuteQueryOperator(",
                f"        task_id='task_{task}',",
                f"        conn_id='conn_{(number + task) % CONNECTIONS}',",
                f"        sql=\"select * from orders where day = '{{{{ ds }}}}' and part = {task}\",",
                "    )",
            ]
        if task:
            lines.append(f"    t{task - 1} >> t{task}")
    return "\n".join(lines) + "\n"


def serialized(number: int, tasks: int) -> dict[str, Any]:
    """Give a DAG as Airflow 2.11.2 serializes it (serialization version 1)."""
    schedule = SCHEDULES[number % len(SCHEDULES)]
    zone = "Europe/Berlin" if number % 60 == 0 else "UTC"
    if schedule == "dataset":
        timetable: dict[str, Any] = {
            "__type": "airflow.timetables.datasets.DatasetTriggeredTimetable",
            "__var": {"dataset_condition": {"__type": "dataset", "uri": f"s3://lake/{number // 9}"}},
        }
    elif schedule is None:
        timetable = {"__type": "airflow.timetables.simple.NullTimetable", "__var": {}}
    else:
        timetable = {
            "__type": "airflow.timetables.interval.CronDataIntervalTimetable",
            "__var": {"expression": schedule, "timezone": zone},
        }
    dependencies: list[dict[str, Any]] = []
    if number % 20 == 0 and number:
        other = dag_id(number - 1)
        dependencies.append(
            {"source": dag_id(number), "target": other, "dependency_type": "trigger", "dependency_id": "t"}
        )
    if number % 9 == 6:
        uri = f"s3://lake/{number // 9}"
        dependencies.append(
            {"source": dag_id(number), "target": "dataset", "dependency_type": "dataset", "dependency_id": uri}
        )
    return {
        "__version": 1,
        "dag": {
            "_dag_id": dag_id(number),
            "fileloc": f"{DAGS_FOLDER}/{file_of(number)}",
            "_processor_dags_folder": DAGS_FOLDER,
            "timezone": zone,
            "timetable": timetable,
            "start_date": 1735689600.0,
            "catchup": number % 5 == 0,
            "max_active_runs": 16,
            "_max_active_tasks": 16,
            "dag_dependencies": dependencies,
            "tags": ["bench"],
            "edge_info": {},
            "tasks": [_task(number, task, tasks) for task in range(tasks)],
        },
    }


def _task(number: int, task: int, tasks: int) -> dict[str, Any]:
    operator, module = OPERATORS[(number + task) % len(OPERATORS)]
    if operator == "KubernetesPodOperator" and number % 12:  # a few teams have a cluster
        operator, module = OPERATORS[0]
    data: dict[str, Any] = {
        "task_id": f"task_{task}",
        "_task_type": operator,
        "_operator_name": operator,
        "_task_module": module,
        "pool": f"pool_{number % POOLS}" if number % 8 == 0 else "default_pool",
        "queue": "heavy" if number % 100 == 0 else "default",
        "owner": "airflow",
        "retries": 2,
        "downstream_task_ids": [f"task_{task + 1}"] if task + 1 < tasks else [],
        "template_fields": ["bash_command", "env"],
        "template_fields_renderers": {"bash_command": "bash", "env": "json"},
        "ui_color": "#f0ede4",
        "ui_fgcolor": "#000",
        "template_ext": [".sh", ".bash"],
        "bash_command": "echo {{ ds }} and more of what a command holds when people write it",
        "is_setup": False,
        "is_teardown": False,
        "weight_rule": "downstream",
        "start_trigger_args": None,
        "_needs_expansion": False,
        "on_failure_fail_dagrun": False,
    }
    if number % 25 == 0:
        data["depends_on_past"] = True
    if number % 45 == 0:
        data["sla"] = 3600.0
    return {"__type": "operator", "__var": data}


def migrate(venv: Venv, home: Path, url: str) -> None:
    """Let Airflow itself make the schema."""
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url.replace("+psycopg://", "+psycopg2://"),
        "PATH": f"{venv.path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
    }
    subprocess.run([venv.path / "bin" / "airflow", "db", "migrate"], env=settings, check=True, capture_output=True)


def fill(
    url: str, size: Size, fernet_key: str, note: Callable[[str], None] = lambda _text: None, *, is_shared: bool = True
) -> None:
    """Fill a freshly migrated database. `is_shared`: its server serves others too, so its settings stay."""
    engine = create_engine(url)
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if not is_sqlite:
            connection.execute(text("set session_replication_role = replica"))  # the rows are consistent by design
            connection.execute(text("set maintenance_work_mem = '1GB'"))
            connection.execute(text("set work_mem = '256MB'"))
            if not is_shared:  # a server of our own: one checkpoint at the end instead of one every few seconds
                connection.execute(text("alter system set max_wal_size = '32GB'"))
                connection.execute(text("select pg_reload_conf()"))
            connection.execute(text("set synchronous_commit = off"))
        else:
            connection.execute(text("pragma synchronous = off"))
            connection.execute(text("pragma journal_mode = off"))
        note("DAGs and objects")
        with _transaction(connection):
            _objects(connection, size, fernet_key)
            _dags(connection, size, is_sqlite=is_sqlite)
        large = ("dag_run", "task_instance", "xcom")
        with _without_indexes(connection, large, note, is_sqlite=is_sqlite), _transaction(connection):
            note("runs")
            _patterns(connection, size, is_sqlite=is_sqlite)
            connection.execute(text(_RUNS))
            note("task instances")
            total = connection.scalar(text("select count(*) from dag")) or 0
            for start in range(0, total, DAGS_AT_ONCE):  # sorted for the primary key, within memory
                connection.execute(text(_TASKS), {"start": start, "amount": DAGS_AT_ONCE})
            note("XComs")
            connection.execute(text(_XCOMS), {"every": size.xcom_every, "value": b'"s3://lake/part"'})
            for name in ("bench_run", "bench_task"):
                connection.execute(text(f"drop table {name}"))
        note("statistics")
        connection.execute(text("analyze" if is_sqlite else "vacuum analyze"))
    engine.dispose()


@contextmanager
def _transaction(connection: Connection) -> Iterator[None]:
    connection.execute(text("begin"))
    yield
    connection.execute(text("commit"))


@contextmanager
def _without_indexes(
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


def _patterns(connection: Connection, size: Size, *, is_sqlite: bool) -> None:
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


# One DAG in 50 has its newest run in flight; everywhere else it ended.
_STATE = "case when r.state = 'running' and d.max_active_runs <> 17 then 'success' else r.state end"
_RUNS = f"""insert into dag_run (dag_id, run_id, run_type, state, execution_date, data_interval_start, data_interval_end,
    queued_at, start_date, end_date, external_trigger, clear_number)
  select d.dag_id, r.run_id, r.run_type, {_STATE}, r.at, r.at, r.ends, r.ends, r.ends,
    case when r.state = 'running' and d.max_active_runs = 17 then null else r.done end, false, 0
  from dag d cross join bench_run r order by d.dag_id, r.number"""
_TASKS = f"""insert into task_instance (dag_id, task_id, run_id, map_index, start_date, end_date, duration, state, try_number,
    max_tries, hostname, unixname, pool, pool_slots, queue, priority_weight, operator, task_display_name, job_id)
  select d.dag_id, t.task_id, r.run_id, -1, r.ends, r.done, 3.25, {_STATE}, 1, 2, 'worker-7', 'airflow', 'default_pool', 1,
    'default', 1, t.operator, t.task_id, null
  from (select dag_id, max_active_runs from dag order by dag_id limit :amount offset :start) d
    cross join bench_task t cross join bench_run r order by d.dag_id, t.task_id, r.run_id"""
_XCOMS = """insert into xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)
  select r.id, t.task_id, -1, 'return_value', r.dag_id, r.run_id, :value, r.start_date
  from dag_run r cross join bench_task t where t.number % :every = 0 order by r.id, t.task_id"""


def _dags(connection: Connection, size: Size, *, is_sqlite: bool) -> None:
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


def _objects(connection: Connection, size: Size, fernet_key: str) -> None:
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


@contextmanager
def made(kind: str, size: Size, folder: Path, note: Callable[[str], None]) -> Iterator[tuple[str, str, float]]:
    """Make one for the time of the block; gives (URL, Fernet key, seconds that making took)."""
    cache = Path(os.environ.get("AERODROME_TEST_CACHE", Path.home() / ".cache" / "aerodrome" / "tests"))
    venv = VenvStore(cache / "venvs").ensure(VenvSpec(VERSION, "3.11", ("asyncpg", "psycopg2-binary")), note)
    with ExitStack() as stack:
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'airflow.db'}"
        else:
            with socket.create_server(("127.0.0.1", 0)) as probe:
                port = probe.getsockname()[1]
            server = PostgresServer(folder / "postgres", port, password=new_password(), is_fast=True)
            stack.callback(server.delete)
            server.start()
            url = server.create_database("source").reveal()
        note("the schema, by Airflow itself")
        migrate(venv, folder, url)
        began = time.monotonic()
        key = Fernet.generate_key().decode()
        fill(url, size, key, note, is_shared=False)
        note("DAG files")
        write_files(folder / "dags", size)
        yield url, key, time.monotonic() - began


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--db", choices=("sqlite", "postgresql"), default="postgresql")
    parser.add_argument("--dags", type=int, default=Size.dags)
    parser.add_argument("--runs", type=int, default=Size.runs)
    parser.add_argument("--tasks", type=int, default=Size.tasks)
    parser.add_argument("--keep", type=Path, help="make it here, say where, and keep it until Enter")
    return parser.parse_args(arguments)


def teller() -> Callable[[str], None]:
    """Give a function that writes what is being done, with the seconds since the start."""
    began = time.monotonic()

    def note(line: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {line}", file=sys.stderr, flush=True)

    return note


def main() -> None:
    wanted = parse()
    folder = wanted.keep or Path("bench-estate")
    folder.mkdir(parents=True, exist_ok=True)
    size = Size(wanted.dags, wanted.runs, wanted.tasks)
    with made(wanted.db, size, folder.resolve(), teller()) as (url, key, seconds):
        out = io.StringIO()
        json.dump(
            {"url": url, "fernet_key": key, "task_instances": size.task_instances, "seconds": round(seconds, 1)}, out
        )
        print(out.getvalue(), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
