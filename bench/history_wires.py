"""How fast history moves from a source whose database nobody reaches: an exporter's archive, and the Starship plugin. One JSON line each.

As bench/history.py measures the others: a real Airflow 2.11.2, a real 3.3.2 on PostgreSQL, and a plain COPY of the rows that
moved. The archive is written by the exporter in the source's own Python before the clock starts; unpacking it counts. Starship
2.10.1 runs in the source's web server, whose work does not count.

    python -m bench.history_wires [--dags 100] [--runs 100] [--tasks 10] [--db archive|starship]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

from bench import rest
from bench.history import CACHE, Meter, _port, _rows, copy_plainly, fill
from bench.history_rows import DRIVERS, SOURCE, TARGET, add_dags, migrate
from bench.rig import load, note
from cryptography.fernet import Fernet

from aerodrome.builds import Venv, VenvSpec, VenvStore
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive.script import exporter
from aerodrome.migration.sources.airflow_archive.sealing import new_key, public_half
from aerodrome.migration.sources.contract import AnySourceConfig, ArchiveConfig, RestConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import FileCheckpoint, TargetDatabase, move_history
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

PLUGIN = "astronomer-starship==2.10.1"
KINDS = ("archive", "starship")
LEFT = {"archive": set(), "starship": {"xcom"}}
"""What stays behind, said with a reason: Starship gives XComs one by one only."""
MOST_DAGS = {"archive": 4072, "starship": 20}
"""Over Starship at most so many DAGs move: a web server of Airflow takes long over each row."""


def exported(venv: Venv, home: Path, url: str) -> ArchiveConfig:
    """Let the exporter run in the source's Python."""
    key, script, archive = new_key(), home / "exporter.py", home / "bench.aerodrome"
    script.write_text(exporter(public_half(key)))
    (home / "dags").mkdir(exist_ok=True)
    env = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": url.replace("+psycopg://", "+psycopg2://"),
        "PATH": f"{venv.path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
    }
    subprocess.run(
        [venv.path / "bin" / "python", "-W", "ignore", script, "--out", archive],
        env=env,
        check=True,
        capture_output=True,
    )
    return ArchiveConfig("bench", archive, key, home / "unpacked")


def measure(
    kind: str,
    config: AnySourceConfig,
    open_target: Callable[[str], TargetDatabase],
    dag_ids: list[str],
    folder: Path,
    server: int,
) -> dict[str, Any]:
    """Move, copy plainly, and move once more; the work of the target's server counts besides ours."""
    with (
        closing(open_source(config, b"bench")) as source,
        closing(open_target(f"{kind}_target")) as target,
        closing(open_target(f"{kind}_plain")) as plain,
    ):
        for database in (target, plain):
            add_dags(database, dag_ids)
        with Meter(server) as moving:
            moved = move_history(source, target, dag_ids, checkpoint=FileCheckpoint(folder / f"{kind}.json"))
        copy_plainly(target, plain, ["dag_version"])  # what the rows name
        with Meter(server) as copying:
            copied = copy_plainly(target, plain)
        with Meter(server) as second:
            again = move_history(source, target, dag_ids)
    rows = _rows(moved)
    assert copied == rows, f"{copied} rows were copied and {rows} moved"
    assert all(item.moved == 0 and (item.failed_count == 0 or item.kind in LEFT[kind]) for item in again.kinds)
    return {
        "source": kind,
        "rows": rows,
        "seconds": round(moving.seconds, 2),
        "rows_per_s": round(rows / moving.seconds),
        "copy_rows_per_s": round(rows / copying.seconds),
        "copy_ratio": round(copying.seconds / moving.seconds, 2),
        "cpu_s_per_1000_rows": round(moving.cpu_s / rows * 1000, 4),
        "own_cpu_s_per_1000_rows": round(moving.own_cpu_s / rows * 1000, 4),
        "hashes_equal": moved.is_proven and again.is_proven,
        "peak_mb": round(moving.peak_mb),
        "second_pass_rows_per_s": round(rows / second.seconds),
        "load": load(),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dags", type=int, default=100)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--db", choices=KINDS, action="append")
    wanted = parser.parse_args()
    venvs = VenvStore(CACHE / "venvs")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        new = venvs.ensure(VenvSpec(TARGET, "3.11", DRIVERS), note)
        server = PostgresServer(folder / "postgres", _port(), password=new_password(), settings="max_wal_size = 4GB\n")
        stack.callback(server.delete)
        server.start()
        (folder / "new").mkdir()
        migrate(new, folder / "new", server.create_database("airflow3").reveal())
        key = Secret(Fernet.generate_key().decode())

        def open_target(name: str) -> TargetDatabase:
            url = server.create_database(name, template="airflow3")
            return TargetDatabase(AirflowAccess("", TARGET, url, key, Secret("")))

        for kind in wanted.db or KINDS:
            home = folder / kind
            home.mkdir()
            drivers = (*DRIVERS, PLUGIN) if kind == "starship" else DRIVERS
            old = venvs.ensure(VenvSpec(SOURCE, "3.11", drivers), note)
            url = server.create_database(f"source_{kind}").reveal()
            note(f"{kind}: making the source")
            migrate(old, home, url)
            dag_ids = fill(url, min(wanted.dags, MOST_DAGS[kind]), wanted.runs, wanted.tasks)
            if kind == "archive":
                config: AnySourceConfig = exported(old, home, url)
            else:
                password = new_password()
                address = stack.enter_context(rest.serving(old, home, url, _port(), password, 4))
                config = RestConfig("bench", address, rest.USER, password, Secret(""), folder, kind="starship")
            note(f"{kind}: moving")
            print(json.dumps(measure(kind, config, open_target, dag_ids, folder, server.pid() or 0)))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
