"""Two databases under one set of words: SQLite and PostgreSQL, the older one written, the newer one only read.

Values travel as text (dates, JSON, UUIDs as the database writes them), numbers or bytes; both ends are of the same kind.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg
from psycopg.types.string import TextLoader

from aerodrome.databases.places import Place, SqlitePlace

Row = Sequence[Any]
_CHUNK = 5000
_AS_TEXT = ("json", "jsonb", "timestamp", "timestamptz", "date", "uuid", "numeric", "interval", "float8")
_SETTINGS = "-c TimeZone=UTC -c DateStyle=ISO -c work_mem=128MB -c synchronous_commit=off -c jit=off"
# statistics lag behind what was just written: without nested loops every join stays linear, whatever the planner believes
_SETTINGS += " -c enable_nestloop=off"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


class Side:
    """One database in one transaction. Statements are written in the SQL that both dialects know."""

    dialect: str
    functions = ""  # prefix of our own functions key_hash(text) and a_bit_later(moment)

    def run(self, statement: str) -> int:
        """Execute a statement; give the number of rows it changed."""
        raise NotImplementedError

    def rows(self, statement: str) -> list[Row]:
        """Give all rows of a small result."""
        raise NotImplementedError

    def stream(self, statement: str) -> Iterator[Row]:
        """Give the rows of a big result, a few thousand in memory at a time."""
        raise NotImplementedError

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        """Add rows to a table in bulk; give their number."""
        raise NotImplementedError

    def tables(self) -> frozenset[str]:
        raise NotImplementedError

    def columns(self, table: str) -> dict[str, str]:
        """Give the columns of a table in order, with their types' names; empty when there is no such table."""
        raise NotImplementedError

    def one(self, statement: str) -> Any:
        """Give the first value of the first row, or None."""
        found = self.rows(statement)
        return found[0][0] if found else None

    def moment(self, at: datetime) -> str:
        """Write a moment as an SQL literal."""
        text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
        return f"'{text}'" if self.dialect == "sqlite" else f"timestamptz '{text}+00'"

    def empty_copy(self, name: str, table: str, columns: Sequence[str], extra: str = "") -> None:
        """Make a temporary table with these columns of a table."""
        wanted = ", ".join(quoted(column) for column in columns)
        self.run(f"create temp table {name} as select {wanted}{extra} from {quoted(table)} where 1 = 0")

    def analyze(self, table: str) -> None:
        """Let the planner know a table that was just filled."""


class SqliteSide(Side):
    dialect = "sqlite"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        connection.create_function("key_hash", 1, lambda text: zlib.crc32(str(text).encode()), deterministic=True)
        connection.create_function("a_bit_later", 1, _a_bit_later, deterministic=True)

    def run(self, statement: str) -> int:
        return max(0, self._connection.execute(statement).rowcount)

    def rows(self, statement: str) -> list[Row]:
        return self._connection.execute(statement).fetchall()

    def stream(self, statement: str) -> Iterator[Row]:
        with closing(self._connection.execute(statement)) as cursor:
            while chunk := cursor.fetchmany(_CHUNK):
                yield from chunk

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        names, marks = ", ".join(map(quoted, columns)), ", ".join("?" for _ in columns)
        statement, iterator, count = f"insert into {table} ({names}) values ({marks})", iter(rows), 0
        while chunk := list(islice(iterator, _CHUNK)):
            self._connection.executemany(statement, chunk)
            count += len(chunk)
        return count

    def tables(self) -> frozenset[str]:
        return frozenset(row[0] for row in self.rows("select name from sqlite_master where type = 'table'"))

    def columns(self, table: str) -> dict[str, str]:
        return {row[1]: str(row[2]).lower() for row in self.rows(f"pragma table_info({quoted(table)})")}


class PostgresSide(Side):
    dialect = "postgresql"
    functions = "pg_temp."

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        for name in _AS_TEXT:
            connection.adapters.register_loader(name, TextLoader)

    def run(self, statement: str) -> int:
        return max(0, self._connection.execute(statement.encode()).rowcount)

    def rows(self, statement: str) -> list[Row]:
        return self._connection.execute(statement.encode()).fetchall()

    def stream(self, statement: str) -> Iterator[Row]:
        with self._connection.cursor(name="back") as cursor:
            cursor.itersize = _CHUNK
            cursor.execute(statement.encode())
            yield from cursor

    def load(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> int:
        names, count = ", ".join(map(quoted, columns)), 0
        statement = f"copy {table} ({names}) from stdin"
        with self._connection.cursor() as cursor, cursor.copy(statement.encode()) as copy:
            for row in rows:
                copy.write_row(row)
                count += 1
        return count

    def tables(self) -> frozenset[str]:
        return frozenset(
            row[0] for row in self.rows("select tablename from pg_tables where schemaname = current_schema()")
        )

    def columns(self, table: str) -> dict[str, str]:
        found = self.rows(
            "select column_name, udt_name from information_schema.columns where table_schema = current_schema() "
            f"and table_name = '{table}' order by ordinal_position"
        )
        return {row[0]: row[1] for row in found}

    def analyze(self, table: str) -> None:
        self.run(f"analyze {table}")


_FUNCTIONS = """
create function pg_temp.key_hash(text) returns bigint language sql immutable as 'select hashtextextended($1, 0) >> 20';
create function pg_temp.a_bit_later(timestamptz) returns timestamptz language sql immutable
    as 'select $1 + interval ''1 microsecond''';
"""


@contextmanager
def reading(place: Place) -> Iterator[Side]:
    """Open the newer database as of one moment; what is written (temporary tables) is undone at the end."""
    if isinstance(place, SqlitePlace):
        with closing(place.connect(is_read_only=True)) as connection:
            connection.execute("begin")
            yield SqliteSide(connection)
        return
    with closing(place.connect(is_autocommit=False, settings=_SETTINGS)) as session:
        session.execute("set transaction isolation level repeatable read")
        yield from _postgres(session)
        session.rollback()


@contextmanager
def writing(place: Place) -> Iterator[Side]:
    """Open the older database in one transaction, committed at the end of the block, undone when it raises."""
    if isinstance(place, SqlitePlace):
        with closing(place.connect()) as connection:
            connection.execute("pragma foreign_keys=on")
            connection.execute("pragma synchronous=off")  # a draft: its file is written through before it is swapped in
            connection.execute("begin immediate")
            yield SqliteSide(connection)
            connection.execute("commit")
        return
    with closing(place.connect(is_autocommit=False, settings=_SETTINGS)) as session:
        yield from _postgres(session)
        session.commit()


def _postgres(session: psycopg.Connection[Any]) -> Iterator[Side]:
    for statement in _FUNCTIONS.split(";\n"):
        if statement.strip():
            session.execute(statement.encode())
    yield PostgresSide(session)


def _a_bit_later(text: str) -> str:
    moment = datetime.fromisoformat(text) + timedelta(microseconds=1)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")
