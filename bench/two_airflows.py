"""Two metadata databases, as Airflow 2.11.2 and 3.3.2 made them, and what their schedulers and DAG processors do to them.

The tables are real, made by `airflow db migrate`. Who works on them is a stand-in for thousands of DAGs on two cores: it
does in bulk what a scheduler does to `dag`, `dag_run` and `task_instance` (2.11.2 and 3.3.2, jobs/scheduler_job_runner.py):
lock the rows of unpaused DAGs whose moment has come, make the run, work out the next; runs of paused DAGs stand still;
tasks that a worker has go on. Every DAG is parsed anew every 30 s, which works the next interval out from the newest run.
Each DAG has one active run at most, so 2.11.2 works out the next only when a run has ended, and no parse does so before.

    python -m bench.two_airflows URL source|target [--ahead SECONDS]      works until it is stopped
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
from bench.estate import migrate
from psycopg import sql

from aerodrome.builds import VenvSpec, VenvStore
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.airflow_db.adapter import AirflowDatabaseSource
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

SideName = Literal["source", "target"]
VERSIONS: dict[SideName, str] = {"source": "2.11.2", "target": "3.3.2"}
PARSE_S = 30
PERIODS_S = (60, 300, 600, 3600, 86400)
LOOK_S = 0.5
LOCAL_TARGET = "http://127.0.0.1:9/"  # nobody listens: a cutover over the database alone

_PLAN = """
create table bench_plan (dag_id text primary key, number int, period_s int, run_s float, catchup bool);
insert into bench_plan select 'dag_' || lpad(d::text, 5, '0'), d, {period}, {run_s}, d % 2 = 0 from generate_series(1, {dags}) d;
"""
# The same history on both sides, as the transfer before the cutover leaves it; {base} is one moment for both.
_HISTORY = """
create table bench_run as
    select dag_id, at, 'scheduled__' || to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00' as run_id, due,
           due + make_interval(secs => least(number % 50 * 12 + 1, period_s)) as ended
    from bench_plan, lateral (
        select to_timestamp(floor({base} / period_s) * period_s - n * period_s) as at,
               to_timestamp(floor({base} / period_s) * period_s - (n - 1) * period_s) as due
        from generate_series(2, {runs} + 1) n) t;
"""
_FILL_SOURCE = """
insert into dag (dag_id, is_paused, is_active, is_subdag, has_import_errors, max_active_tasks, max_active_runs,
                 max_consecutive_failed_dag_runs, has_task_concurrency_limits, owners, default_view, fileloc, schedule_interval,
                 last_parsed_time)
    select dag_id, false, true, false, false, 16, 1, 0, false, 'airflow', 'grid', '/dags/' || dag_id || '.py',
           '"' || period_s || '"', now() from bench_plan;
insert into serialized_dag (dag_id, fileloc, fileloc_hash, data, last_updated, dag_hash)
    select dag_id, '/dags/' || dag_id || '.py', number, json_build_object('__version', 1, 'dag', json_build_object(
               '_dag_id', dag_id, 'fileloc', '/dags/' || dag_id || '.py', 'timezone', 'UTC', 'catchup', catchup,
               'timetable', json_build_object('__type', 'airflow.timetables.interval.DeltaDataIntervalTimetable',
                                              '__var', json_build_object('delta', period_s)),
               'tasks', json_build_array(), 'dag_dependencies', json_build_array())),
           now(), 'as planned' from bench_plan;
insert into dag_run (dag_id, execution_date, run_id, state, run_type, external_trigger, conf, queued_at, start_date, end_date,
                     data_interval_start, data_interval_end, log_template_id, updated_at)
    select dag_id, at, run_id, 'success', 'scheduled', false, '\\x80057d942e'::bytea, due, due, ended, at, due,
           (select min(id) from log_template), ended from bench_run;
insert into task_instance (task_id, dag_id, run_id, map_index, start_date, end_date, duration, state, try_number, max_tries, hostname,
                           unixname, pool, pool_slots, queue, priority_weight, operator, queued_dttm, executor_config, updated_at)
    select 'task_' || t, dag_id, run_id, -1, due, ended, 1, 'success', 1, 0, 'worker', 'airflow', 'default_pool', 1, 'default', 1,
           'PythonOperator', due, '\\x80057d942e'::bytea, ended
    from bench_run, generate_series(1, {tasks}) t;
"""
_FILL_TARGET = """
insert into dag_bundle (name, active) values ('bench', true) on conflict do nothing;
insert into dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, partition_mapper_info, max_active_tasks,
                 max_consecutive_failed_dag_runs, has_task_concurrency_limits, fileloc, last_parsed_time)
    select dag_id, true, false, 'bench', 'airflow.timetables.interval.DeltaDataIntervalTimetable', '[]', 16, 0, false,
           '/dags/' || dag_id || '.py', now() from bench_plan;
insert into dag_version (id, version_number, dag_id, bundle_name, created_at, last_updated)
    select gen_random_uuid(), 1, dag_id, 'bench', now(), now() from bench_plan;
insert into dag_run (dag_id, logical_date, run_id, state, run_type, queued_at, start_date, end_date, data_interval_start,
                     data_interval_end, run_after, created_at, updated_at, triggered_by, conf)
    select dag_id, at, run_id, 'success', 'scheduled', due, due, ended, at, due, due, due, ended, 'TIMETABLE', '{{}}'
    from bench_run;
insert into task_instance (id, task_id, dag_id, run_id, map_index, start_date, end_date, duration, state, try_number, max_tries,
                           hostname, unixname, pool, pool_slots, queue, priority_weight, operator, queued_dttm, updated_at,
                           task_display_name)
    select gen_random_uuid(), 'task_' || t, dag_id, run_id, -1, due, ended, 1, 'success', 1, 0, '', 'airflow', 'default_pool', 1,
           'default', 1, 'PythonOperator', due, ended, 'task_' || t
    from bench_run, generate_series(1, {tasks}) t;
"""
# Work out the next interval from the newest automated run, or from the clock for a DAG that does not catch up.
_PARSE = """
update dag set last_parsed_time = clock_timestamp(), next_dagrun = n.at, next_dagrun_data_interval_start = n.at,
               next_dagrun_data_interval_end = n.at + make_interval(secs => n.period_s),
               next_dagrun_create_after = n.at + make_interval(secs => n.period_s)
from (
    select p.dag_id, p.period_s, greatest(
        coalesce(r.newest + make_interval(secs => p.period_s), '2000-01-01'),
        case when not p.catchup or r.newest is null then to_timestamp(
            floor(extract(epoch from {now}) / p.period_s) * p.period_s - p.period_s) else '2000-01-01' end) as at
    from bench_plan p left join lateral (
        select max({logical}) as newest from dag_run
        where dag_run.dag_id = p.dag_id and run_type in ('scheduled', 'backfill')) r on true
    where %(all)s or p.number %% {parse_s} = %(slice)s
) n where dag.dag_id = n.dag_id{unless_full}
"""
_UNLESS_FULL = (
    " and not exists (select 1 from dag_run r where r.dag_id = dag.dag_id and r.state in ('queued', 'running'))"
)
_DUE = """
select d.dag_id from dag d join bench_plan p using (dag_id)
where not d.is_paused and d.next_dagrun_create_after <= {now}
  and not exists (select 1 from dag_run r where r.dag_id = d.dag_id and r.state = 'running')
order by d.dag_id limit 500 for update of d skip locked
"""
_MAKE: dict[SideName, str] = {
    "source": """
insert into dag_run (dag_id, execution_date, run_id, state, run_type, external_trigger, conf, queued_at, start_date,
                     data_interval_start, data_interval_end, log_template_id, updated_at)
    select dag_id, next_dagrun, 'scheduled__' || to_char(next_dagrun at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00',
           'running', 'scheduled', false, '\\x80057d942e'::bytea, clock_timestamp(), clock_timestamp(), next_dagrun_data_interval_start,
           next_dagrun_data_interval_end, (select min(id) from log_template), clock_timestamp()
    from dag where dag_id = any(%(due)s) on conflict do nothing""",
    "target": """
insert into dag_run (dag_id, logical_date, run_id, state, run_type, queued_at, start_date, data_interval_start,
                     data_interval_end, run_after, created_at, updated_at, triggered_by, conf, created_dag_version_id)
    select d.dag_id, next_dagrun, 'scheduled__' || to_char(next_dagrun at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS') || '+00:00',
           'running', 'scheduled', clock_timestamp(), clock_timestamp(), next_dagrun_data_interval_start, next_dagrun_data_interval_end,
           next_dagrun_data_interval_end, clock_timestamp(), clock_timestamp(), 'TIMETABLE', '{{}}', v.id
    from dag d join dag_version v on v.dag_id = d.dag_id and v.bundle_version is distinct from 'beforemigration'
    where d.dag_id = any(%(due)s) on conflict do nothing""",
}
_TASKS: dict[SideName, str] = {
    "source": """
insert into task_instance (task_id, dag_id, run_id, map_index, start_date, state, try_number, max_tries, hostname, unixname,
                           pool, pool_slots, queue, priority_weight, operator, executor_config, updated_at)
    select 'task_1', dag_id, run_id, -1, start_date, 'running', 1, 0, 'worker', 'airflow', 'default_pool', 1, 'default', 1,
           'PythonOperator', '\\x80057d942e'::bytea, clock_timestamp()
    from dag_run where state = 'running' and dag_id = any(%(due)s) on conflict do nothing""",
    "target": """
insert into task_instance (id, task_id, dag_id, run_id, map_index, start_date, state, try_number, max_tries, pool, pool_slots,
                           queue, priority_weight, operator, updated_at, dag_version_id)
    select gen_random_uuid(), 'task_1', dag_id, run_id, -1, start_date, 'running', 1, 0, 'default_pool', 1, 'default', 1,
           'PythonOperator', clock_timestamp(), created_dag_version_id
    from dag_run where state = 'running' and dag_id = any(%(due)s) on conflict do nothing""",
}
_FULL = "update dag set next_dagrun_create_after = null where dag_id = any(%(due)s)"
_NEXT = """
update dag set next_dagrun = n.at, next_dagrun_data_interval_start = n.at,
               next_dagrun_data_interval_end = n.at + make_interval(secs => n.period_s),
               next_dagrun_create_after = n.at + make_interval(secs => n.period_s)
from (
    select d.dag_id, p.period_s, greatest(
        d.next_dagrun + make_interval(secs => p.period_s),
        case when p.catchup then '2000-01-01' else to_timestamp(
            floor(extract(epoch from {now}) / p.period_s) * p.period_s - p.period_s) end) as at
    from dag d join bench_plan p using (dag_id) where d.dag_id = any(%(due)s)
) n where dag.dag_id = n.dag_id
"""
_END_TASKS = """
update task_instance t set state = 'success', end_date = clock_timestamp(), duration = p.run_s, updated_at = clock_timestamp()
from bench_plan p where t.dag_id = p.dag_id and t.state = 'running'
  and t.start_date < clock_timestamp() - make_interval(secs => p.run_s)
"""
_END_RUNS = """
update dag_run r set state = 'success', end_date = clock_timestamp(), updated_at = clock_timestamp()
from dag d where r.dag_id = d.dag_id and r.state = 'running' and not d.is_paused
  and not exists (select 1 from task_instance t where t.dag_id = r.dag_id and t.run_id = r.run_id and t.state <> 'success')
returning r.dag_id
"""


def plain(url: str) -> str:
    """Give the URL as psycopg takes it."""
    return url.replace("postgresql+psycopg", "postgresql").replace("postgresql+psycopg2", "postgresql")


@dataclass
class Worker:
    """Scheduler, workers and DAG processor of one side. `ahead_s`: by how much its machine's clock is wrong."""

    connection: psycopg.Connection[Any]
    side: SideName
    ahead_s: float = 0.0

    def _sql(self, text: str) -> sql.SQL:
        now = f"(clock_timestamp() + interval '{self.ahead_s} seconds')" if self.ahead_s else "clock_timestamp()"
        logical = "execution_date" if self.side == "source" else "logical_date"
        return sql.SQL(
            text.format(
                now=now, logical=logical, parse_s=PARSE_S, unless_full=_UNLESS_FULL if self.side == "source" else ""
            )
        )

    def parse(self, *, slice_of: int = 0, everything: bool = False) -> None:
        with self.connection.transaction():
            self.connection.execute(self._sql(_PARSE), {"slice": slice_of, "all": everything})

    def schedule(self) -> int:
        """One look of the scheduler: one transaction, rows locked as Airflow locks them."""
        with self.connection.transaction():
            due = [row[0] for row in self.connection.execute(self._sql(_DUE)).fetchall()]
            if due:
                following = _FULL if self.side == "source" else _NEXT
                for statement in (_MAKE[self.side], _TASKS[self.side], following):
                    self.connection.execute(self._sql(statement), {"due": due})
        return len(due)

    def finish(self) -> None:
        with self.connection.transaction():
            self.connection.execute(self._sql(_END_TASKS))
        with self.connection.transaction():
            ended = [row[0] for row in self.connection.execute(self._sql(_END_RUNS)).fetchall()]
            if ended and self.side == "source":
                self.connection.execute(self._sql(_NEXT), {"due": ended})

    def work(self) -> None:
        """Go on until the process is ended."""
        parsed = int(time.time())
        while True:
            began = time.monotonic()
            self.schedule()
            self.finish()
            while parsed < int(time.time()):
                parsed += 1
                self.parse(slice_of=parsed % PARSE_S)
            time.sleep(max(0.05, LOOK_S - (time.monotonic() - began)))


@dataclass(frozen=True)
class TwoAirflows:
    """Both databases, filled."""

    folder: Path
    server: PostgresServer
    urls: dict[SideName, str]
    dags: dict[str, DagRecord]

    def connect(self, side: SideName) -> psycopg.Connection[Any]:
        return psycopg.connect(plain(self.urls[side]), autocommit=True)

    @contextmanager
    def working(self, *, ahead_s: float = 0.0) -> Iterator[None]:
        """Have both sides live in processes of their own."""
        with ExitStack() as stack:
            for side in ("source", "target"):
                command = [sys.executable, "-m", "bench.two_airflows", self.urls[side], side]
                command += ["--ahead", str(ahead_s)] if side == "target" else []
                process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(Path.cwd())})
                stack.callback(process.wait)
                stack.callback(process.kill)
            yield

    def stopped(self) -> tuple[int, int]:
        """Count the runs that were stopped in the source, and those of them that the target ran to success."""
        with self.connect("source") as old, self.connect("target") as new:
            runs = old.execute("select dag_id, run_id from dag_run where state = 'failed'").fetchall()
            done = new.execute(
                "select dag_id, run_id from dag_run where state = 'success' and created_dag_version_id is not null"
            ).fetchall()
        return len(runs), len(set(runs) & set(done))

    def access(self) -> AirflowAccess:
        """Give the target as a cutover takes it."""
        return AirflowAccess(
            base_url=LOCAL_TARGET,
            airflow_version=VERSIONS["target"],
            database_url=Secret(self.urls["target"]),
            fernet_key=Secret("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="),
            signing_key=Secret("0" * 64),
        )

    def owners(self) -> tuple[int, int, int]:
        """Count, over both databases: intervals that ran, those that both sides ran, those of the schedule that nobody ran.

        A DAG that does not catch up leaves intervals out by itself when time passes; those are not counted as gaps here.
        Runs that the cutover stopped in the source (the only ones that fail) have to run in the target.
        """
        with self.connect("source") as old, self.connect("target") as new:
            ran = old.execute(
                "select dag_id, extract(epoch from execution_date)::bigint from dag_run"
                " where run_type = 'scheduled' and state <> 'failed'"
            ).fetchall()
            there = new.execute(
                "select dag_id, extract(epoch from logical_date)::bigint from dag_run"
                " where run_type in ('scheduled', 'backfill') and created_dag_version_id in"
                " (select id from dag_version where bundle_version is distinct from 'beforemigration')"
            ).fetchall()
            plan = {
                row[0]: row[1:] for row in old.execute("select dag_id, period_s, catchup from bench_plan").fetchall()
            }
        both: dict[str, list[int]] = {}
        for dag_id, moment in (*ran, *there):
            both.setdefault(dag_id, []).append(moment)
        doubled = len(set(ran) & set(there)) + len(there) - len(set(there))
        gaps = 0
        for dag_id, moments in both.items():
            period, catchup = plan[dag_id]
            if catchup:
                gaps += (max(moments) - min(moments)) // period + 1 - len(set(moments))
        return len(set(ran) | set(there)), doubled, gaps


@contextmanager
def made(folder: Path, dags: int, *, runs: int, tasks: int, period: str, run_s: str = "1") -> Iterator[TwoAirflows]:
    """Make both for the time of the block. `period` and `run_s` are SQL over d, the number of a DAG: seconds."""
    cache = Path(os.environ.get("AERODROME_TEST_CACHE", Path.home() / ".cache" / "aerodrome" / "tests"))
    venvs = VenvStore(cache / "venvs")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = PostgresServer(folder / "postgres", port, password=new_password(), is_fast=True)
    try:
        server.start()
        urls: dict[SideName, str] = {}
        sizes = {
            "dags": dags,
            "runs": runs,
            "tasks": tasks,
            "period": period,
            "run_s": run_s,
            "base": int(time.time()),
        }
        for side, version in VERSIONS.items():
            urls[side] = server.create_database(side).reveal()
            migrate(venvs.ensure(VenvSpec(version, "3.11", ()), lambda _line: None), folder, urls[side])
            fill = _FILL_SOURCE if side == "source" else _FILL_TARGET
            script = _PLAN + _HISTORY + fill
            with psycopg.connect(plain(urls[side]), autocommit=True) as connection:
                for statement in script.format(**sizes).split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
                Worker(connection, side).parse(everything=True)
                connection.execute("analyze")
        with psycopg.connect(plain(urls["source"])) as connection:
            rows = connection.execute("select dag_id, period_s, catchup from bench_plan order by 1").fetchall()
        versions = versions_of(urls["source"], folder, [row[0] for row in rows])
        yield TwoAirflows(
            folder, server, urls, {row[0]: record(row[0], row[1], row[2], versions[row[0]]) for row in rows}
        )
    finally:
        server.delete()


def versions_of(url: str, folder: Path, dag_ids: list[str]) -> dict[str, str]:
    """Give the versions that a source tells of its DAGs, as an assessment keeps them."""
    config = SourceConfig("airflow-db", "old", Secret(url), Secret(""), folder / "dags")
    with closing(AirflowDatabaseSource(config, b"bench", SystemClock())) as source:
        return source.dag_versions(dag_ids)


def record(dag_id: str, period_s: int, catchup: bool, version: str) -> DagRecord:
    """Give what an estate would say of a DAG."""
    return DagRecord(
        dag_id=dag_id, file=f"{dag_id}.py", is_paused=False, is_active=True, schedule=f"timedelta:{period_s}",
        schedule_kind="timedelta", timetable=None, timezone="UTC", catchup=catchup, start_date=None, end_date=None,
        max_active_runs=1, max_active_tasks=16, owners=(), tags=(), description=None, task_count=1, tasks=(),
        depends_on_dags=(), datasets_in=(), datasets_out=(), pools=("default_pool",), queues=(), connections=(),
        variables=(), version=version, next_logical_date=None, next_interval_start=None, next_interval_end=None, next_run_after=None,
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("side", choices=("source", "target"))
    parser.add_argument("--ahead", type=float, default=0.0)
    wanted = parser.parse_args()
    while True:
        try:
            with psycopg.connect(plain(wanted.url), autocommit=True) as connection:
                Worker(connection, wanted.side, wanted.ahead).work()
        except psycopg.Error:
            time.sleep(0.5)  # its database was cut off: Airflow's processes come again as well


if __name__ == "__main__":
    main()
