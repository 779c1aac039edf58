"""How fast history moves, against a plain COPY of the same rows in the same run. One JSON line per kind of source.

The source is the metadata database of a real Airflow 2.11.2 on PostgreSQL, SQLite or MariaDB, the target that of a real
3.3.2 on PostgreSQL. `rest` is the same Airflow without its database: its web server answers. `make bench-history` moves runs, task instances, tries and XComs with mapping, checkpoints and proof, then copies
the very rows that stand in the target into a second database of a 3.3.2: the same tables, indexes and foreign keys, one
COPY per table, nothing checked. `copy_ratio` is the one speed by the other.

    make bench-history ARGS="--dags 4072 --db postgresql"        the full size: 4,072 DAGs x 100 runs x 10 task instances
"""

from __future__ import annotations

import argparse
import json
import pickle
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import psutil
from bench import mysql as mariadb
from bench import rest
from bench.history_rows import DRIVERS, SOURCE, TARGET, add_dags, migrate
from bench.rig import load, note
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, text

from aerodrome.builds import VenvSpec, VenvStore
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HistoryKind
from aerodrome.migration.sources.contract import AnySourceConfig, RestConfig, SourceConfig
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import FileCheckpoint, HistoryMoved, TargetDatabase, move_history
from aerodrome.migration.transfer.relay import cursor_on, relay
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.runtimes.local.postgres import PostgresServer, new_password

CACHE = Path.home() / ".cache" / "aerodrome" / "tests"
START = datetime(2025, 1, 1, tzinfo=UTC)
TABLES = ("dag_run", "task_instance", "task_instance_history", "xcom")
KINDS = ("postgresql", "sqlite", "mysql", "rest")
REST_DAGS = 20
"""Over REST at most so many DAGs move: a web server of Airflow takes long over each row."""
EVERY_TRY, EVERY_XCOM, EVERY_NOTE = 20, 5, 10
NO_CONF = pickle.dumps({})
Rows = dict[str, list[dict[str, Any]]]

RUN = {
    "run_type": "scheduled", "state": "success", "external_trigger": False, "clear_number": 0, "conf": NO_CONF,
}  # fmt: skip
TASK = {
    "map_index": -1, "max_tries": 2, "hostname": "worker-7", "unixname": "airflow", "pool": "default_pool",
    "pool_slots": 1, "queue": "default", "priority_weight": 1, "operator": "BashOperator",
    "executor_config": NO_CONF,
}  # fmt: skip


def history(dags: int, runs: int, tasks: int) -> Iterator[Rows]:
    """Give the rows of the source's tables, DAG by DAG: a try per 20th task instance, an XCom per 5th, a note per 10th run."""
    run_id = task = 0
    for number in range(dags):
        rows: Rows = {name: [] for name in (*TABLES, "dag_run_note")}
        for hour in range(runs):
            run_id += 1
            at = START + timedelta(hours=hour)
            end = at + timedelta(hours=1)
            key = {"dag_id": f"bench_{number:05}", "run_id": f"scheduled__{at.isoformat()}"}
            rows["dag_run"].append(
                {**key, **RUN, "id": run_id, "execution_date": at, "data_interval_start": at, "data_interval_end": end,
                 "queued_at": end, "start_date": end, "end_date": end + timedelta(seconds=40.5), "updated_at": end}
            )  # fmt: skip
            if run_id % EVERY_NOTE == 0:
                rows["dag_run_note"].append(
                    {"dag_run_id": run_id, "content": f"Seen {run_id}", "created_at": end, "updated_at": end}
                )
            for place in range(tasks):
                task += 1
                started = end + timedelta(seconds=place)
                row = {
                    **key, **TASK, "task_id": f"task_{place}", "task_display_name": f"task_{place}", "try_number": 1,
                    "state": "success", "start_date": started, "end_date": started + timedelta(seconds=3.25),
                    "duration": 3.25, "queued_dttm": end, "updated_at": end,
                }  # fmt: skip
                if task % EVERY_TRY == 0:
                    rows["task_instance_history"].append(row | {"state": "failed"})
                    row["try_number"] = 2
                if task % EVERY_XCOM == 0:
                    rows["xcom"].append(
                        {**key, "dag_run_id": run_id, "task_id": row["task_id"], "map_index": -1, "key": "return_value",
                         "value": b'{"rows": %d, "share": 0.25}' % task, "timestamp": started}
                    )  # fmt: skip
                rows["task_instance"].append(row)
        yield rows


def fill(url: str, dags: int, runs: int, tasks: int) -> list[str]:
    """Write the history into a source that a real Airflow made, and give the ids of its DAGs."""
    dag_ids = [f"bench_{number:05}" for number in range(dags)]
    is_postgres, is_mysql = url.startswith("postgresql"), url.startswith("mysql")
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "insert into dag (dag_id, is_paused, is_active, max_active_tasks, max_consecutive_failed_dag_runs, "
                "has_task_concurrency_limits) values (:dag_id, :no, :yes, 16, 0, :no)"
            ),
            [{"dag_id": dag_id, "no": False, "yes": True} for dag_id in dag_ids],
        )
        raw: Any = connection.connection.driver_connection
        cursor = raw.cursor()
        for rows in history(dags, runs, tasks):
            for table, found in rows.items():
                if not found:
                    continue
                columns = list(found[0])
                quote = "`" if is_mysql else '"'
                quoted = ", ".join(f"{quote}{name}{quote}" for name in columns)
                if is_postgres:
                    with cursor.copy(f"copy {table} ({quoted}) from stdin") as copy:
                        for row in found:
                            copy.write_row([row[name] for name in columns])
                    continue
                marks = ", ".join(("%s" if is_mysql else "?",) * len(columns))
                values = [tuple(_plain(row[name]) for name in columns) for row in found]
                cursor.executemany(f"insert into {table} ({quoted}) values ({marks})", values)
        cursor.close()
    if is_postgres:  # as a database in use: an autovacuum has seen its rows
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("vacuum (analyze)"))
    engine.dispose()
    return dag_ids


def _plain(value: Any) -> Any:
    """Give a moment as SQLite and MySQL store it: naive, in UTC."""
    return value.strftime("%Y-%m-%d %H:%M:%S.%f") if isinstance(value, datetime) else value


class Meter:
    """Measures a stretch: seconds, CPU seconds of this process (`own_cpu_s`) and with the servers (`cpu_s`), the most memory it had."""

    def __init__(self, *servers: int) -> None:
        self._servers = servers
        self._ended = threading.Event()
        self.peak_mb = self.seconds = self.cpu_s = self.own_cpu_s = 0.0

    def __enter__(self) -> Self:
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        self._own, self._cpu, self._start = time.process_time(), self._spent(), time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._start
        self.cpu_s = self._spent() - self._cpu
        self.own_cpu_s = time.process_time() - self._own
        self._ended.set()
        self._watch.join()

    def _look(self) -> None:
        own = psutil.Process()
        while not self._ended.wait(0.05):
            self.peak_mb = max(self.peak_mb, own.memory_info().rss / 2**20)

    def _spent(self) -> float:
        """A server's children that ended count in its own times."""
        own = psutil.Process().cpu_times()
        total = own.user + own.system
        for pid in self._servers:
            process = psutil.Process(pid)
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
            for child in process.children():
                try:
                    of_child = child.cpu_times()
                except psutil.NoSuchProcess:
                    continue
                total += of_child.user + of_child.system
        return total


LEFT = {"rest": ("task_try", "xcom")}
"""What stays behind, said with a reason and a number: it gives it one by one only."""


def copy_plainly(source: TargetDatabase, target: TargetDatabase, tables: Sequence[str] = TABLES) -> int:
    """COPY every row of the history's tables, whole tables at a time; give how many."""
    rows = 0
    with (
        source.reading() as reading,
        target.writing() as writing,
        cursor_on(reading, "source") as coming,
        cursor_on(writing, "target") as going,
    ):
        coming.execute("set local enable_seqscan = on")
        for table in tables:
            names = ", ".join(f'"{name}"' for name in sorted(source.columns(table)))
            relay(
                coming, f"copy {table} ({names}) to stdout (format binary)",
                going, f"copy {table} ({names}) from stdin (format binary)",
            )  # fmt: skip
            rows += going.rowcount
    return rows


def measure(
    kind: str, config: AnySourceConfig, open_target: Callable[[str], TargetDatabase], dag_ids: list[str], folder: Path,
    *servers: int, without: Sequence[HistoryKind] = (),
) -> dict[str, Any]:  # fmt: skip
    """Move, copy plainly, and move once more; `servers` are the processes whose work counts besides ours."""
    with (
        closing(open_source(config, b"bench")) as source,
        closing(open_target(f"{kind}_target")) as target,
        closing(open_target(f"{kind}_plain")) as plain,
    ):
        for database in (target, plain):
            add_dags(database, dag_ids)
        with Meter(*servers) as moving:
            checkpoint = FileCheckpoint(folder / f"{kind}.json")
            moved = move_history(source, target, dag_ids, checkpoint=checkpoint, without=without)
        copy_plainly(target, plain, ["dag_version"])  # what the rows name
        with Meter(*servers) as copying:
            copied = copy_plainly(target, plain)
        with Meter(*servers) as second:
            again = move_history(source, target, dag_ids, without=without)
    rows = _rows(moved)
    assert copied == rows, f"{copied} rows were copied and {rows} moved"
    left = LEFT.get(kind, ())
    assert all(item.moved == 0 and (item.failed_count == 0 or item.kind in left) for item in again.kinds)
    return {
        "source": kind,
        "rows": rows,
        "seconds": round(moving.seconds, 2),
        "rows_per_s": round(rows / moving.seconds),
        "copy_rows_per_s": round(rows / copying.seconds),
        "copy_ratio": round(copying.seconds / moving.seconds, 2),
        "cpu_s_per_1000_rows": round(moving.cpu_s / rows * 1000, 4),
        "own_cpu_s_per_1000_rows": round(moving.own_cpu_s / rows * 1000, 4),
        "copy_cpu_s_per_1000_rows": round(copying.cpu_s / rows * 1000, 4),
        "hashes_equal": moved.is_proven and again.is_proven,
        "peak_mb": round(moving.peak_mb),
        "second_pass_rows_per_s": round(rows / second.seconds),
        "load": load(),
    }


def _rows(moved: HistoryMoved) -> int:
    return sum(item.moved for item in moved.kinds)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dags", type=int, default=100)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=10)
    parser.add_argument("--db", choices=KINDS, action="append")
    parser.add_argument("--workers", type=int, default=4, help="of the web server for rest; Airflow's own default")
    wanted = parser.parse_args()
    venvs = VenvStore(CACHE / "venvs")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "old").mkdir()
        (folder / "new").mkdir()
        old = venvs.ensure(VenvSpec(SOURCE, "3.11", DRIVERS), note)
        new = venvs.ensure(VenvSpec(TARGET, "3.11", DRIVERS), note)
        server = PostgresServer(
            folder / "postgres", free_port(), password=new_password(), settings="max_wal_size = 4GB\n"
        )
        stack.callback(server.delete)
        server.start()
        migrate(new, folder / "new", server.create_database("airflow3").reveal())
        key = Secret(Fernet.generate_key().decode())

        def open_target(name: str) -> TargetDatabase:
            url = server.create_database(name, template="airflow3")
            return TargetDatabase(AirflowAccess("", TARGET, url, key, Secret("")))

        for kind in wanted.db or KINDS:
            release, pids, dags = old, [server.pid() or 0], wanted.dags
            if kind in ("postgresql", "rest"):
                url = server.create_database(f"source_{kind}").reveal()
            elif kind == "mysql":
                (folder / "mysql").mkdir()
                mysql = stack.enter_context(mariadb.running(folder / "mysql", free_port()))
                pids.append(mysql.pid)
                url = mysql.create_database("source")
                release = venvs.ensure(VenvSpec(SOURCE, "3.11", ("pymysql",)), note)
            else:
                url = f"sqlite:///{folder / 'source.db'}"
            note(f"{kind}: making the source")
            migrate(release, folder / "old", url)
            config: AnySourceConfig = SourceConfig("airflow-db", "bench", Secret(url), Secret(""), dags_folder=folder)
            if kind == "rest":
                dags, password = min(dags, REST_DAGS), new_password()
                served = rest.serving(release, folder / "old", url, free_port(), password, wanted.workers)
                address = stack.enter_context(served)
                config = RestConfig("bench", address, rest.USER, password, Secret(""), dags_folder=folder)
            dag_ids = fill(url, dags, wanted.runs, wanted.tasks)
            note(f"{kind}: moving")
            line = measure(kind, config, open_target, dag_ids, folder, *pids)
            if kind == "rest":
                line["server"] = f"airflow webserver {SOURCE}, {wanted.workers} workers (not in cpu_s)"
            print(json.dumps(line))
            sys.stdout.flush()


if __name__ == "__main__":
    main()
