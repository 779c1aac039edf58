"""How fast history moves: 10,000 runs with 100,000 task instances from an Airflow 2.11.2 to a 3.3.2 metadata database.

Prints one JSON line per database kind and a sentence. The databases are made by the real Airflows; only the history is
written by this file. Everything is measured: reading, mapping, writing, and the proof that reads all of it back.

    python bench/history_rows.py [--runs 10000] [--db sqlite|postgresql|both]
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from aerodrome.builds import Venv, VenvSpec, VenvStore
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase, move_history
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

TASKS = 10
DAGS = 20
SOURCE, TARGET = "2.11.2", "3.3.2"
DRIVERS = ("asyncpg", "psycopg2-binary")


def migrate(venv: Venv, home: Path, url: str) -> None:
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url.replace("+psycopg://", "+psycopg2://"),
        "PATH": f"{venv.path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
    }
    subprocess.run([venv.path / "bin" / "airflow", "db", "migrate"], env=settings, check=True, capture_output=True)


def fill(url: str, runs: int) -> list[str]:
    """Write the history of DAGS DAGs into the source: runs, task instances, an XCom per fifth task."""
    start = datetime(2025, 1, 1, tzinfo=UTC)
    dag_ids = [f"bench_{number:02}" for number in range(DAGS)]
    is_sqlite = url.startswith("sqlite")

    def moment(value: datetime) -> Any:
        return value.strftime("%Y-%m-%d %H:%M:%S.%f") if is_sqlite else value

    run_rows: list[dict[str, Any]] = []
    task_rows: list[dict[str, Any]] = []
    for number in range(runs):
        at = start + timedelta(hours=number // DAGS)
        common = {"dag_id": dag_ids[number % DAGS], "run_id": f"scheduled__{at.isoformat()}"}
        end = at + timedelta(hours=1)
        run_rows.append({**common, "at": moment(at), "end": moment(end), "done": moment(end + timedelta(seconds=40.5))})
        task_rows += [
            {
                **common,
                "task_id": f"task_{task}",
                "start": moment(end + timedelta(seconds=task)),
                "done": moment(end + timedelta(seconds=task + 3.25)),
            }
            for task in range(TASKS)
        ]
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into dag (dag_id, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs, "
                "has_task_concurrency_limits) values (:dag_id, :no, :yes, 16, 0, :no)"
            ),
            [{"dag_id": dag_id, "no": False, "yes": True} for dag_id in dag_ids],
        )
        connection.execute(
            text(
                "insert into dag_run (dag_id, run_id, run_type, state, execution_date, data_interval_start, "
                "data_interval_end, queued_at, start_date, end_date, external_trigger, clear_number) values "
                "(:dag_id, :run_id, 'scheduled', 'success', :at, :at, :end, :end, :end, :done, :no, 0)"
            ),
            [row | {"no": False} for row in run_rows],
        )
        connection.execute(
            text(
                "insert into task_instance (dag_id, run_id, task_id, map_index, try_number, max_tries, state, "
                "start_date, end_date, duration, hostname, unixname, pool, pool_slots, queue, priority_weight, "
                "operator, task_display_name) values (:dag_id, :run_id, :task_id, -1, 1, 2, 'success', :start, "
                ":done, 3.25, 'worker-7', 'airflow', 'default_pool', 1, 'default', 1, 'BashOperator', :task_id)"
            ),
            task_rows,
        )
    engine.dispose()
    return dag_ids


def add_dags(target: TargetDatabase, dag_ids: list[str]) -> None:
    with target.writing() as connection:
        connection.execute(text("insert into dag_bundle (name, active) values ('bench', :yes)"), {"yes": True})
        connection.execute(
            text(
                "insert into dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, max_active_tasks, "
                "max_consecutive_failed_dag_runs, has_task_concurrency_limits, partition_mapper_info) values "
                "(:dag_id, :yes, :no, 'bench', 'NullTimetable', 16, 0, :no, '[]')"
            ),
            [{"dag_id": dag_id, "yes": True, "no": False} for dag_id in dag_ids],
        )


def measure(kind: str, source_url: str, target_url: str, runs: int, folder: Path) -> dict[str, Any]:
    dag_ids = fill(source_url, runs)
    source = open_source(
        SourceConfig("airflow-db", "bench", Secret(source_url), Secret(""), dags_folder=folder), b"bench"
    )
    key = Secret(Fernet.generate_key().decode())
    target = TargetDatabase(AirflowAccess("", TARGET, Secret(target_url), key, Secret("")))
    add_dags(target, dag_ids)
    moved = move_history(source, target, dag_ids)
    again = move_history(source, target, dag_ids)
    source.close()
    target.close()
    return {
        "database": kind,
        "runs": moved.of("run").moved,
        "task_instances": moved.of("task_instance").moved,
        "is_proven": moved.is_proven,
        "seconds": round(moved.seconds, 2),
        "history_rows_per_s": round(moved.rows_per_s),
        "second_pass_rows_per_s": round(again.rows_per_s),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--db", choices=("sqlite", "postgresql", "both"), default="both")
    wanted = parser.parse_args()
    cache = Path(os.environ.get("AERODROME_TEST_CACHE", Path.home() / ".cache" / "aerodrome" / "tests"))
    venvs = VenvStore(cache / "venvs")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        pair = [
            venvs.ensure(VenvSpec(version, "3.11", DRIVERS), lambda line: print(line, file=sys.stderr))
            for version in (SOURCE, TARGET)
        ]
        for kind in ("sqlite", "postgresql") if wanted.db == "both" else (wanted.db,):
            if kind == "sqlite":
                urls = [f"sqlite:///{folder / name}.db" for name in ("source", "target")]
            else:
                with socket.create_server(("127.0.0.1", 0)) as probe:
                    port = probe.getsockname()[1]
                server = PostgresServer(folder / "postgres", port, password=new_password(), is_fast=True)
                stack.callback(server.delete)
                server.start()
                urls = [server.create_database(name).reveal() for name in ("source", "target")]
            for venv, url in zip(pair, urls, strict=True):
                migrate(venv, folder, url)
            result = measure(kind, urls[0], urls[1], wanted.runs, folder)
            print(json.dumps(result))
            print(
                f"{kind}: {result['history_rows_per_s']:,} rows of history a second, each read back and compared.",
                file=sys.stderr,
            )


if __name__ == "__main__":
    main()
