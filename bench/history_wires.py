"""How fast history moves from a source whose database nobody reaches: an exporter's archive, and the Starship plugin. One JSON line each.

As bench/history.py measures the others: a real Airflow 2.11.2, a real 3.3.2 on PostgreSQL, and a plain COPY of the rows that
moved. The archive is written by the exporter in the source's own Python before the clock starts; unpacking it counts. Starship
2.10.1 runs in the source's web server, whose work does not count; its XComs are read apart, a call each.

    python -m bench.history_wires [--dags 100] [--runs 100] [--tasks 10] [--db archive|starship]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path

from bench import rest
from bench.history import CACHE, fill, free_port, measure
from bench.history_rows import DRIVERS, SOURCE, TARGET, migrate
from bench.rig import note
from cryptography.fernet import Fernet

from aerodrome.builds import Venv, VenvSpec, VenvStore
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.airflow_archive.script import exporter
from aerodrome.migration.sources.airflow_archive.sealing import new_key, public_half
from aerodrome.migration.sources.contract import AnySourceConfig, ArchiveConfig, RestConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

PLUGIN = "astronomer-starship==2.10.1"
KINDS = ("archive", "starship")
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


def calls(config: AnySourceConfig, dag_ids: list[str]) -> dict[str, float]:
    """Read the XComs alone: a call for each task instance that has some, beside the lists."""
    with closing(open_source(config, b"bench")) as source:
        started = time.monotonic()
        batches = list(source.history("xcom", HistoryWindow(tuple(dag_ids))))
        seconds = time.monotonic() - started
    rows = [row for batch in batches for row in batch.rows]
    made = len({row[:4] for row in rows})
    return {"xcoms": len(rows), "xcom_seconds": round(seconds, 2), "xcom_calls_per_s": round(made / seconds)}


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
        server = PostgresServer(
            folder / "postgres", free_port(), password=new_password(), settings="max_wal_size = 4GB\n"
        )
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
                address = stack.enter_context(rest.serving(old, home, url, free_port(), password, 4))
                options = home / "airflow.cfg"  # tells that there is no XCom backend of its own: then XComs come, too
                config = RestConfig(
                    "bench", address, rest.USER, password, Secret(""), folder, config_file=options, kind="starship"
                )
            note(f"{kind}: moving")
            without: tuple[HistoryKind, ...] = ("xcom",) if kind == "starship" else ()  # as the plan that is proposed
            line = measure(kind, config, open_target, dag_ids, folder, server.pid() or 0, without=without)
            if kind == "starship":
                line |= calls(config, dag_ids)
            print(json.dumps(line))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
