"""Values that no Airflow wrote: moments that are none, texts that are not UTF-8. If these break, one odd row ends a whole transfer."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine
from tests.matrix import wide
from tests.rooms.migration.aged import Aged
from tests.rooms.migration.transfer.conftest import add_dags_to
from tests.rooms.migration.transfer.test_sql_lane import DAG_IDS

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import HistoryMoved, TargetDatabase, move_history

DATES = {
    "sqlite": ("garbage", "2025-13-45 00:00:00"),
    "mysql": ("0000-00-00 00:00:00", "0000-00-00 00:00:00"),
}
"""What the databases take for a moment; MySQL and MariaDB where their mode is not strict."""


@pytest.fixture
def copied(aged: Callable[..., Aged], tmp_path: Path) -> Aged:
    """A source of Airflow 2.11.2 on SQLite that a test may damage."""
    old = aged("2.11.2", "sqlite")
    mine = tmp_path / "airflow.db"
    with sqlite3.connect(old.url.removeprefix("sqlite:///")) as here, sqlite3.connect(mine) as there:
        here.backup(there)
    return replace(old, url=f"sqlite:///{mine}")


def moved(old: Aged, target: TargetDatabase) -> HistoryMoved:
    source = open_source(old.config, b"fingerprints", SystemClock())
    try:
        return move_history(source, target, DAG_IDS)
    finally:
        source.close()


def damage(old: Aged, statements: tuple[str, ...]) -> None:
    engine = create_engine(old.url)
    with engine.begin() as connection:
        if old.url.startswith("mysql"):
            connection.exec_driver_sql("set session sql_mode = ''")
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount > 0
    engine.dispose()


@pytest.mark.airflow
@pytest.mark.parametrize("more", ["start_date", "end_date", "queued_dttm"])
def test_rows_move_without_moments_that_are_none(more: str, copied: Aged, target: TargetDatabase) -> None:
    add_dags_to(target, *DAG_IDS)
    check_moments(copied, target, *DATES["sqlite"], more=more)


@pytest.mark.airflow
@pytest.mark.parametrize("version", wide("2.3.4"))
def test_rows_of_mysql_move_without_moments_that_are_none(
    version: str, aged: Callable[..., Aged], target: TargetDatabase
) -> None:
    add_dags_to(target, *DAG_IDS)
    old = aged(version, "mysql")
    columns = "start_date", "end_date"
    engine = create_engine(old.url)
    with engine.begin() as connection:
        kept = [
            (table, key, connection.exec_driver_sql(f"select {', '.join(columns)}, {key} from {table}").all())
            for table, key in (("dag_run", "id"), ("task_instance", "concat(dag_id, task_id, run_id, map_index)"))
        ]
    try:
        check_moments(old, target, *DATES["mysql"])
    finally:
        with engine.begin() as connection:
            for table, key, rows in kept:
                put_back = f"update {table} set {', '.join(f'{name} = %s' for name in columns)} where {key} = %s"
                connection.exec_driver_sql(put_back, [tuple(row) for row in rows])
        engine.dispose()


def check_moments(old: Aged, target: TargetDatabase, first: str, second: str, *, more: str = "end_date") -> None:
    damage(
        old,
        (
            f"update task_instance set start_date = '{first}' where dag_id = 'berlin_nightly'",
            f"update task_instance set {more} = '{second}' where dag_id = 'six_hourly'",
            f"update dag_run set end_date = '{second}' where dag_id = 'daily_orders' and run_type = 'scheduled'",
        ),
    )
    runs = old.count("select count(*) from dag_run where dag_id = 'daily_orders' and run_type = 'scheduled'")
    tasks = old.count("select count(*) from task_instance where dag_id in ('berlin_nightly', 'six_hourly')")
    outcome = moved(old, target)
    of_run, of_task = outcome.of("run"), outcome.of("task_instance")
    assert (of_run.failed_by_code, of_run.noticed_by_code) == ({}, {"moment-unreadable": runs})
    assert (of_task.failed_by_code, of_task.noticed_by_code) == ({}, {"moment-unreadable": tasks})
    assert (of_run.moved, of_task.moved) == (of_run.found, of_task.found)
    assert outcome.is_proven
    with target.reading() as connection:
        rows = connection.exec_driver_sql(
            "select start_date, end_date from task_instance where dag_id = 'berlin_nightly'"
        ).all()
    assert len(rows) == old.count("select count(*) from task_instance where dag_id = 'berlin_nightly'")
    assert all(start is None and end is not None for start, end in rows)


@pytest.mark.airflow
def test_a_run_without_a_readable_date_stays_behind(copied: Aged, target: TargetDatabase) -> None:
    add_dags_to(target, *DAG_IDS)
    newest = "select max(id) from dag_run where dag_id = 'berlin_nightly'"
    damage(copied, (f"update dag_run set execution_date = 'garbage' where id = ({newest})",))
    outcome = moved(copied, target)
    assert outcome.of("run").failed_by_code == {"run-date-unreadable": 1}
    assert outcome.is_proven


@pytest.mark.airflow
def test_a_text_that_is_not_utf8_names_its_column(copied: Aged, target: TargetDatabase) -> None:
    add_dags_to(target, *DAG_IDS)
    damage(copied, ("update task_instance set operator = cast(x'ff63616e617279' as text)",))
    with pytest.raises(Invalid) as caught:
        moved(copied, target)
    assert caught.value.code == "source-text-unreadable"
    assert "operator" in caught.value.message
    assert "canary" not in f"{caught.value.message} {caught.value.hint}"


def test_moments_of_sqlite_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table dag_run (id integer, at datetime)")
        connection.executemany(
            "insert into dag_run values (?, ?)", [(1, "2026-01-01 00:00:00.5"), (2, "never"), (3, 7), (4, None)]
        )
    database = MetadataDatabase(Secret(f"sqlite:///{path}"))
    with database.reading() as reading:
        found: list[Any] = [row.at for row in reading.execute(database.table("dag_run").select())]
    database.close()
    assert found[1:] == ["never", "7", None]
    assert str(found[0]).startswith("2026-01-01 00:00:00.5")
