"""Every version of Airflow as a source, into a real 3.3.2. If these break, a team's history arrives short, wrong or not at all.

Two versions on SQLite run by default; AERODROME_MATRIX=1 (`make test-matrix`) runs them all, on PostgreSQL too.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from tests.matrix import wide
from tests.rooms.migration.aged import DAYS, Aged
from tests.rooms.migration.sources.conformance import keeps_the_contract
from tests.rooms.migration.transfer.conftest import add_dags_to

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Denied
from aerodrome.kernel.secret import Secret
from aerodrome.migration.estate.history import HISTORY_KINDS, HistoryWindow
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.contract import SourceAdapter
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase, move_history
from aerodrome.runtimes.contract import AirflowAccess

pytestmark = pytest.mark.airflow

DAG_IDS = ("berlin_nightly", "by_hand", "daily_orders", "six_hourly")
CASES = [
    ("1.10.15", "sqlite"),
    ("2.3.4", "sqlite"),
    *wide(*((version, "sqlite") for version in ("1.10.10", "1.10.11", "1.10.12", "1.10.13", "1.10.14"))),
    *wide(*((version, "sqlite") for version in ("2.0.2", "2.1.4", "2.2.5", "2.4.3", "2.5.3", "2.6.3", "2.7.3"))),
    *wide(*((version, "sqlite") for version in ("2.8.4", "2.9.3", "2.10.5", "2.11.2"))),
    *wide(*((version, "sqlite") for version in ("3.0.6", "3.1.8", "3.2.2", "3.3.2"))),
    *wide(("1.10.15", "mariadb"), ("2.3.4", "mysql"), ("2.7.3", "mysql"), ("2.11.2", "mysql"), ("3.3.2", "mysql")),
    *wide(*((version, "postgresql") for version in ("1.10.12", "1.10.15", "2.0.2", "2.3.4", "2.7.3"))),
    *wide(*((version, "postgresql") for version in ("2.11.2", "3.0.6", "3.3.2"))),
]
SAME_SCHEMA = {"2.10.5": "2.11"}
"""From 2.10.3 to 2.11.2 the schema is one: a database does not tell them apart."""


@pytest.fixture(params=CASES, ids="-".join, scope="module")
def old(request: pytest.FixtureRequest, aged: Callable[..., Aged]) -> Aged:
    version, database = request.param
    return aged(version, database)


@pytest.fixture
def source(old: Aged) -> Iterator[SourceAdapter]:
    opened = open_source(old.config, b"fingerprints", SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def new(old: Aged, request: pytest.FixtureRequest, tmp_path: Path, fernet_key: str) -> Iterator[TargetDatabase]:
    """A target on PostgreSQL for a source on PostgreSQL, else on SQLite; its DAGs known and paused."""
    server = request.getfixturevalue("postgres_server") if old.url.startswith("postgresql") else None
    name = f"t_{os.urandom(8).hex()}"
    if server is None:
        shutil.copyfile(request.getfixturevalue("_sqlite_target"), tmp_path / "target.db")
        url = f"sqlite:///{tmp_path / 'target.db'}"
    else:
        url = server.create_database(name, template=request.getfixturevalue("_postgres_target")).reveal()
    access = AirflowAccess("http://127.0.0.1:1", "3.3.2", Secret(url), Secret(fernet_key), Secret("unused"))
    target = TargetDatabase(access)
    add_dags_to(target, *DAG_IDS)
    yield target
    target.close()
    if server is not None:
        server.drop_database(name)


def _rows(target: TargetDatabase, sql: str) -> list[tuple[Any, ...]]:
    with target.reading() as connection:
        return [tuple(row) for row in connection.execute(text(sql))]


def test_the_source_tells_what_it_is_and_may(old: Aged, source: SourceAdapter) -> None:
    found = source.describe()
    assert found.is_ok, [probe for probe in found.probes if not probe.is_ok]
    assert {"database", "version", "schema", "reading", "pausing", "fernet key"} <= {
        probe.name for probe in found.probes
    }
    minor = old.version.rsplit(".", 1)[0]
    assert found.airflow_version.rsplit(".", 1)[0] == SAME_SCHEMA.get(old.version, minor)


def test_a_user_who_may_only_read_reads(old: Aged, request: pytest.FixtureRequest) -> None:
    if not old.url.startswith("mysql"):
        pytest.skip("rights on PostgreSQL are tested on 2.11; SQLite has none")
    server = request.getfixturevalue("mysql_server")("mariadb" if old.version.startswith("1.") else "mysql")
    url = server.reader(old.url.rsplit("/", 1)[1])
    source = open_source(Aged(old.version, url, old.fernet_key).config, b"k", SystemClock())
    probes = {probe.name: probe.is_ok for probe in source.describe().probes}
    assert (probes["reading"], probes["fernet key"], probes["pausing"]) == (True, True, False)
    with pytest.raises(Denied):
        source.pause_dag("by_hand", "mark-2")
    source.close()


def test_its_records_are_read(old: Aged, source: SourceAdapter) -> None:
    records = list(source.records(lambda *_: None))
    dags = {record.dag_id: record for record in records if isinstance(record, DagRecord)}
    assert set(dags) == set(DAG_IDS)
    shown = {dag_id: (dag.schedule_kind, dag.schedule, dag.timezone, dag.file) for dag_id, dag in dags.items()}
    assert shown["daily_orders"] == ("cron", "0 2 * * *", "UTC", "daily_orders.py")
    assert shown["berlin_nightly"] == ("cron", "30 1 * * *", "Europe/Berlin", "calendars.py")
    assert shown["six_hourly"][:2] == ("timedelta", "timedelta:21600")
    assert shown["by_hand"][0] == "none"
    assert dags["by_hand"].is_paused
    assert not dags["daily_orders"].is_paused
    assert dags["by_hand"].run_states["success"] == 2
    kinds = {record.kind for record in records}
    assert {"connection", "variable", "pool"} <= kinds
    (connection,) = source.connection_values(["warehouse"])
    assert connection.password is not None
    assert connection.password.reveal() == "canary-conn-password-a1"
    (variable,) = source.variable_values(["api_token"])
    assert variable.value.reveal() == "canary-variable-c3"


def test_its_whole_history_stands_in_the_target(old: Aged, source: SourceAdapter, new: TargetDatabase) -> None:
    counts = source.history_counts(HistoryWindow(DAG_IDS))
    assert counts["run"] == old.count("select count(*) from dag_run where state in ('success', 'failed')")
    assert counts["task_instance"] == old.count("select count(*) from task_instance where state is not null")
    assert counts["xcom"] == old.count("select count(*) from xcom")
    has_tries = old.version.startswith(("2.10", "2.11", "3."))
    assert counts["task_try"] == (old.count("select count(*) from task_instance_history") if has_tries else DAYS)

    moved = move_history(source, new, DAG_IDS)
    assert moved.is_proven, moved.as_data()
    refused = {"xcom": {"xcom-pickled": 2}} if old.version.startswith("1.") else {}
    for kind in HISTORY_KINDS:
        outcome = moved.of(kind)
        assert (outcome.found, outcome.failed_by_code) == (counts[kind], refused.get(kind, {})), kind
        assert outcome.moved == outcome.found - outcome.failed_count
        assert outcome.notices == ()
    for kind, table in (("run", "dag_run"), ("task_instance", "task_instance"), ("xcom", "xcom")):
        assert _rows(new, f"select count(*) from {table}") == [(moved.of(kind).moved,)]

    again = move_history(source, new, DAG_IDS)
    assert again.is_proven
    assert [again.of(kind).moved for kind in HISTORY_KINDS] == [0, 0, 0, 0, 0]


def test_runs_have_their_intervals_and_tries(old: Aged, source: SourceAdapter, new: TargetDatabase) -> None:
    move_history(source, new, DAG_IDS)
    for dag_id, hours in (("daily_orders", 24), ("six_hourly", 6), ("berlin_nightly", 24)):
        rows = _rows(
            new,
            "select logical_date, data_interval_start, data_interval_end, run_after, run_type from dag_run "
            f"where dag_id = '{dag_id}' order by logical_date",
        )
        assert rows
        for row in rows:
            logical, start, end, after = (_moment(value) for value in row[:4])
            assert (start, end - start, after, row[4]) == (logical, timedelta(hours=hours), end, "scheduled")
    tries = _rows(
        new,
        "select try_number, state, max_tries from task_instance_history where task_id = 'load' and dag_id = 'daily_orders'",
    )
    # TaskInstance.run of 2.10 and 2.11 writes no history of tries when it runs outside a worker
    is_without = old.version in {"2.10.5", "2.11.2"}
    assert (1, "failed", 1) in tries or is_without
    names = _rows(new, "select distinct task_display_name from task_instance_history")
    assert (None,) not in names, "Airflow 3.3.2 answers 500 for tries without a name"
    # nor does it count them
    shown = (0 if is_without else 2, "success")
    assert shown in _rows(new, "select try_number, state from task_instance where task_id = 'load'")
    confs = _rows(new, "select conf from dag_run where dag_id = 'by_hand'")
    assert any("2026-01-01" in str(conf) for (conf,) in confs)


def test_the_next_interval_follows_the_last(old: Aged, source: SourceAdapter) -> None:
    states = source.dag_states(DAG_IDS)
    for dag_id in ("daily_orders", "berlin_nightly"):
        state = states[dag_id]
        assert state.last_interval is not None
        assert state.next_interval is not None
        assert state.next_interval[0] == state.last_interval[1] == state.next_logical_date
        assert state.next_run_after == state.next_interval[1]
    assert states["by_hand"].next_run_after is None
    assert sum(states["by_hand"].in_flight.values()) >= 1


def test_pausing_leaves_a_mark_and_is_taken_back(old: Aged, tmp_path: Path) -> None:
    url = old.url
    if url.startswith("sqlite"):
        shutil.copyfile(url.removeprefix("sqlite:///"), tmp_path / "copy.db")
        url = f"sqlite:///{tmp_path / 'copy.db'}"
    source = open_source(Aged(old.version, url, old.fernet_key).config, b"k", SystemClock())
    source.pause_dag("six_hourly", "mark-1")
    state = source.dag_states(["six_hourly"])["six_hourly"]
    assert (state.is_paused, state.mark) == (True, "mark-1")
    source.unpause_dag("six_hourly", "mark-1")
    source.hold_back("six_hourly", "mark-1")
    state = source.dag_states(["six_hourly"])["six_hourly"]
    assert (state.is_paused, state.let_go) == (False, "mark-1")
    source.close()


def test_it_keeps_the_contract_of_sources(old: Aged, tmp_path: Path) -> None:
    url = old.url
    if url.startswith("sqlite"):
        shutil.copyfile(url.removeprefix("sqlite:///"), tmp_path / "copy.db")
        url = f"sqlite:///{tmp_path / 'copy.db'}"
    source = open_source(Aged(old.version, url, old.fernet_key).config, b"k", SystemClock())
    keeps_the_contract(source, holds="daily_orders")
    source.close()


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
