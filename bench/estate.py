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
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench import estate_rows as rows
from bench.estate_dags import Size, write_files
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from aerodrome.builds import Venv, VenvSpec, VenvStore
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

VERSION = "2.11.2"
START = datetime(2026, 1, 1, tzinfo=UTC)
DAGS_AT_ONCE = 250


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
        with rows.transaction(connection):
            rows.objects(connection, size, fernet_key)
            rows.dags(connection, size, is_sqlite=is_sqlite)
        large = ("dag_run", "task_instance", "xcom")
        with rows.without_indexes(connection, large, note, is_sqlite=is_sqlite), rows.transaction(connection):
            note("runs")
            rows.patterns(connection, size, is_sqlite=is_sqlite)
            connection.execute(text(rows.RUNS))
            note("task instances")
            total = connection.scalar(text("select count(*) from dag")) or 0
            for start in range(0, total, DAGS_AT_ONCE):  # sorted for the primary key, within memory
                connection.execute(text(rows.TASKS), {"start": start, "amount": DAGS_AT_ONCE})
            note("XComs")
            connection.execute(text(rows.XCOMS), {"every": size.xcom_every, "value": b'"s3://lake/part"'})
            for name in ("bench_run", "bench_task"):
                connection.execute(text(f"drop table {name}"))
        note("statistics")
        connection.execute(text("analyze" if is_sqlite else "vacuum analyze"))
    engine.dispose()


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
