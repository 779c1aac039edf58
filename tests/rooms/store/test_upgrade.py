"""A database with rows in every table, at every released revision, comes to the newest schema with all its rows.

If these break, somebody's upgrade of the platform loses their deployments.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import JSON, Boolean, Connection, DateTime, Float, Integer, MetaData, Table, inspect, select

from aerodrome.store import Store, open_store, schema

RELEASED = sorted(
    script.revision
    for script in ScriptDirectory(str(schema._FOLDER)).walk_revisions()
    if script.revision != schema.UNRELEASED[0]
)
ROWS = 3
_MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_900, tzinfo=UTC)

# Ends itself, as kill -9 does, after the nth statement that changes the schema.
DOOMED = """
import os, signal, sys
from sqlalchemy import event
from aerodrome.store import open_store, schema
store, left = open_store(sys.argv[1]), [int(sys.argv[2])]
@event.listens_for(store.engine, "after_cursor_execute")
def count(connection, cursor, statement, *_):
    if statement.lstrip().split()[0].upper() in {"CREATE", "ALTER", "DROP", "INSERT"}:
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
schema.upgrade(store)
"""


def tables_of(connection: Connection) -> list[Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def fill(store: Store) -> dict[str, list[dict[str, Any]]]:
    """Put rows into every table, each pointing to rows that are there; give them as they read back."""
    counter = itertools.count(1)
    with store.engine.execution_options(aerodrome_writes=True).begin() as connection:
        tables = tables_of(connection)
        keys: dict[tuple[str, str], list[Any]] = {}
        for table in tables:
            points = {key.parent.name: (key.column.table.name, key.column.name) for key in table.foreign_keys}
            for index in range(ROWS):
                row = {
                    column.name: keys[points[column.name]][index]
                    if column.name in points
                    else value(table, column.name, next(counter))
                    for column in table.columns
                }
                connection.execute(table.insert(), row)
                for name, content in row.items():
                    keys.setdefault((table.name, name), []).append(content)
    return rows_of(store)


def value(table: Table, name: str, number: int) -> Any:
    kind = table.c[name].type
    if isinstance(kind, JSON):
        return {"text": f"ü {number}", "list": [1, None, {"deep": True}]}
    if isinstance(kind, DateTime):
        return _MOMENT if getattr(kind, "timezone", False) else _MOMENT.replace(tzinfo=None)
    if isinstance(kind, Boolean):
        return number % 2 == 0
    if isinstance(kind, Float):
        return number / 2
    if isinstance(kind, Integer):
        return number
    length = getattr(kind, "length", None) or 100
    return f"é{number}"[:length]


def rows_of(store: Store) -> dict[str, list[dict[str, Any]]]:
    with store.engine.connect() as connection:
        return {
            table.name: [
                dict(row) for row in connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            ]
            for table in tables_of(connection)
        }


@pytest.fixture
def empty(empty_database_url: str) -> Iterator[Store]:
    with closing(open_store(empty_database_url)) as store:
        yield store


@pytest.mark.parametrize("revision", RELEASED)
def test_every_row_of_every_released_schema_survives(empty: Store, revision: str) -> None:
    schema.upgrade(empty, revision)
    before = fill(empty)
    assert all(len(rows) == ROWS for rows in before.values())
    schema.upgrade(empty)
    after = rows_of(empty)
    for table, rows in before.items():
        kept = [{name: row[name] for name in rows[0] if name in row} for row in after[table]]
        assert kept == rows, table
    assert schema.differences(empty) == []


@pytest.mark.parametrize("revision", RELEASED)
def test_a_kill_in_the_middle_leaves_the_old_state_and_the_next_start_upgrades(empty: Store, revision: str) -> None:
    schema.upgrade(empty, revision)
    before = fill(empty)
    tables = sorted(inspect(empty.engine).get_table_names())
    url = empty.engine.url.render_as_string(hide_password=False)
    for statement in (1, 2, 3):
        done = subprocess.run([sys.executable, "-c", DOOMED, url, str(statement)], check=False, timeout=60)
        assert done.returncode == -signal.SIGKILL
        assert schema.current(empty) == revision
        assert sorted(inspect(empty.engine).get_table_names()) == tables
        assert rows_of(empty) == before
    schema.upgrade(empty)
    assert schema.differences(empty) == []
