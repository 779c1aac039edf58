"""Moves between SQLite and PostgreSQL. Breaks with lost history for whoever outgrows the development database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from tests.conftest import Legacy

from aerodrome.builds.contract import Venv
from aerodrome.databases.contract import AirflowTool
from aerodrome.databases.cross_ends import SqliteEnd, open_end
from aerodrome.databases.cross_values import Column, RowDigest
from aerodrome.databases.crossing import copy_across, discard, settle
from aerodrome.kernel.errors import Conflict
from aerodrome.kernel.secret import Secret

LINES: list[str] = []


@pytest.mark.airflow
def test_everything_arrives_on_postgresql_and_comes_back(
    legacy: Legacy, airflow_venv: Callable[..., Venv], postgres_url: str, tmp_path: Path
) -> None:
    tool = AirflowTool("2.11.2", airflow_venv("2.11.2").path)
    source, there = Secret(legacy.url), Secret(postgres_url)
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("create table theirs (n int)")
        with pytest.raises(Conflict, match="not empty"):
            copy_across(source, there, tool, LINES.append, mark="move-1")
        connection.execute("drop table theirs")
    with closing(open_end(there)) as end:  # an attempt of the same move that was killed half way
        end.set_mark("move-1")
        end.create("dag", {"half": "text"})
    with closing(sqlite3.connect(legacy.database)) as connection:
        connection.execute("create table _airflow_moved__x (id INTEGER, at DATETIME, note TEXT, data JSON)")
        connection.execute("insert into _airflow_moved__x values (1, '2026-01-01 00:00:00.000000', 'é', '{}')")
        connection.commit()
        highest = connection.execute("select max(id) from dag_run").fetchone()[0]
    moved = copy_across(source, there, tool, LINES.append, mark="move-1")
    assert moved.rows["task_instance"] > 0
    assert moved.rows["_airflow_moved__x"] == 1
    with psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True) as pg:
        row = pg.execute("select nextval(pg_get_serial_sequence('dag_run', 'id'))").fetchone()
        assert row == (highest + 1,)
        foreign = pg.execute("select count(*) from pg_constraint where contype = 'f'").fetchone()
        assert foreign is not None
        assert foreign[0] > 10
    settle(there)
    back = Secret(f"sqlite:///{tmp_path / 'back.db'}")
    returned = copy_across(there, back, tool, LINES.append, mark="move-2")
    assert returned.digests == moved.digests
    assert not discard(back, "somebody-else")
    assert discard(back, "move-2")


def test_a_changed_value_changes_the_digest_and_the_order_does_not() -> None:
    columns = [Column("a", "boolean"), Column("b", "json"), Column("c", "moment")]
    rows = [
        (1, '{"x": 1, "y": [1.5, null]}', "2026-01-01 00:00:00.000000"),
        (0, None, None),
        (None, 1, "2026-01-01 00:00:01"),
    ]

    def digest(rows: Sequence[tuple[object, ...]]) -> str:
        found = RowDigest(columns)
        found.add(rows)
        return found.text()

    same = [(None, "1", "2026-01-01 00:00:01.000000"), (0, None, None), (1, '{"y":[1.5,null],"x":1}', rows[0][2])]
    assert digest(list(rows)) == digest(same)
    assert digest(list(rows)) != digest([*same[:2], (1, '{"y":[1.5,null],"x":2}', rows[0][2])])
    assert digest(list(rows)) != digest(list(rows[:2]))


def test_values_that_differ_by_database_keep_their_meaning(postgres_url: str, tmp_path: Path) -> None:
    with closing(open_end(Secret(postgres_url))) as pg, closing(SqliteEnd(tmp_path / "a.db")) as lite:
        pg.create(
            "t",
            {
                "flag": "boolean",
                "at": "timestamptz",
                "doc": "json",
                "blob": "bytea",
                "uid": "uuid",
                "span": "interval",
                "amount": "double precision",
                "word": "text",
            },
        )
        lite.create("t", dict.fromkeys(("flag", "at", "doc", "blob", "uid", "span", "amount", "word"), ""))
        columns = [
            Column("flag", "boolean"),
            Column("at", "moment"),
            Column("doc", "json"),
            Column("blob", "binary"),
            Column("uid", "uuid", is_hex=True),
            Column("span", "span"),
            Column("amount", "number"),
            Column("word", "plain"),
        ]
        rows = [
            (1, "2026-03-29 00:30:00.000001", '{"n": 1.10, "s": "\\u0000é"}', b"\x00\xff\\x", "00" * 16, "1970-01-02 00:00:00.500000", 0.1, "a\tb\\N\n"),
            (0, "1999-12-31 23:59:59.999999", "null", b"", "ab" * 16, "1970-01-01 00:00:00.000000", -1e300, ""),
            (None,) * 8,
        ]  # fmt: skip
        pg.fill("t", columns, [rows])
        assert [row for batch in pg.read("t", columns) for row in batch] == rows
        lite.fill("t", columns, pg.read("t", columns))
        assert [row for batch in lite.read("t", columns) for row in batch] == rows
