"""The two ends of a crossing: one SQLite file or one PostgreSQL database, each as tables that are read and filled in bulk.

Both speak the same language: rows as SQLite holds them. PostgreSQL's end writes its rows so on the server (see cross_values.py).
Foreign keys are out of the way while tables are filled, and proved to hold before the end is closed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from aerodrome.databases.cross_values import Column, form_of, from_postgres, to_postgres
from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret

BATCH = 5000
MARK = "_aerodrome_crossing"


class End(Protocol):
    """What the crossing needs of a database."""

    dialect: str

    def tables(self) -> dict[str, dict[str, str]]:
        """Give all tables with their columns and the columns' declared types."""
        ...

    def read(self, table: str, columns: Sequence[Column]) -> Iterator[list[tuple[Any, ...]]]: ...

    def fill(self, table: str, columns: Sequence[Column], batches: Iterable[Sequence[Sequence[Any]]]) -> None: ...

    def create(self, table: str, columns: Mapping[str, str]) -> None:
        """Make a table that no fresh database has; columns with their types."""
        ...

    def clear(self, tables: Iterable[str]) -> None:
        """Remove the rows of tables that a fresh `db migrate` filled."""
        ...

    def wipe(self) -> None:
        """Remove every table and type."""
        ...

    def mark(self) -> str | None:
        """Give the mark that stands in the database."""
        ...

    def set_mark(self, mark: str | None) -> None: ...

    def loosen(self) -> None:
        """Take foreign keys out of the way."""
        ...

    def tighten(self) -> None:
        """Put foreign keys back, prove them, and set sequences behind the highest keys."""
        ...

    def close(self) -> None: ...


def open_end(url: Secret) -> End:
    """Open the database behind the URL; a SQLite file is made when it is missing."""
    parsed = make_url(url.reveal())
    if parsed.get_backend_name() == "sqlite":
        return SqliteEnd(Path(parsed.database or ""))
    return PostgresEnd(url)


class SqliteEnd:
    """A SQLite file."""

    dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._connection.execute("PRAGMA foreign_keys=OFF")
        self._connection.execute("PRAGMA synchronous=NORMAL")

    def tables(self) -> dict[str, dict[str, str]]:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
        names = [name for (name,) in self._connection.execute(query) if name != MARK]
        return {
            name: {row[1]: str(row[2]) for row in self._connection.execute(f"PRAGMA table_info({_quoted(name)})")}
            for name in names
        }

    def read(self, table: str, columns: Sequence[Column]) -> Iterator[list[tuple[Any, ...]]]:
        names = ", ".join(_quoted(column.name) for column in columns)
        cursor = self._connection.execute(f"SELECT {names} FROM {_quoted(table)}")
        while rows := cursor.fetchmany(BATCH):
            yield rows

    def fill(self, table: str, columns: Sequence[Column], batches: Iterable[Sequence[Sequence[Any]]]) -> None:
        names, marks = ", ".join(_quoted(column.name) for column in columns), ", ".join("?" * len(columns))
        statement = f"INSERT INTO {_quoted(table)} ({names}) VALUES ({marks})"
        self._connection.execute("BEGIN")
        try:
            for rows in batches:
                self._connection.executemany(statement, rows)
        except sqlite3.Error as error:
            self._connection.execute("ROLLBACK")
            raise _refused(table, str(error)) from error
        self._connection.execute("COMMIT")

    def create(self, table: str, columns: Mapping[str, str]) -> None:
        parts = ", ".join(f"{_quoted(name)} {kind}" for name, kind in columns.items())
        self._connection.execute(f"CREATE TABLE {_quoted(table)} ({parts})")

    def clear(self, tables: Iterable[str]) -> None:
        for table in tables:
            self._connection.execute(f"DELETE FROM {_quoted(table)}")

    def wipe(self) -> None:
        for name in [*self.tables(), MARK]:
            self._connection.execute(f"DROP TABLE IF EXISTS {_quoted(name)}")
        self._connection.execute("VACUUM")

    def mark(self) -> str | None:
        query = "SELECT count(*) FROM sqlite_master WHERE name = ?"
        if not self._connection.execute(query, (MARK,)).fetchone()[0]:
            return None
        row = self._connection.execute(f"SELECT mark FROM {MARK}").fetchone()
        return None if row is None else str(row[0])

    def set_mark(self, mark: str | None) -> None:
        self._connection.execute(f"DROP TABLE IF EXISTS {MARK}")
        if mark is not None:
            self._connection.execute(f"CREATE TABLE {MARK} (mark TEXT)")
            self._connection.execute(f"INSERT INTO {MARK} VALUES (?)", (mark,))

    def loosen(self) -> None:
        pass  # off in this connection since its beginning

    def tighten(self) -> None:
        broken = self._connection.execute("PRAGMA foreign_key_check").fetchone()
        if broken is not None:
            raise _refused(str(broken[0]), f"a row refers to a row of {broken[2]} that is not there")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._connection.close()


class PostgresEnd:
    """A PostgreSQL database, the schema that the connection uses by default."""

    dialect = "postgresql"

    def __init__(self, url: Secret) -> None:
        parsed = make_url(url.reveal()).set(drivername="postgresql")
        self._connection = psycopg.connect(
            parsed.render_as_string(hide_password=False),
            autocommit=True,
            connect_timeout=10,
            application_name="aerodrome-crossing",
            options="-c timezone=UTC -c statement_timeout=0",
        )
        self._loosened: list[tuple[str, str, str]] = []

    def tables(self) -> dict[str, dict[str, str]]:
        query = """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
            WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
            ORDER BY c.relname, a.attnum"""
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self._connection.execute(query).fetchall():
            if table != MARK:
                found.setdefault(table, {})[column] = kind
        return found

    def read(self, table: str, columns: Sequence[Column]) -> Iterator[list[tuple[Any, ...]]]:
        parts = [sql.SQL(from_postgres(column)).format(sql.Identifier(column.name)) for column in columns]
        query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(parts), sql.Identifier(table))
        with self._connection.transaction(), self._connection.cursor(name="crossing") as cursor:
            cursor.execute(query)
            while rows := cursor.fetchmany(BATCH):
                yield rows

    def fill(self, table: str, columns: Sequence[Column], batches: Iterable[Sequence[Sequence[Any]]]) -> None:
        names = sql.SQL(", ").join(sql.Identifier(column.name) for column in columns)
        statement = sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)
        changes = [(place, change) for place, column in enumerate(columns) if (change := to_postgres(column))]
        try:
            with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
                for rows in batches:
                    for row in rows:
                        values = list(row)
                        for place, change in changes:
                            if values[place] is not None:
                                values[place] = change(values[place])
                        copy.write_row(values)
        except (psycopg.Error, ValueError, UnicodeError) as error:
            said = getattr(getattr(error, "diag", None), "message_primary", None) or type(error).__name__
            raise _refused(table, said) from error

    def create(self, table: str, columns: Mapping[str, str]) -> None:
        parts = [sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind)) for name, kind in columns.items()]
        self._connection.execute(
            sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(table), sql.SQL(", ").join(parts))
        )

    def clear(self, tables: Iterable[str]) -> None:
        names = [sql.Identifier(table) for table in tables]
        if names:
            self._connection.execute(sql.SQL("TRUNCATE {} CASCADE").format(sql.SQL(", ").join(names)))

    def wipe(self) -> None:
        for name in [*self.tables(), MARK]:
            self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {} CASCADE").format(sql.Identifier(name)))
        rest = """SELECT 'TYPE', typname FROM pg_type t WHERE typnamespace = current_schema()::regnamespace AND typtype = 'e'
            UNION ALL SELECT 'SEQUENCE', relname FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace AND relkind = 'S'"""
        for kind, name in self._connection.execute(rest).fetchall():
            drop = sql.SQL("DROP TYPE IF EXISTS {} CASCADE" if kind == "TYPE" else "DROP SEQUENCE IF EXISTS {} CASCADE")
            self._connection.execute(drop.format(sql.Identifier(name)))

    def mark(self) -> str | None:
        found = self._connection.execute("SELECT to_regclass(%s)", (MARK,)).fetchone()
        if found is None or found[0] is None:
            return None
        row = self._connection.execute(sql.SQL("SELECT mark FROM {}").format(sql.Identifier(MARK))).fetchone()
        return None if row is None else str(row[0])

    def set_mark(self, mark: str | None) -> None:
        name = sql.Identifier(MARK)
        with self._connection.transaction():
            self._connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(name))
            if mark is not None:
                self._connection.execute(sql.SQL("CREATE TABLE {} (mark TEXT)").format(name))
                self._connection.execute(sql.SQL("INSERT INTO {} VALUES ({})").format(name, sql.Literal(mark)))

    def loosen(self) -> None:
        query = """SELECT c.conrelid::regclass::text, c.conname, pg_get_constraintdef(c.oid) FROM pg_constraint c
            WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace ORDER BY 1, 2"""
        self._loosened = [(str(a), str(b), str(c)) for a, b, c in self._connection.execute(query).fetchall()]
        for table, name, _ in self._loosened:
            # regclass writes the name as SQL needs it
            self._connection.execute(
                sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(sql.SQL(table), sql.Identifier(name))
            )

    def tighten(self) -> None:
        for table, name, definition in self._loosened:
            statement = sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(
                sql.SQL(table),
                sql.Identifier(name),
                sql.SQL(definition),
            )
            try:
                self._connection.execute(statement)
            except psycopg.errors.ForeignKeyViolation as error:
                raise _refused(table, str(error.diag.message_primary)) from error
        self._loosened = []
        for table, columns in self.tables().items():
            for column in columns:
                self._advance(table, column)
        self._connection.execute("ANALYZE")

    def _advance(self, table: str, column: str) -> None:
        found = self._connection.execute("SELECT pg_get_serial_sequence(%s, %s)", (f'"{table}"', column)).fetchone()
        if found is None or found[0] is None:
            return
        query = sql.SQL("SELECT setval({}, greatest((SELECT max({}) FROM {}), 1), (SELECT count(*) > 0 FROM {}))")
        self._connection.execute(
            query.format(sql.Literal(found[0]), sql.Identifier(column), sql.Identifier(table), sql.Identifier(table))
        )

    def close(self) -> None:
        self._connection.close()


def columns_of(postgres: Mapping[str, str], sqlite: Mapping[str, str], names: Iterable[str]) -> list[Column]:
    """Give the columns with their forms: PostgreSQL knows what they are, SQLite how it writes UUIDs."""
    return [
        Column(
            name,
            form_of(postgres[name]),
            has_zone="without time zone" not in postgres[name],
            is_hex="(32)" in sqlite[name],
        )
        for name in names
    ]


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refused(table: str, reason: str) -> Broken:
    return Broken(
        f"The rows of {table} cannot be copied: {reason}.",
        code="crossing-refused",
        hint="The database that is in use was not changed. Mend or remove the rows, then try again.",
        details={"table": table},
    )
