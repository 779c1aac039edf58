"""A target: a metadata database that a real Airflow 3.3.2 made, and a source that gives what a test puts into it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text
from tests.matrix import wide

from aerodrome.builds.contract import Venv
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import COLUMNS, HistoryBatch, HistoryKind, HistoryWindow, RejectedRow
from aerodrome.migration.estate.records import PoolRecord, Record
from aerodrome.migration.sources.contract import (
    CarriedRuns,
    ConnectionValue,
    DagState,
    Progress,
    SourceDescription,
    VariableValue,
    for_each,
)
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.runtimes.contract import AirflowAccess

AIRFLOW, AIRFLOW2, AIRFLOW210 = "3.3.2", "2.11.2", "2.10.5"
DAY = datetime(2026, 3, 1, tzinfo=UTC)
Row = dict[str, Any]


@dataclass
class MemorySource:
    """A source adapter over lists. Batches are small, so that every test crosses batch borders."""

    pools: list[PoolRecord] = field(default_factory=list)
    variables: list[VariableValue] = field(default_factory=list)
    connections: list[ConnectionValue] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    env: dict[str, str] = field(default_factory=dict)
    rows: dict[HistoryKind, list[Row]] = field(default_factory=dict)
    rejected: list[RejectedRow] = field(default_factory=list)
    states: dict[str, DagState] = field(default_factory=dict)
    batch: int = 3

    def describe(self) -> SourceDescription:
        return SourceDescription("memory", "2.11.2", "none", "", ())

    def records(self, progress: Progress) -> Iterator[Record]:
        yield from self.pools

    def pool_values(self, names: Sequence[str]) -> Iterator[PoolRecord]:
        yield from (pool for pool in self.pools if pool.name in names)

    def connection_values(self, conn_ids: Sequence[str]) -> Iterator[ConnectionValue]:
        self._refuse(conn_ids)
        yield from (item for item in self.connections if item.conn_id in conn_ids)

    def variable_values(self, names: Sequence[str]) -> Iterator[VariableValue]:
        self._refuse(names)
        yield from (item for item in self.variables if item.name in names)

    def env_values(self, names: Sequence[str]) -> Iterator[tuple[str, Secret]]:
        yield from ((name, Secret(self.env[name])) for name in names)

    def history(self, kind: HistoryKind, window: HistoryWindow) -> Iterator[HistoryBatch]:
        rows = [
            tuple(row.get(name) for name in COLUMNS[kind])
            for row in sorted(self.rows.get(kind, []), key=lambda row: (row["dag_id"], row["run_id"]))
            if row["dag_id"] in window.dag_ids
        ]
        for start in range(0, len(rows), self.batch):
            rejected = self.rejected if kind == "xcom" and start == 0 else []
            yield HistoryBatch(kind, COLUMNS[kind], rows[start : start + self.batch], rejected)

    def history_watermark(self, dag_ids: Sequence[str]) -> datetime | None:
        return max((row["end_date"] for row in self.rows.get("run", []) if row["dag_id"] in dag_ids), default=None)

    def history_changed(self, dag_ids: Sequence[str], since: datetime) -> set[str]:
        del since
        return set(dag_ids)

    def history_counts(self, window: HistoryWindow) -> dict[HistoryKind, int]:
        return {kind: sum(len(batch.rows) for batch in self.history(kind, window)) for kind in COLUMNS}

    def dag_states(self, dag_ids: Sequence[str]) -> dict[str, DagState]:
        return {dag_id: self.states[dag_id] for dag_id in dag_ids if dag_id in self.states}

    def pause_dag(self, dag_id: str, mark: str) -> None: ...

    def unpause_dag(self, dag_id: str, mark: str) -> None: ...

    def pause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return for_each(lambda dag_id: self.pause_dag(dag_id, mark), dag_ids)

    def unpause_dags(self, dag_ids: Sequence[str], mark: str) -> dict[str, AerodromeError]:
        return for_each(lambda dag_id: self.unpause_dag(dag_id, mark), dag_ids)

    def locked(self, dag_ids: Sequence[str]) -> AbstractContextManager[None]:
        del dag_ids
        return nullcontext()

    def carry_runs(self, carried: CarriedRuns, mark: str) -> int:
        raise NotImplementedError

    def hold_back(self, dag_id: str, mark: str) -> None: ...

    def close(self) -> None: ...

    def _refuse(self, keys: Sequence[str]) -> None:
        for key in keys:
            if key in self.unreadable:
                raise Invalid("The Fernet key does not open the value.", code="fernet-key-wrong")


def make_run(dag_id: str, number: int, **more: Any) -> Row:
    start = DAY + timedelta(days=number)
    return {
        "dag_id": dag_id,
        "run_id": f"scheduled__{start.isoformat()}",
        "run_type": "scheduled",
        "state": "success",
        "logical_date": start,
        "data_interval_start": start,
        "data_interval_end": start + timedelta(days=1),
        "run_after": start + timedelta(days=1),
        "queued_at": start + timedelta(days=1, seconds=1),
        "start_date": start + timedelta(days=1, seconds=2),
        "end_date": start + timedelta(days=1, seconds=30, microseconds=125),
        "conf": '{"b": 1, "a": [1.5, "ü"]}',
        "is_external_trigger": False,
        "clear_number": 0,
    } | more


def make_task(run: Row, task_id: str, **more: Any) -> Row:
    return {
        "dag_id": run["dag_id"],
        "run_id": run["run_id"],
        "task_id": task_id,
        "map_index": -1,
        "try_number": 2,
        "max_tries": 2,
        "state": "success",
        "start_date": run["start_date"],
        "end_date": run["end_date"],
        "duration": 28.25,
        "hostname": "old-worker-7",
        "unixname": "airflow",
        "pool": "default_pool",
        "pool_slots": 1,
        "queue": "default",
        "priority_weight": 1,
        "operator": "BashOperator",
        "task_display_name": task_id,
        "queued_at": run["queued_at"],
    } | more


def make_history(dag_id: str, runs: int = 4) -> dict[HistoryKind, list[Row]]:
    """Runs with two tasks, an earlier try of the first, and an XCom of the second."""
    rows: dict[HistoryKind, list[Row]] = {"run": [], "task_instance": [], "task_try": [], "xcom": [], "rendered": []}
    for number in range(runs):
        run = make_run(dag_id, number, note=f"checked {number}" if number % 2 else None)
        rows["run"].append(run)
        first, second = make_task(run, "extract", note="slow"), make_task(run, "load")
        rows["task_instance"] += [first, second]
        rows["task_try"].append(first | {"try_number": 1, "state": "failed"})
        rows["rendered"].append(
            {key: second[key] for key in ("dag_id", "run_id", "task_id", "map_index")}
            | {"rendered_fields": json.dumps({"bash_command": f"load {number}", "env": None})}
        )
        rows["xcom"].append(
            {key: second[key] for key in ("dag_id", "run_id", "task_id", "map_index")}
            | {"key": "return_value", "value": '{"rows": 3, "share": 1.0}', "timestamp": run["end_date"]}
        )
    return rows


def run_airflow(venv: Venv, home: Path, url: str, *arguments: str, env: dict[str, str] | None = None) -> str:
    """Run the venv's `airflow` (or `python` when the first argument is a script) and give its standard output."""
    program = "python" if arguments[0].endswith(".py") else "airflow"
    driver = url.replace("postgresql+psycopg://", "postgresql+psycopg2://")
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": driver,
        "PATH": f"{venv.path / 'bin'}:{os.environ['PATH']}",
        "HOME": str(home),
    }
    done = subprocess.run(
        [venv.path / "bin" / program, *arguments],
        env=settings | (env or {}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="session")
def airflow3(airflow_venv: Callable[..., Venv]) -> Venv:
    return airflow_venv(AIRFLOW, ("asyncpg", "psycopg2-binary"))


@pytest.fixture(scope="session")
def _sqlite_target(airflow3: Venv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow3")
    run_airflow(airflow3, home, f"sqlite:///{home / 'airflow.db'}", "db", "migrate")
    return home / "airflow.db"


@pytest.fixture(scope="session")
def _postgres_target(airflow3: Venv, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    server = request.getfixturevalue("postgres_server")
    url = server.create_database("airflow3_template").reveal()
    run_airflow(airflow3, tmp_path_factory.mktemp("airflow3"), url, "db", "migrate")
    return "airflow3_template"


EACH_AIRFLOW2 = pytest.mark.parametrize(
    "airflow2_version", [AIRFLOW2, *wide(AIRFLOW210)], indirect=True, scope="session"
)
"""Runs a module's tests with each Airflow 2 that can be a target."""


@pytest.fixture(scope="session")
def airflow2_version(request: pytest.FixtureRequest) -> str:
    """The Airflow 2 that is the target."""
    return str(getattr(request, "param", AIRFLOW2))


@pytest.fixture(scope="session")
def airflow2(airflow_venv: Callable[..., Venv], airflow2_version: str) -> Venv:
    return airflow_venv(airflow2_version, () if airflow2_version == AIRFLOW2 else ("psycopg2-binary",))


@pytest.fixture(scope="session")
def _sqlite_target2(airflow2: Venv, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("airflow2")
    run_airflow(airflow2, home, f"sqlite:///{home / 'airflow.db'}", "db", "migrate")
    return home / "airflow.db"


@pytest.fixture(scope="session")
def _postgres_target2(
    airflow2: Venv,
    airflow2_version: str,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    server = request.getfixturevalue("postgres_server")
    name = f"airflow2_template_{airflow2_version.replace('.', '_')}"
    url = server.create_database(name).reveal()
    run_airflow(airflow2, tmp_path_factory.mktemp("airflow2"), url, "db", "migrate")
    return name


@pytest.fixture
def target_url(database: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a metadata database as a real Airflow 3.3.2 made it, on each database of `--db`."""
    if database == "sqlite":
        shutil.copyfile(request.getfixturevalue("_sqlite_target"), tmp_path / "target.db")
        yield f"sqlite:///{tmp_path / 'target.db'}"
        return
    template = request.getfixturevalue("_postgres_target")
    server = request.getfixturevalue("postgres_server")
    name = f"t_{os.urandom(8).hex()}"
    yield server.create_database(name, template=template).reveal()
    server.drop_database(name)


@pytest.fixture
def fernet_key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def access(target_url: str, fernet_key: str) -> AirflowAccess:
    return AirflowAccess("http://127.0.0.1:1", AIRFLOW, Secret(target_url), Secret(fernet_key), Secret("unused"))


@pytest.fixture
def sqlite_access(_sqlite_target: Path, tmp_path: Path, fernet_key: str) -> AirflowAccess:
    """A SQLite target for tests that drive real Airflow programs, where one database is enough."""
    shutil.copyfile(_sqlite_target, tmp_path / "airflow3.db")
    url = f"sqlite:///{tmp_path / 'airflow3.db'}"
    return AirflowAccess("http://127.0.0.1:1", AIRFLOW, Secret(url), Secret(fernet_key), Secret("unused"))


@pytest.fixture
def target(access: AirflowAccess) -> Iterator[TargetDatabase]:
    opened = TargetDatabase(access)
    yield opened
    opened.close()


def add_dags_to(target: TargetDatabase, *dag_ids: str, timetable: str = "CronDataIntervalTimetable") -> None:
    """Put parsed, paused DAGs into the target, as the DAG processor would."""
    columns = {
        "is_paused": True, "is_stale": False, "exceeds_max_non_backfill": False, "timetable_partitioned": False,
        "timetable_periodic": True, "has_task_concurrency_limits": False, "fail_fast": False,
        "bundle_name": "dags-folder", "max_active_tasks": 16, "max_active_runs": 16,
        "max_consecutive_failed_dag_runs": 0, "timetable_type": f"airflow.timetables.interval.{timetable}",
        "partition_mapper_info": "[]",
    }  # fmt: skip
    names = ", ".join(["dag_id", *columns])
    marks = ", ".join(f":{name}" for name in ["dag_id", *columns])
    with target.writing() as connection:
        connection.execute(
            text("insert into dag_bundle (name, active) values ('dags-folder', :yes) on conflict do nothing"),
            {"yes": True},
        )
        for dag_id in dag_ids:
            connection.execute(text(f"insert into dag ({names}) values ({marks})"), {"dag_id": dag_id} | columns)


def add_dags_to2(target: TargetDatabase, *dag_ids: str) -> None:
    """Put parsed, paused DAGs into a target of Airflow 2.11."""
    values = {
        "is_paused": True, "is_active": True, "is_subdag": False, "max_active_tasks": 16, "max_active_runs": 16,
        "max_consecutive_failed_dag_runs": 0, "has_task_concurrency_limits": False, "fileloc": "/dags/all.py",
    }  # fmt: skip
    names, marks = ", ".join(["dag_id", *values]), ", ".join(f":{name}" for name in ["dag_id", *values])
    with target.writing() as connection:
        for dag_id in dag_ids:
            connection.execute(text(f"insert into dag ({names}) values ({marks})"), {"dag_id": dag_id} | values)


@pytest.fixture
def add_dags(target: TargetDatabase) -> Callable[..., None]:
    """Give `add_dags_to` for this test's target."""
    return partial(add_dags_to, target)
