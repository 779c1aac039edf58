"""Where a metadata database is: a SQLite file or a database of a PostgreSQL server, and what lies next to it.

Used by every module of this room. Passwords leave this module only as a connection, a URL in a Secret, or a 0600 file.
"""

from __future__ import annotations

import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from aerodrome.kernel.addresses import check_host
from aerodrome.kernel.errors import AerodromeError, Conflict, Denied, Invalid, Unavailable
from aerodrome.kernel.secret import Secret

_BUSY_S = 30.0
_CONNECT_S = 10
_NAME_BYTES = 63
_PASSED_ON = (
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "channel_binding",
    "options",
    "gssencmode",
    "target_session_attrs",
)
_HINT = "Give it as postgresql://user:password@host:5432/airflow or sqlite:////path/to/airflow.db."


@dataclass(frozen=True)
class SqlitePlace:
    """A database file."""

    path: Path
    url: Secret

    @property
    def label(self) -> str:
        return str(self.path)

    def sibling(self, purpose: str) -> SqlitePlace:
        """Name a hidden file in the same folder."""
        path = self.path.with_name(f".{self.path.name}.{purpose}")
        return SqlitePlace(path, Secret(f"sqlite:///{path}"))

    def connect(self, *, is_read_only: bool = False) -> sqlite3.Connection:
        """Open the file; never makes one. Autocommit: begin transactions yourself."""
        mode = "ro" if is_read_only else "rw"
        try:
            return sqlite3.connect(f"{self.path.as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise _unreachable(self.label) from error

    def copy_to(self, target: Path) -> None:
        """Copy the database, consistent at one moment, into a file of its own (0600), without a WAL beside it."""
        remove_sqlite(target)
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
        try:
            with closing(self.connect(is_read_only=True)) as source, closing(sqlite3.connect(target)) as copy:
                source.backup(copy)
                copy.execute("pragma journal_mode=delete")
        except sqlite3.DatabaseError as error:
            raise Invalid(
                f"{self.label} cannot be read as a SQLite database: {error}.",
                code="not-an-airflow-database",
                hint="Check the path in the URL.",
            ) from error

    def take_over(self, draft: Path) -> None:
        """Put a finished file in the place of this one, durably and in one step. Nobody may have this one open."""
        with draft.open("rb") as stream:
            os.fsync(stream.fileno())
        self._settle()
        draft.replace(self.path)
        sync_folder(self.path.parent)

    def _settle(self) -> None:
        """Write what is in the WAL or the journal into the file: neither may be applied to the file that comes."""
        if self.path.exists() and self.path.stat().st_size:
            try:
                with closing(self.connect()) as connection:
                    connection.execute("pragma journal_mode=delete").fetchall()
            except sqlite3.OperationalError as error:
                if "locked" in str(error):
                    raise Conflict(
                        f"The database {self.label} is still in use by another program.",
                        code="database-in-use",
                        hint="Stop everything that has it open, then try again.",
                    ) from error
            except sqlite3.DatabaseError:  # it is no database any more: nothing to save
                pass
        for suffix in ("-wal", "-shm", "-journal"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)


def remove_sqlite(path: Path) -> None:
    """Remove a database file and what SQLite keeps beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@dataclass(frozen=True)
class PostgresPlace:
    """A database of a server."""

    parsed: URL

    def __repr__(self) -> str:
        return f"PostgresPlace({self.label})"

    @property
    def name(self) -> str:
        return self.parsed.database or ""

    @property
    def label(self) -> str:
        return self.parsed.set(query={}, drivername="postgresql").render_as_string(hide_password=True)

    @property
    def url(self) -> Secret:
        return Secret(self.parsed.render_as_string(hide_password=False))

    def named(self, name: str) -> PostgresPlace:
        """Give another database of the same server."""
        return PostgresPlace(self.parsed.set(database=name))

    def sibling(self, purpose: str) -> PostgresPlace:
        """Name a database of the same server after this one."""
        name = f"{self.name}__{purpose}"
        if len(name.encode()) > _NAME_BYTES:
            name = f"{sha256(self.name.encode()).hexdigest()[:24]}__{purpose}"
        return self.named(name)

    def connect(self, *, is_autocommit: bool = True, settings: str = "") -> psycopg.Connection[Any]:
        """Connect; errors say who refused, without the password."""
        options: dict[str, Any] = {key: str(self.parsed.query[key]) for key in _PASSED_ON if key in self.parsed.query}
        if settings:
            options["options"] = f"{options.get('options', '')} {settings}".strip()
        host = self.parsed.host or self.parsed.query.get("host") or ""
        if self.parsed.password is not None:
            options["password"] = str(self.parsed.password)
        try:
            return psycopg.connect(
                host=str(host),
                port=self.parsed.port or 5432,
                user=self.parsed.username,
                dbname=self.name,
                connect_timeout=_CONNECT_S,
                application_name="aerodrome",
                autocommit=is_autocommit,
                **options,
            )
        except psycopg.OperationalError as error:
            raise _refused(error, self.label) from None  # the driver's text may name the whole conninfo

    @contextmanager
    def program_environment(self, settings: str = "") -> Iterator[dict[str, str]]:
        """Give the environment in which PostgreSQL's programs find this database; the password is in a 0600 file."""
        with tempfile.TemporaryDirectory(prefix="aerodrome-pg-") as folder:
            file = Path(folder) / "pass"
            file.touch(mode=0o600)
            password = re.sub(r"([\\:])", r"\\\1", self.parsed.password or "")
            file.write_text(f"*:*:*:*:{password}\n")
            kept = {key: value for key, value in os.environ.items() if not key.startswith(("PG", "LC_", "LANG"))}
            query = self.parsed.query
            options = f"{query.get('options', '')} {settings}".strip()
            wanted = {
                "PGHOST": str(self.parsed.host or query.get("host") or ""),
                "PGPORT": str(self.parsed.port or 5432),
                "PGUSER": self.parsed.username or "",
                "PGDATABASE": self.name,
                "PGPASSFILE": str(file),
                "PGCONNECT_TIMEOUT": str(_CONNECT_S),
                "PGAPPNAME": "aerodrome",
                "PGOPTIONS": options,
                "PGSSLMODE": str(query.get("sslmode", "")),
                "PGSSLROOTCERT": str(query.get("sslrootcert", "")),
                "PGSSLCERT": str(query.get("sslcert", "")),
                "PGSSLKEY": str(query.get("sslkey", "")),
            }
            yield kept | {key: value for key, value in wanted.items() if value} | {"LC_ALL": "C"}

    def maintenance(self) -> PostgresPlace:
        """Give a database of this server from which others can be made and renamed."""
        refusal: AerodromeError | None = None
        for name in ("postgres", "template1"):
            try:
                self.named(name).connect().close()
            except AerodromeError as error:
                refusal = error
            else:
                return self.named(name)
        assert refusal is not None  # noqa: S101
        raise refusal

    def may_make_databases(self) -> bool:
        """Tell whether this user can make, rename and drop databases next to this one."""
        try:
            with self.maintenance().connect() as connection:
                row = connection.execute(
                    "select rolcreatedb or rolsuper from pg_roles where rolname = current_user"
                ).fetchone()
        except AerodromeError:
            return False
        return bool(row and row[0])

    def exists(self) -> bool:
        with self.maintenance().connect() as connection:
            found = connection.execute("select 1 from pg_database where datname = %s", [self.name]).fetchone()
        return found is not None

    def create(self, template: PostgresPlace | None = None, *, like: PostgresPlace | None = None) -> None:
        """Make this database anew: as a copy of a template, whose connections are ended first, or empty.

        An empty one gets the encoding and the collation of `like`, when that exists.
        """
        with self.maintenance().connect() as connection:
            _drop(connection, self.name)
            if template is None:
                statement = sql.SQL("create database {} template template0").format(sql.Identifier(self.name))
                row = connection.execute(
                    "select pg_encoding_to_char(encoding), datcollate, datctype from pg_database where datname = %s",
                    [like.name if like else ""],
                ).fetchone()
                if row and all(row):
                    wanted = sql.SQL(" encoding {} lc_collate {} lc_ctype {}")
                    statement += wanted.format(*(sql.Literal(value) for value in row))
                connection.execute(statement)
                return
            _retried(
                connection,
                template.name,
                sql.SQL("create database {} template {}").format(
                    sql.Identifier(self.name), sql.Identifier(template.name)
                ),
            )

    def drop(self) -> None:
        """Drop this database if it exists; connections to it are ended."""
        with self.maintenance().connect() as connection:
            _drop(connection, self.name)

    def take_over(self, draft: PostgresPlace) -> None:
        """Give this database's name to the draft, in one transaction, then drop what had the name before."""
        before = self.sibling("old")
        with self.maintenance().connect() as connection:
            _drop(connection, before.name)
            renames = sql.SQL("do $do$ begin {} {} end $do$").format(
                sql.SQL("alter database {} rename to {};").format(
                    sql.Identifier(self.name), sql.Identifier(before.name)
                )
                if self.exists()
                else sql.SQL(""),
                sql.SQL("alter database {} rename to {};").format(
                    sql.Identifier(draft.name), sql.Identifier(self.name)
                ),
            )
            _end_connections(connection, draft.name)
            _retried(connection, self.name, renames)
            _drop(connection, before.name)


Place = SqlitePlace | PostgresPlace


def place_of(url: Secret) -> Place:
    """Read a database URL; Invalid for anything but SQLite and PostgreSQL."""
    try:
        parsed = make_url(re.sub(r"^postgres://", "postgresql://", url.reveal()))
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError, NoSuchModuleError):
        raise Invalid("The database URL cannot be read.", code="database-url-malformed", hint=_HINT) from None
    check_host(parsed.host)
    if backend == "postgresql" and parsed.database:
        return PostgresPlace(parsed)
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        path = Path(parsed.database).expanduser().absolute()
        return SqlitePlace(path, Secret(f"sqlite:///{path}"))
    raise Invalid(
        f"A metadata database of the kind {backend} is not supported.", code="database-kind-unsupported", hint=_HINT
    )


def _drop(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def _end_connections(connection: psycopg.Connection[Any], name: str) -> None:
    connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()", [name]
    )


def _retried(connection: psycopg.Connection[Any], name: str, statement: sql.SQL | sql.Composed) -> None:
    """Run a statement for which nobody may be connected to `name`; connections are ended, a few times."""
    for attempt in range(5):
        _end_connections(connection, name)
        try:
            connection.execute("select pg_sleep(0.1)" if attempt else "select 1")
            connection.execute(statement)
        except psycopg.errors.ObjectInUse as error:
            refused = error
            continue
        return
    raise Conflict(
        f"The database {name} is still in use by another program.",
        code="database-in-use",
        hint="Stop everything that connects to it, then try again.",
    ) from refused


def _unreachable(label: str) -> Unavailable:
    return Unavailable(
        f"The database of {label} does not answer.",
        code="database-unreachable",
        hint="Check host, port and network path (for SQLite: the path and its rights), then try again.",
    )


def _refused(error: psycopg.OperationalError, label: str) -> AerodromeError:
    message = str(error).lower()
    if "authentication failed" in message or "no password supplied" in message or "no pg_hba.conf" in message:
        return Denied(
            f"The database of {label} refuses the user or the password.",
            code="database-login-refused",
            hint="Check the user and password in the URL, and pg_hba.conf.",
        )
    if "does not exist" in message:
        return Invalid(
            f"The server has no database or user as in {label}.",
            code="database-unknown",
            hint="Check the user and the database's name in the URL.",
        )
    return _unreachable(label)
