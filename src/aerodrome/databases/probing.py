"""Looks whether a PostgreSQL database that a person names can hold Airflow's metadata, and says exactly what is wrong.

Called by runtimes before the database is taken. Nothing is changed in it: rights are asked for, a table is made in a transaction
that is rolled back. No error shows the URL's password.
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from aerodrome.databases.cross_ends import MARK
from aerodrome.kernel.addresses import check_host
from aerodrome.kernel.errors import AerodromeError, Conflict, Denied, Invalid, Unavailable
from aerodrome.kernel.secret import Secret

CONNECT_S = 10
OLDEST = 12  # PostgreSQL that Airflow 2.11 and 3.x are tested on begins here
_FIELD = {"field": "database_url"}


@dataclass(frozen=True)
class DatabaseFacts:
    """What was seen of a database that can be used."""

    label: str  # postgresql://user@host:5432/name, nothing secret
    server_version: str  # "15.18"
    may_create_databases: bool  # copies for rehearsals can be made beside it
    is_ours: bool  # an unfinished move of ours stands in it


def probe(url: Secret) -> DatabaseFacts:
    """Look at an existing, empty PostgreSQL database. Invalid, Denied, Conflict or Unavailable say what is wrong with it."""
    parsed = _parsed(url)
    label = URL.create(
        "postgresql", parsed.username, None, parsed.host, parsed.port, parsed.database
    ).render_as_string()
    text = parsed.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(text, connect_timeout=CONNECT_S, application_name="aerodrome-probe") as connection:
            return _look(connection, label)
    except psycopg.Error as error:
        raise _as_error(error, label) from None  # the driver's own text may hold the URL


def _look(connection: psycopg.Connection, label: str) -> DatabaseFacts:
    number = connection.info.server_version
    if number // 10_000 < OLDEST:
        raise Invalid(
            f"{label} runs PostgreSQL {number // 10_000}; Airflow needs {OLDEST} or newer.",
            code="database-too-old",
            hint="Upgrade the server.",
            details=_FIELD,
        )
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise Invalid(
            f"{label} has the encoding {encoding}; Airflow needs UTF8.",
            code="database-encoding",
            hint="Make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0.",
            details=_FIELD,
        )
    schema = connection.execute("SELECT current_schema()").fetchone()
    if schema is None or schema[0] is None:
        raise _no_right(label, "the user's search_path names no schema that exists")
    query = """SELECT c.relname FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace
        AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY c.relname LIMIT 3"""
    tables = [str(row[0]) for row in connection.execute(query).fetchall()]
    is_ours = MARK in tables
    if tables and not is_ours:
        raise Conflict(
            f"{label} is not empty: it has {', '.join(tables[:2])}.",
            code="database-not-empty",
            hint="Give an empty database; one that holds another Airflow would be destroyed.",
            details=_FIELD,
        )
    trial = sql.Identifier("aerodrome_probe")
    connection.execute(sql.SQL("CREATE TABLE {} (n int)").format(trial))
    connection.execute(sql.SQL("CREATE TYPE {} AS ENUM ('a')").format(sql.Identifier("aerodrome_probe_type")))
    connection.rollback()
    row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    version = str(connection.info.parameter_status("server_version")).split()[0]
    return DatabaseFacts(label, version, bool(row and row[0]), is_ours)


def _parsed(url: Secret) -> URL:
    hint = "Give it as postgresql://user:password@host:5432/name."
    try:
        parsed = make_url(url.reveal().strip().replace("postgres://", "postgresql://", 1))
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise Invalid(
            "The database URL cannot be read.", code="database-url-malformed", hint=hint, details=_FIELD
        ) from None
    if backend != "postgresql":
        raise Invalid(
            f"{backend} cannot hold the metadata of a deployment.",
            code="database-kind-unsupported",
            hint=hint,
            details=_FIELD,
        )
    if not parsed.database or not parsed.host:
        raise Invalid(
            "The database URL names no host or no database.", code="database-url-malformed", hint=hint, details=_FIELD
        )
    check_host(parsed.host, _FIELD)
    return parsed


def normalised(url: Secret) -> Secret:
    """Give the URL in the one form that the platform keeps."""
    return Secret(_parsed(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False))


def _as_error(error: psycopg.Error, label: str) -> AerodromeError:
    state, text = error.sqlstate, str(error).lower()
    if state in ("28P01", "28000") or "authentication failed" in text or "no password supplied" in text:
        return Denied(
            f"{label} refuses the user or the password.",
            code="database-login-refused",
            hint="Check both, and the server's pg_hba.conf.",
            details=_FIELD,
        )
    if state == "3D000" or ("does not exist" in text and "database" in text):
        return Invalid(
            f"The server of {label} has no such database.",
            code="database-unknown",
            hint="Make it: CREATE DATABASE … OWNER ….",
            details=_FIELD,
        )
    if "does not exist" in text and "role" in text:
        return Denied(
            f"{label}: there is no such user.", code="database-login-refused", hint="Check the user.", details=_FIELD
        )
    if state == "42501" or "permission denied" in text:
        return _no_right(label, str(getattr(error.diag, "message_primary", None) or "permission denied"))
    if state == "53300" or "too many" in text:
        return Unavailable(
            f"{label} has no free connection.", code="database-full", hint="Raise max_connections.", details=_FIELD
        )
    return Unavailable(
        f"{label} does not answer.",
        code="database-unreachable",
        hint="Check host, port and the network path from this machine.",
        details=_FIELD,
    )


def _no_right(label: str, reason: str) -> Denied:
    return Denied(
        f"The user of {label} may not make tables there: {reason}.",
        code="database-right-missing",
        hint="ALTER DATABASE … OWNER TO …, or GRANT CREATE ON SCHEMA public TO ….",
        details=_FIELD,
    )
