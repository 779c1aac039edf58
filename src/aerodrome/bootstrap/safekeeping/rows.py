"""The platform's database as lines of JSON: the same for SQLite and PostgreSQL, so a backup of one restores into the other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, Connection, DateTime, MetaData, Table, func, insert, select, text
from sqlalchemy.orm import Session

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.store.tables.registry import all_tables

_BATCH: Final = 500


def table_names() -> list[str]:
    """Give the names of all tables, those that others point to first."""
    return [table.name for table in all_tables().sorted_tables]


def read(session: Session, name: str) -> Iterator[bytes]:
    """Give the rows of a table as lines, in the order of its key; in constant memory."""
    table = all_tables().tables[name]
    query = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=_BATCH)
    for row in session.execute(query).mappings():
        yield json.dumps({key: _plain(value) for key, value in row.items()}, ensure_ascii=False).encode() + b"\n"


def write(connection: Connection, name: str, lines: Iterable[bytes]) -> int:
    """Put the rows into the table, which has the schema that they were read from; give how many."""
    table = Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
    for column in table.columns:
        if isinstance(column.type, JSON):
            column.type.none_as_null = True
    count, batch = 0, []
    for line in lines:
        batch.append(_typed(table, json.loads(line)))
        if len(batch) == _BATCH:
            connection.execute(insert(table), batch)
            count, batch = count + len(batch), []
    if batch:
        connection.execute(insert(table), batch)
    _set_sequences(connection, table)
    return count + len(batch)


def count(connection: Connection, name: str) -> int:
    """Count the rows of a table."""
    table = Table(name, MetaData(), autoload_with=connection, resolve_fks=False)
    return int(connection.scalar(select(func.count()).select_from(table)) or 0)


def _plain(value: Any) -> Any:
    return to_text(value) if isinstance(value, datetime) else value


def _typed(table: Table, row: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(table, name, value) for name, value in row.items()}


def _value(table: Table, name: str, value: Any) -> Any:
    if value is None or not isinstance(table.c[name].type, DateTime):
        return value
    moment = from_text(value)
    assert moment is not None  # noqa: S101 - a text that `read` wrote
    is_aware = getattr(table.c[name].type, "timezone", False)
    return moment if is_aware else moment.replace(tzinfo=None)


def _set_sequences(connection: Connection, table: Table) -> None:
    """Let PostgreSQL count on behind the rows that are there; SQLite does so by itself."""
    if connection.dialect.name != "postgresql":
        return
    for column in table.primary_key.columns:
        sequence = connection.scalar(
            text("select pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
        )
        highest = connection.scalar(select(func.max(column))) if sequence else None
        if highest is not None:
            connection.execute(text("select setval(:sequence, :highest)"), {"sequence": sequence, "highest": highest})
