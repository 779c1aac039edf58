"""A small part of the faults of `bench.chaos_cutover`, between a real Airflow 2.11.2 and a real 3.3.2 that schedule meanwhile.

Both run whole: scheduler, DAG processor, tasks. The platform's process is killed (-9) after the intent and before the outcome of
every kind of step; then the wave is walked to its end. Some DAGs fire every minute, some every 20 s; all catch up, so every
interval has to run once, on one side or the other.

    python -m bench.chaos_real [--dags 6]      last line: one JSON object
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench.chaos_cutover import KINDS, LIVES_AT_MOST, POINTS, Order
from bench.cutover import open_journal, steps_of
from bench.rig import load, note
from bench.two_airflows import VERSIONS, SideName, TwoAirflows
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from aerodrome.airflowkit.tokens import new_signing_key
from aerodrome.builds import BundleStore, VenvSpec, VenvStore
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.airflow_db.adapter import AirflowDatabaseSource
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.migration.transfer.handoff import SCHEDULER_OPTIONS
from aerodrome.migration.transfer.ownership import LEGACY
from aerodrome.runtimes.conformance import wait_until
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.runtimes.local.ports import DEFAULT_RANGE
from aerodrome.runtimes.local.postgres import PostgresServer, new_password
from aerodrome.runtimes.local.runtime import LocalRuntime

LIFE_S = 180.0
AFTER_S = 150.0
"""How long both sides live on after the last DAG has moved: some intervals of each."""
OPERATORS: dict[SideName, str] = {"source": "operators.empty", "target": "providers.standard.operators.empty"}
DAGS = """
from datetime import datetime, timedelta
from airflow import DAG
from airflow.{operators} import EmptyOperator

for number in range({count}):
    schedule = timedelta(seconds=20) if number % 3 == 2 else "* * * * *"
    with DAG(f"dag_{{number:05}}", schedule=schedule, start_date=datetime.fromisoformat("{start}"), catchup=True,
             max_active_runs=1) as dag:
        EmptyOperator(task_id="only")
    globals()[dag.dag_id] = dag
"""


def start(folder: Path, side: SideName, count: int, first: datetime) -> tuple[str, Secret]:
    """Start one Airflow; give the URL of its database and its Fernet key."""
    (folder / "project/dags").mkdir(parents=True)
    code = DAGS.format(operators=OPERATORS[side], count=count, start=first.isoformat())
    (folder / "project/dags/all.py").write_text(code)
    cache = Path(os.environ.get("AERODROME_TEST_CACHE", Path.home() / ".cache" / "aerodrome" / "tests"))
    venv = VenvStore(cache / "venvs").ensure(VenvSpec(VERSIONS[side], "3.11", ()), lambda _line: None)
    bundle = BundleStore(folder / "bundles").put(folder / "project")
    spec = RuntimeSpec(
        deployment_id="dep_chaos",
        generation=1,
        airflow_version=VERSIONS[side],
        python_version="3.11",
        venv=venv.path,
        project=bundle.path,
        bundle_digest=bundle.digest,
        fernet_key=Secret(Fernet.generate_key().decode()),
        signing_key=new_signing_key(),
        config=dict(SCHEDULER_OPTIONS) if side == "target" else {},
        parallelism=2,
    )
    half = len(DEFAULT_RANGE) // 2  # both start at once, each with a book of its own ports
    runtime = LocalRuntime(folder / "runtime", DEFAULT_RANGE[:half] if side == "source" else DEFAULT_RANGE[half:])
    runtime.apply(spec)
    wait_until(runtime, "dep_chaos", lambda seen: seen.health == "healthy", 240)
    return runtime.access(spec).database_url.reveal(), spec.fernet_key


def rows(url: str, statement: str) -> list[Any]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = list(connection.execute(text(statement)))
    engine.dispose()
    return found


def run(url: str, statement: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def until(what: str, url: str, statement: str, wanted: int, limit_s: float = 240) -> None:
    deadline = time.monotonic() + limit_s
    while rows(url, statement)[0][0] < wanted:
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {limit_s:.0f} s")
        time.sleep(1)


def owners(urls: dict[SideName, str]) -> tuple[int, int, int]:
    """Count, over both databases: intervals that ran, those that both sides ran, those of the schedule that nobody ran."""
    ran = rows(urls["source"], "select dag_id, execution_date from dag_run where run_type = 'scheduled'")
    there = rows(
        urls["target"],
        "select dag_id, logical_date from dag_run where run_type = 'scheduled' and created_dag_version_id in"
        f" (select id from dag_version where bundle_version is distinct from '{LEGACY}')",
    )
    old, new = ({(row[0], datetime.fromisoformat(str(row[1])[:19])) for row in side} for side in (ran, there))
    doubled, gaps = len(old & new) + len(there) - len(new), 0
    for dag_id in {dag_id for dag_id, _ in old | new}:
        moments = sorted(moment for each, moment in old | new if each == dag_id)
        period = timedelta(seconds=20 if int(dag_id[-5:]) % 3 == 2 else 60)
        gaps += (moments[-1] - moments[0]) // period + 1 - len(moments)
    return len(old | new), doubled, gaps


def torture(urls: dict[SideName, str], fernet_key: Secret, folder: Path, server: PostgresServer) -> dict[str, Any]:
    """Kill the platform at every kind of step, then walk the wave to its end."""
    config = SourceConfig("airflow-db", "old", Secret(urls["source"]), fernet_key, folder / "source/project/dags")
    source = AirflowDatabaseSource(config, b"bench", SystemClock())
    dags = {record.dag_id: record for record in source.records(lambda *_: None) if isinstance(record, DagRecord)}
    source.close()
    world = TwoAirflows(folder, server, urls, dags)
    store = open_journal(world, steps_of(world))
    store.close()
    order = folder / "order"
    order.write_bytes(pickle.dumps(Order(urls, server.url("platform").reveal(), folder, dags, {})))
    plan = [(kind, point) for kind in KINDS for point in POINTS]
    lives = killed = 0
    code = 1
    for kind, point in [*plan, *[("-", "-")] * LIVES_AT_MOST]:
        lives += 1
        note(f"life {lives}: {kind} {point}")
        process = subprocess.Popen([sys.executable, "-m", "bench.chaos_cutover", "--live", str(order), kind, point])
        try:
            code = process.wait(LIFE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        killed += code == -signal.SIGKILL
        if code == 0:
            break
    note("living on")
    time.sleep(AFTER_S)
    intervals, doubled, lost = owners(urls)
    live = rows(urls["target"], "select count(*) from dag where not is_paused and dag_id like 'dag_%'")[0][0]
    return {
        "faults": min(lives, len(plan)),
        "killed": killed,
        "is_done": code == 0,
        "dags": live,
        "intervals": intervals,
        "duplicates": doubled,
        "gaps": lost,
        "schedulers": "real 2.11.2 and 3.3.2",
        "load": load(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dags", type=int, default=6)
    wanted = parser.parse_args()
    first = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=2)
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as probe:
        folder, port = Path(name), probe.getsockname()[1]
        probe.close()
        server = PostgresServer(folder / "postgres", port, password=new_password(), is_fast=True)
        try:
            note("starting both Airflows")
            server.start()
            with ThreadPoolExecutor(2) as pool:
                sides: tuple[SideName, ...] = ("source", "target")
                made = {side: pool.submit(start, folder / side, side, wanted.dags, first) for side in sides}
                urls: dict[SideName, str] = {side: future.result()[0] for side, future in made.items()}
            for side in sides:
                until(f"DAGs of the {side}", urls[side], "select count(*) from dag", wanted.dags)
            run(urls["source"], "update dag set is_paused = false")
            until(
                "runs of the source",
                urls["source"],
                "select count(*) from dag_run where state = 'success'",
                wanted.dags,
            )
            note("cutting over")
            figures = torture(urls, made["source"].result()[1], folder, server)
        finally:
            for side in ("source", "target"):
                LocalRuntime(folder / side / "runtime").delete("dep_chaos")
            server.delete()
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
