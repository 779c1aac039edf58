"""Streams COPY data from one PostgreSQL to another; rows pass as bytes and are never looked at."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import psycopg
from sqlalchemy import Connection

from aerodrome.kernel.errors import Unavailable

BLOCK_BYTES = 64 * 1024
_PLANNING = (
    "set local jit = off; set local max_parallel_workers_per_gather = 0; "
    "set local enable_hashjoin = off; set local enable_mergejoin = off; set local enable_seqscan = off; "
    "set local timezone = 'UTC'"
)
"""A chunk is found by indexes. Without statistics (a target that was just made) PostgreSQL would read whole tables instead."""

Side = Literal["source", "target"]


@contextmanager
def cursor_on(connection: Connection, side: Side) -> Iterator[psycopg.Cursor[Any]]:
    """Give the driver's cursor in the connection's transaction. A lost connection is Unavailable; refusals of data pass."""
    raw = cast("psycopg.Connection[Any]", connection.connection.driver_connection)
    try:
        with raw.cursor() as cursor:
            cursor.execute(_PLANNING)
            yield cursor
    except psycopg.OperationalError as error:
        raise Unavailable(
            f"The {side}'s metadata database does not answer any more.",
            code=f"{side}-unreachable",
            hint="Check that it runs, then run the step again; it goes on where it stopped.",
        ) from error


def relay(source: psycopg.Cursor[Any], out_sql: str, target: psycopg.Cursor[Any], in_sql: str) -> None:
    """Copy what `out_sql` (COPY … TO STDOUT) gives into `in_sql` (COPY … FROM STDIN), in blocks."""
    with source.copy(out_sql.encode()) as coming, target.copy(in_sql.encode()) as going:
        parts: list[Any] = []
        size = 0
        while data := coming.read():
            parts.append(data)
            size += len(data)
            if size >= BLOCK_BYTES:
                going.write(b"".join(parts))
                parts, size = [], 0
        if parts:
            going.write(b"".join(parts))
