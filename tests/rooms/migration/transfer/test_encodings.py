"""Sources in PostgreSQL whose databases are not UTF-8. If these break, an old server's names arrive as bytes or as other letters."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url
from tests.matrix import wide
from tests.rooms.migration.aged import Aged
from tests.rooms.migration.transfer.conftest import add_dags_to
from tests.rooms.migration.transfer.test_sql_lane import DAG_IDS

from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.registry import open_source
from aerodrome.migration.transfer import TargetDatabase, move_history

WORD = "Jürgen"
ENCODINGS = ["SQL_ASCII", *wide("LATIN1")]
"""What `createdb` makes where the server was set up with LANG=C, and with a western locale of old."""


@pytest.fixture
def encoded(request: pytest.FixtureRequest, aged: Callable[..., Aged]) -> Iterator[Callable[[str, str], Aged]]:
    """Give what copies a source of 2.11.2 into a database of another encoding, with a name written by a client of UTF-8 or another."""
    old, server = aged("2.11.2", "postgresql"), request.getfixturevalue("postgres_server")
    url, made = make_url(old.url), []
    env = os.environ | {
        "PGHOST": url.host or "", "PGPORT": str(url.port), "PGUSER": url.username or "", "PGPASSWORD": url.password or "",
    }  # fmt: skip

    def run(*command: str, data: bytes = b"") -> bytes:
        return subprocess.run(command, env=env, input=data, capture_output=True, check=True).stdout

    def copy(encoding: str, written_as: str) -> Aged:
        name = f"encoded_{os.urandom(4).hex()}"
        made.append(name)
        with psycopg.connect(
            url.set(drivername="postgresql", database="postgres").render_as_string(False)
        ) as connection:
            connection.autocommit = True
            connection.execute(
                f"create database {name} encoding '{encoding}' template template0 lc_collate 'C' lc_ctype 'C'"
            )
        dump = run("pg_dump", "--encoding=UTF8", str(url.database))
        change = f"set client_encoding to {written_as}; update task_instance set unixname = '{WORD}'"
        run("psql", "--quiet", "-v", "ON_ERROR_STOP=1", name, data=dump)
        encode = "latin-1" if written_as == "SQL_ASCII" else "utf-8"
        run("psql", "--quiet", "-v", "ON_ERROR_STOP=1", name, data=change.encode(encode))
        return replace(old, url=url.set(database=name).render_as_string(hide_password=False))

    yield copy
    for name in made:
        server.drop_database(name)


def move(old: Aged, target: TargetDatabase) -> Any:
    add_dags_to(target, *DAG_IDS)
    source = open_source(replace(old.config, database_url=Secret(old.url)), b"fingerprints", SystemClock())
    try:
        assert all(probe.is_ok for probe in source.describe().probes if probe.is_required)
        return move_history(source, target, DAG_IDS)
    finally:
        source.close()


@pytest.mark.airflow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_names_arrive_as_they_are_meant(
    encoding: str, encoded: Callable[[str, str], Aged], target: TargetDatabase
) -> None:
    moved = move(encoded(encoding, "UTF8"), target)
    assert moved.is_proven
    with target.reading() as connection:
        names = connection.exec_driver_sql("select distinct unixname from task_instance").scalars().all()
    assert names == [WORD]


@pytest.mark.airflow
def test_bytes_that_are_no_text_are_told(encoded: Callable[[str, str], Aged], target: TargetDatabase) -> None:
    with pytest.raises(Invalid) as caught:
        move(encoded("SQL_ASCII", "SQL_ASCII"), target)
    assert caught.value.code == "source-text-unreadable"
    assert "rgen" not in caught.value.message + (caught.value.hint or "")
