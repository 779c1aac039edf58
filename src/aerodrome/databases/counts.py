"""Rows per table, and the alembic revision."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import psycopg
from psycopg import sql

from aerodrome.databases.places import SqlitePlace, place_of
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret


def row_counts(url: Secret) -> Mapping[str, int]:
    """Count the rows of every table, by name."""
    place = place_of(url)
    if isinstance(place, SqlitePlace):
        with closing(place.connect(is_read_only=True)) as connection:
            return sqlite_counts(connection)
    with place.connect() as session:
        return postgres_counts(session)


def revision_of(url: Secret) -> str:
    """Give alembic's revision of Airflow's own tables; "" when there is none."""
    place = place_of(url)
    if isinstance(place, SqlitePlace):
        with closing(place.connect(is_read_only=True)) as connection:
            return sqlite_revision(connection)
    with place.connect() as session:
        return postgres_revision(session)


def sqlite_counts(connection: sqlite3.Connection) -> Mapping[str, int]:
    names = sqlite_tables(connection)
    return {name: connection.execute(f'select count(*) from "{name}"').fetchone()[0] for name in names}


def sqlite_tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute("select name from sqlite_master where type = 'table' and name not like 'sqlite%'")
    return sorted(row[0] for row in found)


def sqlite_revision(connection: sqlite3.Connection) -> str:
    if "alembic_version" not in sqlite_tables(connection):
        return ""
    row = connection.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else ""


def postgres_counts(connection: psycopg.Connection[Any]) -> Mapping[str, int]:
    counts = {}
    for name in postgres_tables(connection):
        row = connection.execute(sql.SQL("select count(*) from {}").format(sql.Identifier(name))).fetchone()
        counts[name] = int(row[0]) if row else 0
    return counts


def postgres_tables(connection: psycopg.Connection[Any]) -> list[str]:
    found = connection.execute("select tablename from pg_tables where schemaname = current_schema() order by 1")
    return [row[0] for row in found]


def postgres_revision(connection: psycopg.Connection[Any]) -> str:
    if "alembic_version" not in postgres_tables(connection):
        return ""
    row = connection.execute("select version_num from alembic_version").fetchone()
    return str(row[0]) if row else ""


def require_airflow(revision: str, label: str) -> None:
    """Raise Invalid unless the database has a revision of Airflow's."""
    if not revision:
        raise Invalid(
            f"{label} is not an Airflow metadata database: it has no revision.",
            code="not-an-airflow-database",
            hint="Give the URL of [database] sql_alchemy_conn.",
        )
