"""What databases before Airflow 2.10 do not say. If these break, a guess is taken for a fact, or rows vanish without a word."""

from __future__ import annotations

import datetime as dt
import json
import pickle
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.rooms.migration.aged import Aged

from aerodrome.builds.contract import Venv
from aerodrome.kernel.clock import ManualClock
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow, RejectedRow
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.sources.airflow_db.pickles import NotPlainError, plain_from_pickle, xcom_text
from aerodrome.migration.sources.airflow_db.probes import grants_right
from aerodrome.migration.sources.airflow_db.written import written
from aerodrome.migration.sources.contract import OffersExecutorConfigs, SourceAdapter
from aerodrome.migration.sources.registry import open_source

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@pytest.fixture
def old(aged: Callable[..., Aged], tmp_path: Path) -> Path:
    """The database of an Airflow 1.10.15 without serialized DAGs, this test's own copy."""
    path = tmp_path / "airflow.db"
    shutil.copyfile(aged("1.10.15").url.removeprefix("sqlite:///"), path)
    return path


@pytest.fixture
def open_old(aged: Callable[..., Aged], old: Path) -> Iterator[Callable[..., SourceAdapter]]:
    opened: list[SourceAdapter] = []

    def opener(**more: Any) -> SourceAdapter:
        clock = ManualClock(dt.datetime.now(dt.UTC))
        config = Aged("1.10.15", f"sqlite:///{old}", aged("1.10.15").fernet_key).config
        opened.append(open_source(replace(config, **more), b"k", clock))
        return opened[-1]

    yield opener
    for source in opened:
        source.close()


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def read(source: SourceAdapter, kind: HistoryKind, dag_id: str) -> tuple[list[tuple[Any, ...]], list[RejectedRow]]:
    batches = list(source.history(kind, HistoryWindow((dag_id,))))
    found = [row for batch in batches for row in batch.rows], [row for batch in batches for row in batch.rejected]
    assert source.history_counts(HistoryWindow((dag_id,)))[kind] == len(found[0]) + len(found[1]), (
        "counted and given differ"
    )
    return found


@pytest.mark.airflow
def test_rows_whose_run_was_deleted_are_refused_one_by_one(old: Path, open_old: Callable[[], SourceAdapter]) -> None:
    change(old, "delete from dag_run where id in (select min(id) from dag_run where dag_id = 'daily_orders')")
    for kind, rows in (("task_instance", 4), ("xcom", 4)):
        kept, refused = read(open_old(), kind, "daily_orders")  # type: ignore[arg-type]
        assert (len(kept), [item.code for item in refused]) == (rows, ["row-without-run"] * 2)
        archived = [json.loads(item.value or b"") for item in refused]
        assert {row["task_id"] for row in archived} <= {"extract", "load"}
        assert all(row["state"] == "success" if kind == "task_instance" else row["value"] for row in archived)


@pytest.mark.airflow
def test_runs_without_an_id_get_the_name_that_airflow_gives(old: Path, open_old: Callable[[], SourceAdapter]) -> None:
    before = {kind: read(open_old(), kind, "daily_orders") for kind in ("run", "task_instance", "task_try", "xcom")}
    change(old, "update dag_run set run_id = null where dag_id = 'daily_orders'")
    after = {kind: read(open_old(), kind, "daily_orders") for kind in before}  # type: ignore[arg-type]
    assert {row[1] for row in after["run"][0]} == {f"scheduled__{row[4].isoformat()}" for row in before["run"][0]}
    assert {row[2] for row in after["run"][0]} == {"scheduled"}
    for kind, (rows, refused) in before.items():
        assert (sorted(after[kind][0], key=str), len(after[kind][1])) == (sorted(rows, key=str), len(refused)), kind

    first = min(row[4] for row in before["run"][0])
    change(
        old,
        "update dag_run set external_trigger = 1 where dag_id = 'daily_orders' "
        "and id <> (select min(id) from dag_run where dag_id = 'daily_orders')",
        f"update dag_run set run_id = 'scheduled__{first.isoformat()}', execution_date = '2001-01-01 02:00:00.000000' "
        "where id = (select max(id) from dag_run where dag_id = 'daily_orders')",
    )
    names = [row[1] for row in read(open_old(), "run", "daily_orders")[0]]
    assert len(set(names)) == len(names), "a name that another run has already is no name"
    assert [name for name in names if name.startswith(f"scheduled__{first.isoformat()}__")], (
        "it carries the row's own id"
    )
    assert sum(name.startswith("manual__") for name in names) == len(names) - 2


@pytest.mark.airflow
def test_what_their_tasks_told_the_executor_comes_under_that_name(
    old: Path, open_old: Callable[[], SourceAdapter]
) -> None:
    """Runs with and without an id in one DAG: each config comes once, with the key that its task instance has."""
    config = pickle.dumps({"KubernetesExecutor": {"image": "etl:7"}})
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("update task_instance set executor_config = ? where dag_id = 'daily_orders'", (config,))
    change(
        old, "update dag_run set run_id = null where id in (select min(id) from dag_run where dag_id = 'daily_orders')"
    )
    source = open_old()
    assert isinstance(source, OffersExecutorConfigs)
    rows = list(source.executor_configs("task_instance", HistoryWindow(("daily_orders",))))
    keys = [key for page in rows for key, _ in page]
    assert sorted(keys) == sorted(row[:4] for row in read(source, "task_instance", "daily_orders")[0])
    assert {stored for page in rows for _, stored in page} == {config}


@pytest.mark.airflow
def test_a_failed_attempt_without_a_sure_number_is_refused(old: Path, open_old: Callable[[], SourceAdapter]) -> None:
    kept, refused = read(open_old(), "task_try", "daily_orders")
    assert (len(kept), refused) == (3, [])
    change(
        old, "update task_instance set try_number = 3 where task_id = 'load'"
    )  # one of them was cleared and ran again
    kept, refused = read(open_old(), "task_try", "daily_orders")
    assert (kept, {item.code for item in refused}) == ([], {"try-number-unknown"})
    assert "1 are known of 2 earlier tries" in refused[0].message


@pytest.mark.airflow
def test_a_time_zone_is_believed_only_when_the_runs_prove_it(
    old: Path, open_old: Callable[[], SourceAdapter], tmp_path: Path
) -> None:
    known = {record.dag_id: record for record in open_old().records(lambda *_: None) if isinstance(record, DagRecord)}
    assert known["berlin_nightly"].timezone == "Europe/Berlin"
    change(
        old,
        "update dag_run set execution_date = datetime(execution_date, '+7 minutes') where dag_id = 'berlin_nightly'",
    )
    source = open_old()
    rows, notices = [], []
    for batch in source.history("run", HistoryWindow(("berlin_nightly",))):
        rows += list(batch.rows)
        notices += list(batch.rejected)
    assert [row[5:7] for row in rows] == [(None, None)] * 3
    assert {item.code for item in notices} == {"run-interval-unknown"}
    assert "its time zone stands nowhere" in notices[0].message
    state = source.dag_states(["berlin_nightly"])["berlin_nightly"]
    assert (state.last_interval, state.next_interval) == (None, None)


@pytest.mark.airflow
def test_without_a_known_catchup_the_next_interval_is_told_only_when_it_is_the_same_either_way(
    old: Path, open_old: Callable[..., SourceAdapter], tmp_path: Path
) -> None:
    change(old, "delete from dag_run where dag_id = 'daily_orders' and id > (select min(id) from dag_run)")
    state = open_old().dag_states(["daily_orders"])["daily_orders"]  # two days behind, and its file says catchup=True
    assert state.last_interval is not None
    assert state.next_interval is not None
    assert state.next_interval[0] == state.last_interval[1]
    (tmp_path / "none").mkdir()
    state = open_old(dags_folder=tmp_path / "none").dag_states(["daily_orders"])["daily_orders"]
    assert state.last_interval is not None
    assert state.next_interval is None


@pytest.mark.parametrize(
    ("source", "catchup", "is_default"),
    [
        ("DAG('a', catchup=True)", True, False),
        ("DAG('a', catchup=False)\nDAG('b', catchup=False)", False, False),
        ("DAG('a', catchup=False)\nDAG('b', catchup=True)", None, False),
        ("DAG('a', catchup=False)\nDAG('b')", None, False),
        ("DAG('a')", None, True),
        ("DAG('a', **more)", None, False),
        ("DAG('a', default_args={'catchup': False})", None, False),
        ("d = DAG('a')\nd.catchup = False", None, False),
        ("make('a', catchup=False)\nDAG('b')", None, False),
        ("DAG('a', catchup=not x)", None, False),
        ("x = 1", None, False),
        ("DAG(", None, False),
    ],
)
def test_what_a_file_says_of_catchup_is_believed_only_when_it_is_sure(
    source: str, *, catchup: bool | None, is_default: bool
) -> None:
    said = written(source)
    assert (said.catchup, said.is_catchup_default) == (catchup, is_default)


@pytest.mark.airflow
def test_serialized_dags_of_1_10_are_read(aged: Callable[..., Aged], clock: ManualClock) -> None:
    source = open_source(aged("1.10.15", "sqlite", "--serialized").config, b"k", clock)
    dags = {record.dag_id: record for record in source.records(lambda *_: None) if isinstance(record, DagRecord)}
    source.close()
    assert dags["daily_orders"].task_count == 2
    assert {task["task_id"]: task["downstream"] for task in dags["daily_orders"].tasks} == {
        "extract": ["load"],
        "load": [],
    }
    assert (dags["berlin_nightly"].timezone, dags["berlin_nightly"].schedule) == ("Europe/Berlin", "30 1 * * *")
    assert (dags["six_hourly"].schedule, dags["six_hourly"].catchup) == ("timedelta:21600", False)


@pytest.mark.airflow
def test_a_schema_of_tomorrow_is_read_or_says_what_is_unreadable(
    old: Path, open_old: Callable[[], SourceAdapter]
) -> None:
    change(old, "update alembic_version set version_num = 'f00dfeed0001'")
    found = open_old().describe()
    assert found.is_ok
    assert found.airflow_version == "1.10"
    change(old, "alter table xcom rename column value to content")
    probe = next(probe for probe in open_old().describe().probes if probe.name == "schema")
    assert not probe.is_ok
    assert "XComs (no column xcom.value)" in probe.message


@given(PLAIN, st.sampled_from([0, 2, 4]))
def test_plain_xcoms_come_back_equal(value: Any, protocol: int) -> None:
    if _has_marks(value):
        return
    assert json.loads(xcom_text(plain_from_pickle(pickle.dumps(value, protocol)))) == value


def _has_marks(value: Any) -> bool:
    return "__classname__" in repr(value) or "__type" in repr(value)


SERIALIZE = """
import datetime as dt, json
from airflow.sdk.bases.xcom import BaseXCom
values = [(1, "two"), {3, 1}, frozenset([2]), dt.date(2026, 1, 2), dt.timedelta(seconds=1.5), {"a": [None, (True,)]},
          dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.timezone.utc)]
print("SHOWN" + json.dumps([BaseXCom.serialize_value(value) for value in values]))
"""


@pytest.mark.airflow
def test_typed_values_are_written_as_airflow_3_writes_them(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    python = airflow_venv("3.3.2", ("asyncpg", "psycopg2-binary")).path / "bin" / "python"
    env = {"HOME": str(tmp_path), "AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    shown = subprocess.run([python, "-c", SERIALIZE], env=env, capture_output=True, text=True, check=True).stdout
    values = [
        (1, "two"), {3, 1}, frozenset([2]), dt.date(2026, 1, 2), dt.timedelta(seconds=1.5), {"a": [None, (True,)]},
        dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=dt.UTC),
    ]  # fmt: skip
    theirs = json.loads(shown.partition("SHOWN")[2])
    assert [json.loads(xcom_text(plain_from_pickle(pickle.dumps(value)))) for value in values] == theirs


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (Fraction(1, 3), "fractions.Fraction"),
        ({1: "a"}, "a key that is not a text"),
        ([float("nan")], "neither NaN nor infinity"),
        (dt.datetime(2026, 1, 1), "not in UTC"),  # noqa: DTZ001 - that is the point
        (dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=2))), "not in UTC"),
        ({"__classname__": "os.system"}, "recognises objects"),
        (b"raw", "bytes"),
        (dt.time(1, 2), "a time"),
    ],
)
def test_what_airflow_3_would_give_back_otherwise_is_refused(value: Any, reason: str) -> None:
    with pytest.raises(NotPlainError, match=reason):
        xcom_text(plain_from_pickle(pickle.dumps(value)))


def test_nothing_in_a_pickle_runs() -> None:
    with pytest.raises(NotPlainError, match=r"posix\.system|nt\.system|os\.system"):
        plain_from_pickle(b"cos\nsystem\n(S'touch /tmp/never'\ntR.")
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    with pytest.raises(NotPlainError, match="nested too deeply"):
        xcom_text(deep)


@pytest.mark.parametrize(
    ("grant", "may"),
    [
        ("GRANT ALL PRIVILEGES ON *.* TO `a`@`%`", True),
        ("GRANT SELECT, UPDATE ON `air\\_flow`.* TO `a`@`%`", True),
        ("GRANT SELECT, UPDATE ON `air_flow`.`dag` TO `a`@`%`", True),
        ("GRANT SELECT, UPDATE ON `air_flow`.`log` TO `a`@`%`", False),
        ("GRANT SELECT, UPDATE ON `other`.* TO `a`@`%`", False),
        ("GRANT SELECT ON `air_flow`.* TO `a`@`%`", False),
        ("GRANT USAGE ON *.* TO `a`@`%` IDENTIFIED BY PASSWORD '*UPDATE'", False),
    ],
)
def test_rights_on_mysql_are_read_from_its_grants(grant: str, *, may: bool) -> None:
    assert grants_right([grant], "air_flow", "dag", "UPDATE") is may
