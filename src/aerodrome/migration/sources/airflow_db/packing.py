"""Rows of MySQL and MariaDB as one text each: their driver is written in Python, and takes longer for 23 values than for one.

For task instances and tries, which are the most of a history. The texts are what the server would send for each column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import ColumnElement, DateTime, Float, Integer, cast, func
from sqlalchemy.dialects.mysql import CHAR

SEPARATOR = "\x1f"
NULL = f"\x1e{token_hex(8)}"
"""Stands for NULL: a text that no value is."""

Unpack = Callable[[str], tuple[Any, ...]]


class UnpackableError(ValueError):
    """A value holds the separator."""


def packed(columns: Sequence[ColumnElement[Any]]) -> ColumnElement[str]:
    """Give one text for the columns."""
    return func.concat_ws(SEPARATOR, *[func.coalesce(_text(column), NULL) for column in columns]).label("packed")


def split(text: str) -> list[str | None]:
    """Take such a text apart and no more; more values than columns where one holds the separator."""
    return [None if value == NULL else value for value in text.split(SEPARATOR)]


def unpacker(columns: Sequence[ColumnElement[Any]]) -> Unpack:
    """Give the function that takes such a text apart: numbers, and moments as aware ones in UTC. UnpackableError."""
    converters = [(place, convert) for place, column in enumerate(columns) if (convert := _converter(column))]
    width = len(columns)

    def unpack(text: str) -> tuple[Any, ...]:
        values: list[Any] = text.split(SEPARATOR)
        if len(values) != width:
            raise UnpackableError
        if NULL in values:
            values = [None if value == NULL else value for value in values]
        for place, convert in converters:
            if (value := values[place]) is not None:
                values[place] = convert(value)
        return tuple(values)

    return unpack


def _text(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Bring texts of whatever character set into one."""
    if _converter(column) is not None:
        return column
    return cast(column, CHAR(charset="utf8mb4"))


def _converter(column: ColumnElement[Any]) -> Callable[[str], Any] | None:
    kind = column.type
    if isinstance(kind, DateTime):
        return _moment
    if isinstance(kind, Float):
        return float
    return int if isinstance(kind, Integer) else None


def _moment(text: str) -> datetime | str:
    """Take a moment, or leave the text as it is: MySQL keeps "0000-00-00 00:00:00"."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return text
