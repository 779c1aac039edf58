"""What unfinished runs are pinned to. Breaks for a task that loses its code while it runs."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from aerodrome.airflowkit.metadata import NAMES
from aerodrome.airflowkit.pins import pinned_versions
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.secret import Secret


def database(path: Path, *statements: str) -> Secret:
    connection = sqlite3.connect(path)
    made = {statement.split()[2] for statement in statements if statement.startswith("create table")}
    for name in set(NAMES) - made:
        connection.execute(f"create table {name} (id integer)")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()
    return Secret(f"sqlite:///{path}")


def test_unfinished_runs_and_task_instances_pin_their_versions(tmp_path: Path) -> None:
    url = database(
        tmp_path / "airflow3.db",
        "create table dag_run (id integer, state text, bundle_version text)",
        "create table task_instance (id text, state text, dag_version_id text)",
        "create table dag_version (id text, bundle_version text)",
        "insert into dag_run values (1, 'running', 'aa'), (2, 'queued', 'bb'), (3, 'success', 'cc'), (4, 'running', null)",
        "insert into dag_version values ('v1', 'dd'), ('v2', 'ee')",
        "insert into task_instance values ('t1', 'deferred', 'v1'), ('t2', 'success', 'v2'), ('t3', null, 'v2')",
    )
    assert pinned_versions(url) == {"aa", "bb", "dd"}


def test_before_airflow_3_nothing_is_pinned(tmp_path: Path) -> None:
    url = database(tmp_path / "airflow2.db", "create table dag_run (id integer, state text)")
    assert pinned_versions(url) == frozenset()


def test_a_database_that_does_not_answer_is_an_error_not_an_empty_answer(tmp_path: Path) -> None:
    with pytest.raises(AerodromeError):
        pinned_versions(Secret(f"sqlite:///{tmp_path / 'gone.db'}"))
