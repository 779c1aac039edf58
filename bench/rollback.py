"""The way back from Airflow 3.3.2 to 2.11.2 with a million task instances on PostgreSQL, timed as its owner feels it.

A deployment-like database is made by bulk SQL on the real 2.11.2 schema, snapshotted and upgraded by Airflow 3.3.2 itself. Then
comes a day's work under 3.3 (more runs, task instances, XComs; some old ones cleared), 3.3.2 really runs, and we go back:
`seconds` is from the stop of 3.3.2 until 2.11.2 is healthy on its database, the newer database's own snapshot included.
The restore of the older snapshot happened before the stop (`prepare_seconds`), while 3.3.2 still ran.

    python bench/rollback.py [--task-instances 1000000] [--unprepared]      last line: one JSON object
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from aerodrome import databases
from aerodrome.airflowkit.tokens import new_signing_key
from aerodrome.builds import VenvSpec, VenvStore
from aerodrome.databases import AirflowTool
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.runtimes.local.postgres import PostgresServer, new_password
from aerodrome.runtimes.local.runtime import LocalRuntime

OLDER, NEWER = "2.11.2", "3.3.2"
DAGS, TASKS = 100, 20
SINCE_RUNS = 1000
_LEFT_TO_AIRFLOW = (
    "dag",
    "serialized_dag",
    "dag_code",
    "session",
    "job",
    "dag_priority_parsing_request",
    "log_template",
)
_DAG = """\
import datetime
from airflow import DAG
try:
    from airflow.providers.standard.operators.empty import EmptyOperator
except ImportError:
    from airflow.operators.empty import EmptyOperator

with DAG("bench_live", schedule=None, start_date=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)):
    EmptyOperator(task_id="nothing")
"""
_FILL = """
insert into dag (dag_id, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs, has_task_concurrency_limits)
    select 'bench_' || d, true, true, 16, 0, false from generate_series(1, {dags}) d;
insert into dag_run (dag_id, execution_date, run_id, state, run_type, external_trigger, conf, queued_at, start_date, end_date,
                     data_interval_start, data_interval_end, log_template_id, updated_at)
    select 'bench_' || d, at, 'scheduled__' || to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS'), 'success', 'scheduled', false,
           '\\x80057d942e'::bytea, at, at, at + interval '9 minutes', at, at + interval '1 hour',
           (select min(id) from log_template), at + interval '9 minutes'
    from generate_series(1, {dags}) d, lateral (select timestamptz '2024-01-01' + n * interval '1 hour' as at
                                                from generate_series(1, {runs}) n) t;
insert into task_instance (task_id, dag_id, run_id, map_index, start_date, end_date, duration, state, try_number, max_tries, hostname,
                           unixname, job_id, pool, pool_slots, queue, priority_weight, operator, queued_dttm, queued_by_job_id, pid,
                           executor_config, updated_at, task_display_name)
    select 'task_' || t, r.dag_id, r.run_id, -1, r.start_date, r.end_date, 540, 'success', 1, 0, 'worker-' || t, 'airflow',
           r.id * 20 + t, 'default_pool', 1, 'default', 1, 'PythonOperator', r.start_date, 1, 4000 + t, '\\x80057d942e'::bytea,
           r.end_date, 'task_' || t
    from dag_run r, generate_series(1, {tasks}) t;
insert into xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)
    select r.id, 'task_' || t, -1, 'return_value', r.dag_id, r.run_id,
           convert_to('{{"rows": ' || r.id || ', "path": "s3://bucket/' || md5(r.id::text) || '"}}', 'UTF8'), r.end_date
    from dag_run r, generate_series(1, {tasks}, 2) t;
insert into rendered_task_instance_fields (dag_id, task_id, run_id, map_index, rendered_fields)
    select r.dag_id, 'task_' || t, r.run_id, -1, '{{"op_args": "[]", "op_kwargs": {{"day": "2026-01-01"}}}}'
    from dag_run r, generate_series(1, {tasks}) t where r.execution_date > (select max(execution_date) from dag_run) - interval '30 hours';
insert into task_instance_history (task_id, dag_id, run_id, map_index, try_number, start_date, end_date, duration, state, pool, pool_slots,
                                   updated_at)
    select 'task_1', dag_id, run_id, -1, 0, start_date, end_date, 60, 'failed', 'default_pool', 1, end_date from dag_run where id % 5 = 0;
insert into log (dttm, dag_id, task_id, map_index, event, execution_date, run_id, owner, extra, try_number)
    select start_date, dag_id, task_id, -1, 'running', start_date, run_id, 'airflow', null, 1 from task_instance where pid % 2 = 0;
insert into dag_run_note (dag_run_id, content, created_at, updated_at)
    select id, 'looked at by hand', end_date, end_date from dag_run where id % 50 = 0;
insert into variable (key, val, is_encrypted) select 'bench_' || n, 'value ' || n, false from generate_series(1, 500) n;
"""
_SINCE = """
insert into dag_run (dag_id, logical_date, run_id, state, run_type, queued_at, start_date, end_date, run_after, created_at, updated_at,
                     triggered_by, conf, span_status)
    select 'bench_' || (1 + n % {dags}), case when n % 4 > 0 then now() + n * interval '1 second' end, 'manual__bench_' || n, 'success',
           'manual', now(), now(), now(), now(), now(), now(), 'REST_API', '{{"n": 1}}', 'not_started'
    from generate_series(1, {runs}) n;
insert into task_instance (id, task_id, dag_id, run_id, map_index, start_date, end_date, duration, state, try_number, max_tries, pool,
                           pool_slots, queue, priority_weight, operator, executor_config, updated_at, task_display_name, span_status)
    select gen_random_uuid(), 'task_' || t, r.dag_id, r.run_id, -1, now(), now(), 1, 'success', 1, 0, 'default_pool', 1, 'default', 1,
           'PythonOperator', '\\x80057d942e'::bytea, now(), 'task_' || t, 'not_started'
    from dag_run r, generate_series(1, {tasks}) t where r.run_id like 'manual__bench_%';
insert into xcom (dag_run_id, task_id, map_index, key, dag_id, run_id, value, timestamp)
    select r.id, 'task_' || t, -1, 'return_value', r.dag_id, r.run_id, jsonb_build_object('made', r.id), now()
    from dag_run r, generate_series(1, {tasks}) t where r.run_id like 'manual__bench_%';
insert into log (dttm, dag_id, task_id, map_index, event, run_id, owner) select now(), dag_id, task_id, -1, 'success', run_id, 'airflow'
    from task_instance where run_id like 'manual__bench_%';
"""


@dataclass(frozen=True)
class Bench:
    """What one measurement works with."""

    folder: Path
    server: PostgresServer
    runtime: LocalRuntime
    older: RuntimeSpec
    newer: RuntimeSpec
    url: Secret
    figures: dict[str, Any]

    def timed(self, name: str, act: Callable[[], Any]) -> Any:
        started = time.monotonic()
        result = act()
        self.figures[name] = round(time.monotonic() - started, 2)
        say(f"{name}: {self.figures[name]}")
        return result


def say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def connect(url: Secret) -> psycopg.Connection[Any]:
    return psycopg.connect(url.reveal().replace("+psycopg", ""), autocommit=True)


def run_sql(url: Secret, script: str) -> None:
    with connect(url) as connection:
        for statement in script.split(";\n"):
            if statement.strip():
                connection.execute(statement.encode())


def make(folder: Path) -> Bench:
    """Start a server with ordinary, durable settings and name the two deployments; nothing is in the database yet."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    server = PostgresServer(folder / "pg", port, password=new_password())
    server.start()
    url = server.create_database("airflow")
    cache = Path(os.environ.get("AERODROME_TEST_CACHE", Path.home() / ".cache" / "aerodrome" / "tests"))
    venvs = VenvStore(cache / "venvs")
    project = folder / "project"
    (project / "dags").mkdir(parents=True)
    (project / "dags" / "live.py").write_text(_DAG)
    older = RuntimeSpec(
        deployment_id="dep_bench",
        generation=1,
        airflow_version=OLDER,
        python_version="3.11",
        venv=venvs.ensure(VenvSpec(OLDER, "3.11", ()), lambda _line: None).path,
        project=project,
        bundle_digest="1",
        fernet_key=Secret(Fernet.generate_key().decode()),
        signing_key=new_signing_key(),
        database_url=url,
        parallelism=1,
    )
    venv = venvs.ensure(VenvSpec(NEWER, "3.11", ()), lambda _line: None).path
    newer = replace(older, generation=2, airflow_version=NEWER, venv=venv)
    return Bench(folder, server, LocalRuntime(folder / "deployments"), older, newer, url, {})


def until_healthy(bench: Bench, spec: RuntimeSpec) -> None:
    """Start this Airflow and wait until all its components are healthy."""
    bench.runtime.apply(spec)
    deadline = time.monotonic() + 300
    wanted = ("healthy", spec.generation, spec.airflow_version)
    while ((seen := bench.runtime.observe(spec.deployment_id)).health, seen.generation, seen.airflow_version) != wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"Airflow {spec.airflow_version} did not become healthy: {seen.reasons}")
        time.sleep(0.2)


def lost_rows(before: Secret, after: Secret) -> int:
    """Count the rows of every table of `before` that are not, equal in every column, in `after`."""
    lost = 0
    with connect(before) as old, connect(after) as new:
        tables = [
            row[0] for row in old.execute("select tablename from pg_tables where schemaname = 'public' order by 1")
        ]
        for table in tables:
            if table in _LEFT_TO_AIRFLOW:
                continue
            query = f'copy (select md5(t::text) from "{table}" t) to stdout'
            new.execute("set work_mem = '256MB'")
            new.execute("create temp table theirs (digest text)")
            with old.cursor().copy(query.encode()) as source, new.cursor().copy("copy theirs from stdin") as target:
                for block in source:
                    target.write(block)
            statement = f"""select count(*) from (
                select digest from theirs except all select md5(t::text) from "{table}" t) missing"""
            row = new.execute(statement.encode()).fetchone()
            if row and row[0]:
                say(f"{table}: {row[0]} rows of before are not there as they were")
                lost += row[0]
            new.execute("drop table theirs")
    return lost


def measure(bench: Bench, task_instances: int, *, is_prepared: bool) -> None:
    """Walk the whole way and fill in the figures."""
    runs = max(1, task_instances // (DAGS * TASKS))
    until_healthy(bench, bench.older)
    bench.runtime.stop("dep_bench", grace_s=20)
    bench.timed("fill_seconds", lambda: run_sql(bench.url, _FILL.format(dags=DAGS, runs=runs, tasks=TASKS)))
    with connect(bench.url) as connection:
        connection.execute("vacuum analyze")
        size = connection.execute("select pg_database_size('airflow')").fetchone()
    bench.figures["database_mb"] = round((size[0] if size else 0) / 1e6)
    bench.server.create_database("before", template="airflow")
    older_snapshot = bench.folder / "snapshot-2"
    taken = bench.timed("snapshot_seconds", lambda: bench.runtime.snapshot(bench.older, older_snapshot, say))
    bench.figures["snapshot_mb"] = round(taken.size_bytes / 1e6, 1)
    bench.timed("upgrade_seconds", lambda: bench.runtime.convert(bench.older, bench.newer, None, say))
    run_sql(bench.url, _SINCE.format(dags=DAGS, runs=SINCE_RUNS, tasks=TASKS))
    until_healthy(bench, bench.newer)
    say("Airflow 3.3.2 runs on it.")
    bench.timed("rehearsal_seconds", lambda: rehearse(bench, older_snapshot))
    if is_prepared:
        bench.timed("prepare_seconds", lambda: databases.prepare_way_back(older_snapshot, bench.url, say))
    bench.timed("seconds", lambda: walk_back(bench, older_snapshot))
    bench.figures["lost_rows_before_upgrade"] = lost_rows(bench.server.url("before"), bench.url)
    with connect(bench.url) as connection:
        row = connection.execute(
            "select count(*) from task_instance where run_id like 'manual\\_\\_bench\\_%'"
        ).fetchone()
    bench.figures["carried_task_instances"] = row[0] if row else 0


def rehearse(bench: Bench, older_snapshot: Path) -> None:
    """Walk the way back on a copy and start 2.11.2 there; the newer database is only read."""
    tool = AirflowTool(OLDER, bench.older.venv, {"HOME": str(bench.folder), "LANG": "C.UTF-8"})
    with databases.scratch(bench.url) as copy:
        databases.go_back(older_snapshot, bench.url, copy, tool, NEWER, say)
        assert bench.older.project is not None
        tried = databases.try_scheduling(copy, tool, bench.older.project, say)
    if not tried.is_ok:
        raise SystemExit(f"the rehearsal failed: {tried.reasons} {tried.log_tail}")


def walk_back(bench: Bench, older_snapshot: Path) -> None:
    """Stop 3.3.2, keep its database, convert, start 2.11.2, as a rollback does."""
    bench.timed("stop_seconds", lambda: bench.runtime.stop("dep_bench", grace_s=20))
    bench.timed(
        "archive_seconds", lambda: bench.runtime.snapshot(bench.newer, bench.folder / "snapshot-3", lambda _line: None)
    )
    after = replace(bench.older, generation=3)
    done = bench.timed("convert_seconds", lambda: bench.runtime.convert(bench.newer, after, older_snapshot, say))
    loss = done.loss or {}
    bench.figures["archived"] = sum(one["count"] for one in loss.get("archived", ()))
    bench.timed("start_seconds", lambda: until_healthy(bench, after))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task-instances", type=int, default=1_000_000)
    parser.add_argument("--unprepared", action="store_true", help="restore the older snapshot after the stop, too")
    wanted = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # tidy up then, too
    folder = Path(tempfile.mkdtemp(prefix="aerodrome-rollback-", dir="/var/tmp" if os.geteuid() == 0 else None))
    folder.chmod(0o711)
    bench = make(folder)
    bench.figures["task_instances"] = wanted.task_instances
    started = datetime.now(UTC)
    try:
        measure(bench, wanted.task_instances, is_prepared=not wanted.unprepared)
    finally:
        bench.runtime.delete("dep_bench")
        bench.server.delete()
        shutil.rmtree(folder, ignore_errors=True)
    bench.figures["minutes_in_all"] = round((datetime.now(UTC) - started).total_seconds() / 60, 1)
    sys.stdout.write(json.dumps(bench.figures) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
