"""The metadata database of a hosted deployment, written while its Airflow uses it.

SQLite: Airflow holds the file in WAL mode; every write here is one short `BEGIN IMMEDIATE` transaction with a busy
timeout. PostgreSQL: psycopg, the session's time zone is UTC. A schema that is not known is refused before any write.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, MetaData, Table, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchTableError, OperationalError

from aerodrome.airflowkit.fernet import AirflowFernet
from aerodrome.kernel.errors import Broken, Denied, Invalid, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import AirflowAccess

BUSY_TIMEOUT_S = 60
CONNECT_TIMEOUT_S = 10
_POOL: dict[str, Any] = {"pool_size": 4, "max_overflow": 0, "pool_use_lifo": True, "pool_pre_ping": True}
"""A transfer uses four at once. One that is not kept is made anew every moment, and PostgreSQL starts a process for it."""

KNOWN_SCHEMAS = {
    "22ed7efa9da2": "2.10.0",
    "5f2621c13b39": "2.10.3",
    "29ce7909c52b": "3.0.0",
    "fe199e1abd77": "3.0.3",
    "cc92b33c6709": "3.1.0",
    "509b94a1042d": "3.1.8",
    "1d6611b6ab7c": "3.2.0",
    "d2f4e1b3c5a7": "3.3.0",
}
"""Alembic revision -> the first Airflow that has it (airflow/utils/db.py, _REVISION_HEADS_MAP, 2.11.2 and 3.3.2)."""


class TargetDatabase:
    """A deployment's metadata database. Cheap to make; connects at first use. Close it: it keeps its connections."""

    def __init__(self, access: AirflowAccess) -> None:
        self.airflow_version = access.airflow_version
        self.fernet = AirflowFernet(access.fernet_key)
        self.hash_key = sha256(b"aerodrome transfer\0" + access.fernet_key.reveal().encode()).digest()
        url = _parsed(access.database_url)
        self.dialect = url.get_backend_name()
        self._path = Path(url.database or "") if self.dialect == "sqlite" else None
        self._engine = _engine(url)
        self._writing = self._engine.execution_options(aerodrome_writes=True)
        self._tables: dict[str, Table] = {}
        self._columns: dict[str, frozenset[str]] = {}

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection on one consistent snapshot; rolled back at the end."""
        with self._open(self._engine) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection whose transaction commits at the end of the block. Keep it short: Airflow waits."""
        with self._open(self._writing) as connection:
            yield connection

    @contextmanager
    def _open(self, engine: Engine) -> Iterator[Connection]:
        if self._path is not None and not self._path.is_file():
            raise Unavailable(
                "The target deployment has no metadata database yet.",
                code="target-not-ready",
                hint="Wait until the deployment is healthy, then try again.",
            )
        try:
            with engine.connect() as connection, connection.begin():
                yield connection
        except IntegrityError as error:
            raise Broken(
                "The target database refuses a write that contradicts its constraints.",
                code="target-refused-write",
                hint="Somebody may have changed the target at the same moment; run the step again.",
            ) from error
        except OperationalError as error:
            raise _translated(error) from error

    @cached_property
    def schema_version(self) -> str:
        """Give the first Airflow version with this schema; Invalid `target-schema-unknown` for an unknown one."""
        with self.reading() as connection:
            try:
                revision = connection.scalar(text("select version_num from alembic_version"))
            except DBAPIError as error:
                if isinstance(error, OperationalError) and "locked" in str(error.orig).lower():
                    raise
                raise Unavailable(
                    "The target's metadata database is not set up yet: it has no alembic_version table.",
                    code="target-not-ready",
                    hint="Wait until the deployment is healthy, then try again.",
                ) from error
        if revision not in KNOWN_SCHEMAS:
            raise Invalid(
                f"The target's metadata schema {revision} is not one that history and objects can be written to.",
                code="target-schema-unknown",
                hint="Known are Airflow 2.10, 2.11 and 3.0 to 3.3. Create the deployment with one of those, or wait for its start.",
            )
        return KNOWN_SCHEMAS[revision]

    @property
    def is_airflow2(self) -> bool:
        """Tell whether its Airflow is 2.10 or 2.11."""
        return self.schema_version.startswith("2.")

    @property
    def date_column(self) -> str:
        """Give the column of `dag_run` that holds the logical date."""
        return "execution_date" if self.is_airflow2 else "logical_date"

    def table(self, name: str) -> Table:
        """Give a reflected table, after the schema was recognised."""
        if name not in self._tables:
            known = self.schema_version
            with self.reading() as connection:
                try:
                    self._tables[name] = Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
                except NoSuchTableError:
                    raise _no_table(name, known) from None
        return self._tables[name]

    def columns(self, name: str) -> frozenset[str]:
        """Give the names of a table's columns, after the schema was recognised."""
        if name not in self._columns:
            known = self.schema_version
            with self.reading() as connection:
                try:
                    found = inspect(connection).get_columns(name)
                except NoSuchTableError:
                    raise _no_table(name, known) from None
            self._columns[name] = frozenset(column["name"] for column in found)
        return self._columns[name]

    def close(self) -> None:
        self._engine.dispose()


def _no_table(name: str, known: str) -> Invalid:
    return Invalid(f"The target (schema of Airflow {known}) has no table {name}.", code="target-schema-unknown")


def _parsed(url: Secret) -> URL:
    try:
        parsed = make_url(url.reveal())
    except ArgumentError:
        raise Invalid("The target's database URL cannot be read.", code="database-url-malformed") from None
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return parsed.set(drivername="sqlite")
    raise Invalid(
        f"A target database of the kind {parsed.get_backend_name()} is not supported.",
        code="database-kind-unsupported",
        hint="Use SQLite or PostgreSQL for the deployment.",
    )


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(
            url,
            **_POOL,
            hide_parameters=True,
            connect_args={
                "connect_timeout": CONNECT_TIMEOUT_S,
                "application_name": "aerodrome",
                "options": "-c timezone=UTC",
            },
        )
    engine = create_engine(
        url,
        **_POOL,
        hide_parameters=True,
        connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin below, never by the driver
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA cache_size=-65536")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("aerodrome_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _translated(error: OperationalError) -> Unavailable | Denied:
    message = str(error.orig).lower()
    if "readonly database" in message or "password authentication failed" in message:
        return Denied(
            "The target's metadata database may not be written with the deployment's own credentials.",
            code="target-login-refused",
            hint="Check the deployment's folder rights or its database user.",
        )
    if "locked" in message:
        return Unavailable(
            "The target's metadata database stayed locked by its Airflow.",
            code="target-database-locked",
            hint="Run the step again; it goes on where it stopped.",
        )
    if "full" in message or "no space left" in message:
        return Unavailable(
            "There is no space left for the target's metadata database.",
            code="target-disk-full",
            hint="Free some space, then run the step again; it goes on where it stopped.",
            retry_after_s=60,
        )
    return Unavailable(
        "The target's metadata database does not answer.",
        code="target-unreachable",
        hint="Check that the deployment is running, then run the step again.",
    )
