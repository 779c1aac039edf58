"""Small words for reading rows of databases of different Airflow versions: columns that may lack, moments, pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, literal, null

from aerodrome.airflowkit.metadata import MetadataDatabase

T = TypeVar("T")
ID_PAGE = 500
"""How many ids go into one IN list."""


def column_or(database: MetadataDatabase, table: str, *names: str, default: Any = None) -> ColumnElement[Any]:
    """Give the first of the columns that exists, else the default as a literal."""
    for name in names:
        if database.has(table, name):
            return database.column(table, name)
    return null() if default is None else literal(default)


def utc(moment: datetime | str | None) -> datetime | None:
    """Give an aware UTC moment: SQLite stores naive ones, and Airflow means UTC. A text that is no moment is unknown."""
    if moment is None or isinstance(moment, str):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def pages(items: Sequence[T], size: int = ID_PAGE) -> Iterator[Sequence[T]]:
    """Cut a sequence into pages."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
