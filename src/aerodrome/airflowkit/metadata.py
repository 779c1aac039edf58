"""An Airflow metadata database, opened for reading and known by reflection: which tables and columns it really has.

The rest of a session may not write: SQLite opens with `mode=ro`, PostgreSQL and MySQL begin READ ONLY transactions. Only
`writing()` may, and only sources use it, to pause a DAG. Errors never show the URL's password.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from threading import get_ident
from typing import Any

from sqlalchemy import (
    URL,
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.dialects.sqlite import DATETIME
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.pool import NullPool

from aerodrome.kernel.addresses import check_host
from aerodrome.kernel.errors import AerodromeError, Denied, Invalid, Unavailable
from aerodrome.kernel.secret import Secret

CONNECT_TIMEOUT_S = 10
SQLITE_BUSY_TIMEOUT_S = 30.0
NAMES = ("alembic_version", "dag", "dag_run", "task_instance", "connection", "variable", "slot_pool")
"""Tables by which an Airflow metadata database is recognised."""


class MetadataDatabase:
    """A metadata database. Cheap to make; nothing connects before the first use."""

    def __init__(self, url: Secret) -> None:
        """Take a SQLAlchemy URL for SQLite, PostgreSQL, MySQL or MariaDB, whatever driver it names."""
        self._url = _parsed(url)
        self.dialect = self._url.get_backend_name()
        self.label = _label(self._url)
        self._reader = _engine(self._url, is_read_only=True)
        self._writer = _engine(self._url, is_read_only=False)
        self._kept: dict[int, Connection] = {}  # by thread

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that cannot write."""
        kept = self._kept.get(get_ident())
        if kept is not None and not kept.in_transaction():
            with _translated(self.label), kept.begin():
                yield kept
            return
        with _translated(self.label), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Let the transactions of this thread share a connection to a SQLite file: each new one reads the whole schema first."""
        thread = get_ident()
        if self.dialect != "sqlite" or thread in self._kept:
            yield
            return
        with _translated(self.label), self._reader.connect() as connection:
            self._kept[thread] = connection
            try:
                yield
            finally:
                del self._kept[thread]

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose transaction commits at the end of the block."""
        with _translated(self.label), self._writer.begin() as connection:
            yield connection

    @cached_property
    def columns(self) -> Mapping[str, frozenset[str]]:
        """Which columns each table has; Invalid `not-an-airflow-database` when Airflow's tables are missing."""
        with self.reading() as connection:
            inspector = inspect(connection)
            found = {
                name: frozenset(column["name"] for column in columns)
                for (_schema, name), columns in inspector.get_multi_columns().items()
                if name
            }
        missing = [name for name in NAMES if name not in found]
        if missing:
            raise Invalid(
                f"{self.label} is not an Airflow metadata database: it has no table {missing[0]}.",
                code="not-an-airflow-database",
                hint="Give the URL of [database] sql_alchemy_conn (before 2.3: [core] sql_alchemy_conn).",
                details={"missing": missing},
            )
        return found

    def has(self, table: str, column: str | None = None) -> bool:
        """Tell whether the table, or the column in it, exists."""
        return table in self.columns and (column is None or column in self.columns[table])

    def table(self, name: str) -> Table:
        """Give the table for queries, its types reflected."""
        cached = self._tables.get(name)
        if cached is None:
            with self.reading() as connection:
                listeners = [("column_reflect", _read_any_moment)] if self.dialect == "sqlite" else []
                cached = Table(name, MetaData(), autoload_with=connection, resolve_fks=False, listeners=listeners)
            self._tables[name] = cached
        return cached

    @cached_property
    def _tables(self) -> dict[str, Table]:
        return {}

    def twin(self, name: str) -> Any:
        """Give a second name of the table, for queries in which it stands twice; made once, because making is slow."""
        if name not in self._twins:
            self._twins[name] = self.table(name).alias()
        return self._twins[name]

    @cached_property
    def _twins(self) -> dict[str, Any]:
        return {}

    def column(self, table: str, name: str) -> Column[Any]:
        return self.table(table).c[name]

    def version(self) -> str:
        """Give the database's product and version: "sqlite 3.40.1", "postgresql 15.18", "mariadb 10.11.19"."""
        with self.reading() as connection:
            if self.dialect == "sqlite":
                return f"sqlite {connection.scalar(text('select sqlite_version()'))}"
            if self.dialect == "mysql":
                version, _, product = str(connection.scalar(text("select version()"))).partition("-")
                return f"{'mariadb' if 'mariadb' in product.lower() else 'mysql'} {version}"
            return f"postgresql {str(connection.scalar(text('show server_version'))).split()[0]}"

    def stored(self, moment: datetime) -> datetime:
        """Give an aware moment as this database compares and stores it: all but PostgreSQL know naive ones, in UTC."""
        return moment if self.dialect == "postgresql" else moment.astimezone(UTC).replace(tzinfo=None)

    def revision(self) -> str:
        """Give the alembic revision of the schema; empty when the table is."""
        with self.reading() as connection:
            return str(connection.scalar(text("select version_num from alembic_version")) or "")

    def close(self) -> None:
        self._reader.dispose()
        self._writer.dispose()


def label_of(url: Secret) -> str:
    """Write where a database is, fit to be shown: neither the password nor what stands behind the question mark."""
    return _label(_parsed(url))


def _label(url: URL) -> str:
    return url.set(query={}).render_as_string(hide_password=True)


def _parsed(url: Secret) -> URL:
    hint = "Give it as postgresql://user:password@host:5432/airflow, mysql://… or sqlite:////path/to/airflow.db."
    try:
        parsed = make_url(url.reveal().replace("postgres://", "postgresql://", 1))
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError, NoSuchModuleError):
        raise Invalid("The database URL cannot be read.", code="database-url-malformed", hint=hint) from None
    check_host(parsed.host)
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend == "sqlite" and parsed.database:
        return parsed.set(drivername="sqlite")
    if backend in ("mysql", "mariadb"):
        kept = {name: value for name, value in parsed.query.items() if name.startswith("ssl_") or name == "unix_socket"}
        return parsed.set(drivername="mysql+pymysql", query={**kept, "charset": "utf8mb4"})
    raise Invalid(
        f"A metadata database of the kind {backend} cannot be read.", code="database-kind-unsupported", hint=hint
    )


def _engine(url: URL, *, is_read_only: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        path = Path(url.database or "").expanduser().absolute()

        def connect() -> sqlite3.Connection:
            return _sqlite(path, is_read_only=is_read_only)

        return create_engine("sqlite://", creator=connect, poolclass=NullPool)
    if url.get_backend_name() == "mysql":
        return _mysql(url, is_read_only=is_read_only)
    return create_engine(
        url,
        pool_size=4,  # a transfer uses four at once; one that is not kept is made anew every moment
        max_overflow=0,
        pool_use_lifo=True,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "aerodrome",
            "client_encoding": "utf8",  # of a database that was made with SQL_ASCII the driver gives bytes otherwise
        },
        execution_options={"postgresql_readonly": True} if is_read_only else {},
        hide_parameters=True,
    )


def _mysql(url: URL, *, is_read_only: bool) -> Engine:
    try:
        engine = create_engine(
            url,
            pool_size=2,
            max_overflow=2,
            pool_pre_ping=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "conv": _mysql_converters()},
            hide_parameters=True,
        )
    except ModuleNotFoundError:
        raise Invalid(
            "Reading MySQL and MariaDB takes a driver that is not installed.",
            code="database-driver-missing",
            hint="Install aerodrome[mysql] where this runs.",
        ) from None

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+00:00'")  # its TIMESTAMP columns are shown in the session's zone
            if is_read_only:
                cursor.execute("SET SESSION TRANSACTION READ ONLY")

    return engine


def _mysql_converters() -> dict[Any, Any]:
    """Give the driver's conversions with a fast one for moments: its own takes most of the time of reading history."""
    from pymysql.constants import FIELD_TYPE
    from pymysql.converters import conversions, convert_datetime

    def moment(text: str | bytes) -> Any:
        try:
            return datetime.fromisoformat(text)  # type: ignore[arg-type]
        except (TypeError, ValueError):  # "0000-00-00 00:00:00", and whatever the driver knows besides
            return convert_datetime(text)

    return {**conversions, FIELD_TYPE.DATETIME: moment, FIELD_TYPE.TIMESTAMP: moment}


class _Moment(DATETIME):
    """Moments of SQLite, which keeps any text in such a column: what is no moment is given as the text that it is."""

    def result_processor(self, dialect: Any, coltype: Any) -> Any:
        strict: Any = super().result_processor(dialect, coltype)

        def process(value: Any) -> Any:
            try:
                return strict(value)
            except (TypeError, ValueError):
                return str(value)

        return process


def _read_any_moment(_inspector: Any, _table: Any, column: Any) -> None:
    if isinstance(column["type"], DateTime):
        column["type"] = _Moment()  # type: ignore[no-untyped-call]


def _sqlite(path: Path, *, is_read_only: bool) -> sqlite3.Connection:
    mode = "ro" if is_read_only else "rw"  # never "rwc": a wrong path must not create a file
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode={mode}", uri=True, timeout=SQLITE_BUSY_TIMEOUT_S, check_same_thread=False
    )
    if is_read_only:
        connection.execute("PRAGMA query_only=ON")
    return connection


@contextmanager
def _translated(label: str) -> Iterator[None]:
    """Turn a driver's error into one sentence with a next step; the cause's text may hold data, so it stays behind."""
    try:
        yield
    except DBAPIError as error:
        raise _as_error(error.orig, label) from error.orig
    except sqlite3.Error as error:  # rows that are fetched from the driver itself
        raise _as_error(error, label) from error


def _not_utf8(label: str, column: re.Match[str] | None) -> Invalid:
    return Invalid(
        f"{label} holds a text that is not UTF-8{f', in a column {column[1]}' if column else ''}.",
        code="source-text-unreadable",
        hint="Mend the rows in the source, then try again: `hex(COLUMN)` of SQLite and `COLUMN::bytea` of PostgreSQL show the bytes.",
    )


_COLUMN = re.compile(r"column '(\w+)'")
_MYSQL_STATES: dict[Any, str] = {
    1045: "28000", 1698: "28000", 1049: "3D000", 1146: "42P01", 1054: "42703",
    1044: "42501", 1142: "42501", 1143: "42501", 1227: "42501", 1370: "42501", 1792: "42501",
}  # fmt: skip
"""Error numbers of MySQL and MariaDB -> the SQLSTATE by which PostgreSQL says the same."""


def _as_error(error: BaseException | None, label: str) -> AerodromeError:
    number = next(iter(getattr(error, "args", ())), None)
    state = _MYSQL_STATES.get(number) or getattr(error, "sqlstate", None)
    message = str(error).lower()
    if state in ("28P01", "28000") or "authentication failed" in message or "no password supplied" in message:
        return Denied(
            f"The database of {label} refuses the user or the password.",
            code="source-login-refused",
            hint="Check the user and password in the URL, and pg_hba.conf.",
        )
    if state == "42501" or "permission denied" in message or "readonly database" in message:
        return Denied(
            f"The user of {label} lacks a right that is needed here.",
            code="source-right-missing",
            hint="Grant SELECT on all tables; to pause DAGs at cutover also UPDATE on dag and INSERT on log.",
        )
    if state == "3D000":
        return Invalid(
            f"The server of {label} has no such database.",
            code="source-database-unknown",
            hint="Check the database's name in the URL.",
        )
    if "not a database" in message:
        return Invalid(
            f"{label} is not a SQLite database.", code="not-an-airflow-database", hint="Check the path in the URL."
        )
    if state == "22021" or "could not decode to utf-8" in message:  # PostgreSQL; SQLite's driver. What they say is data
        return _not_utf8(label, _COLUMN.search(message))
    if "locked" in message:
        return Unavailable(
            f"{label} is locked by another process.", code="source-database-locked", hint="Try again in a moment."
        )
    if state in ("42P01", "42703") or "no such table" in message or "no such column" in message:
        return Invalid(
            f"{label} lacks a table or column that Airflow has.",
            code="not-an-airflow-database",
            hint="Give the metadata database of a migrated Airflow (`airflow db migrate`).",
        )
    return Unavailable(
        f"The database of {label} does not answer.",
        code="source-unreachable",
        hint="Check host, port and network path (for SQLite: the path and its rights), then try again.",
    )
