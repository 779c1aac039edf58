"""Opens the platform's database and gives transactions: `store.reading()` and `store.writing()`.

SQLite: WAL, foreign keys on, busy timeout 30 s, and BEGIN IMMEDIATE for every writing transaction (a deferred
transaction that reads and then writes loses against a concurrent writer with "database is locked").
Errors and debug logs of both show no parameters: they may be credentials.
PostgreSQL: reading runs at REPEATABLE READ, read-only, so that both databases give one consistent snapshot.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

from aerodrome.kernel.addresses import check_host
from aerodrome.kernel.clock import Clock, SystemClock
from aerodrome.kernel.errors import Broken, Invalid, Unavailable
from aerodrome.store import outbox
from aerodrome.store.failures import translated

BUSY_TIMEOUT_S = 30


class Store:
    """The platform's database. Thread-safe; sessions are not shared between threads."""

    def __init__(self, engine: Engine, clock: Clock) -> None:
        self.engine = engine
        self.clock = clock
        self.observe: Callable[[str, float], None] = lambda _kind, _seconds: None  # is told how long each one took
        self._writing = engine.execution_options(aerodrome_writes=True)
        self._reading = engine
        self._mine = threading.local()
        if engine.dialect.name == "postgresql":
            self._reading = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @property
    def dialect(self) -> str:
        return self.engine.dialect.name

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session on a consistent snapshot that is rolled back at the end; what was read stays readable."""
        began = time.monotonic()
        try:
            with translated(), Session(self._reading, expire_on_commit=False, info={"clock": self.clock}) as session:
                yield session
        finally:
            self.observe("reading", time.monotonic() - began)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give a session whose work is committed at the end, or rolled back on an error. No outside effects inside.

        Events emitted in it (store/outbox.py) are written as its last act. A second one inside it on the same thread
        would wait for the first for ever (SQLite), so it is Broken.
        """
        if getattr(self._mine, "is_writing", False):
            raise Broken("A writing transaction was opened inside another one.", code="transaction-nested")
        self._mine.is_writing = True
        began = time.monotonic()
        try:
            session = Session(self._writing, expire_on_commit=False, info={"clock": self.clock})
            with translated(), session, session.begin():
                yield session
                outbox.write_pending(session)
        finally:
            self._mine.is_writing = False
            self.observe("writing", time.monotonic() - began)

    def check(self) -> None:
        """Reach the database; Unavailable with a sentence (and no password) when it does not answer."""
        try:
            with self.engine.connect():
                pass
        except OperationalError as error:
            where = self.engine.url.render_as_string(hide_password=True)
            raise Unavailable(
                f"The database {where} cannot be opened.",
                code="database-unreachable",
                hint="Check AERODROME_DATABASE_URL, that the server runs, and the rights of the user.",
            ) from error

    def close(self) -> None:
        self.engine.dispose()


def now(session: Session) -> datetime:
    """Give the present moment by the clock of the store that made the session."""
    clock: Clock = session.info["clock"]
    return clock.now()


def open_store(url: str, clock: Clock | None = None) -> Store:
    """Open a store on `sqlite:///…` or `postgresql+psycopg://…`; makes the folder of a SQLite file, changes no schema."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise _not_ours() from None
    check_host(parsed.host)
    clock = clock or SystemClock()
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "postgresql+psycopg":
        return Store(
            create_engine(parsed, pool_pre_ping=True, pool_size=10, max_overflow=20, hide_parameters=True), clock
        )
    if parsed.drivername not in ("sqlite", "sqlite+pysqlite") or not parsed.database or parsed.database == ":memory:":
        raise _not_ours()
    return Store(_sqlite_engine(parsed), clock)


def _not_ours() -> Invalid:
    return Invalid(
        "The database URL is neither a SQLite file nor PostgreSQL.",
        code="database-url-invalid",
        hint="Write sqlite:////path/to/aerodrome.db or postgresql+psycopg://user:password@host/database.",
    )


def _sqlite_engine(url: URL) -> Engine:
    path = Path(url.database or "")
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # holds token hashes: nobody else's business
    engine = create_engine(
        url, connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        writes = connection.get_execution_options().get("aerodrome_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
