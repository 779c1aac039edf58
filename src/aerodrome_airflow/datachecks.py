"""Answers data checks where tasks run: `python -m aerodrome_airflow.datachecks`, the questions as JSON on standard input.

A question is {"kind": "sql", "conn_id" or "connection": {...}, "sql": ...} or {"kind": "s3", …, "bucket", "prefix"}. With
`connection` the fields are given (the source's own connection), with `conn_id` Airflow looks it up as a task would. The
answer, after the mark, is a list of {"values": {...}} or {"error": ...}; values of rows never stand in it, only sums.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path
from typing import Any

MARK = "AERODROME-PROBE "
_BLOCK = 5000
_MOST_KEYS = 100_000
_SHORTEST = 3


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Answer one question; an error of a driver is an answer too, its text without the connection's secrets."""
    connection = None
    try:
        connection = _connection(question)
        return {"values": _sql(connection, question["sql"]) if question["kind"] == "sql" else _s3(connection, question)}
    except Exception as error:  # noqa: BLE001  (whatever a provider raises is the result)
        text = f"{type(error).__name__}: {error}".strip()
        for secret in _secrets(connection):
            text = text.replace(secret, "•••")
        return {"error": text[:500]}


def _connection(question: dict[str, Any]) -> Any:
    from airflow.models.connection import Connection

    if question.get("conn_id"):
        return Connection.get_connection_from_secrets(question["conn_id"])
    fields = dict(question["connection"])
    extra = fields.pop("extra", None)
    connection = Connection(**fields)
    if extra:
        connection.set_extra(extra)
    # hooks look their connection up by its id: this process finds it in its own environment
    os.environ[f"AIRFLOW_CONN_{connection.conn_id.upper()}"] = connection.get_uri()
    return connection


def _sql(connection: Any, sql: str) -> dict[str, Any]:
    opened = _open(connection)
    try:
        cursor = opened.cursor()
        cursor.execute(sql)
        names = [str(column[0]).lower() for column in cursor.description]
        kinds: list[set[str]] = [set() for _ in names]
        count = total = 0
        while rows := cursor.fetchmany(_BLOCK):
            for row in rows:
                cells = [_cell(value) for value in row]
                for position, cell in enumerate(cells):
                    if cell is not None:
                        kinds[position].add(_kind(cell))
                number = int.from_bytes(
                    blake2b(repr(cells).encode(errors="backslashreplace"), digest_size=16).digest(), "big"
                )
                total = (total + number) % (1 << 128)
            count += len(rows)
        schema = [f"{name} {'/'.join(sorted(kind)) or 'unknown'}" for name, kind in zip(names, kinds)]  # noqa: B905
        return {"count": count, "checksum": f"{total:032x}", "schema": schema}
    finally:
        opened.close()


def _open(connection: Any) -> Any:
    """Open the database by the connection's own hook; a SQLite file, read-only, needs no provider."""
    from airflow.providers_manager import ProvidersManager

    if connection.conn_type == "sqlite":
        path = Path(connection.host or connection.schema or "").absolute()
        return sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30)
    if ProvidersManager().hooks.get(connection.conn_type) is None:
        raise LookupError(
            f"the deployment has no provider for connections of the type {connection.conn_type!r}; add it to requirements.txt"
        )
    return connection.get_hook().get_conn()


def _cell(value: Any) -> Any:
    """Write a value in one form for all drivers: numbers as numbers, moments in UTC, bytes as hex."""
    if isinstance(value, bool) or value is None or isinstance(value, (int, str)):
        return value
    if isinstance(value, (float, Decimal)):
        number = float(value)
        if not math.isfinite(number):
            return number
        return int(value) if value == int(value) else number
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)).isoformat()
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value).hex()
    return json.dumps(value, sort_keys=True, default=str)


def _kind(cell: Any) -> str:
    if isinstance(cell, bool):
        return "boolean"
    return "number" if isinstance(cell, (int, float)) else "text"


def _s3(connection: Any, question: dict[str, Any]) -> dict[str, Any]:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    client = S3Hook(aws_conn_id=connection.conn_id).get_conn()
    prefix = question.get("prefix") or ""
    found: dict[str, tuple[int, str]] = {}
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=question["bucket"], Prefix=prefix)
    for page in pages:
        for item in page.get("Contents", ()):
            found[item["Key"]] = (item["Size"], item["ETag"].strip('"'))
        if len(found) > _MOST_KEYS:
            raise ValueError(f"more than {_MOST_KEYS} objects; name a longer prefix")
    names = sorted(found)
    return {
        "names": names,
        "sizes": {name: found[name][0] for name in names},
        "etags": {name: found[name][1] for name in names},
    }


def _secrets(connection: Any) -> list[str]:
    if connection is None:
        return []
    found = [connection.password or "", *_texts(connection.extra_dejson)]
    return sorted({value for value in found if len(value) >= _SHORTEST}, key=len, reverse=True)


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def main() -> None:
    """Answer on standard output."""
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"  # Airflow >= 3: hooks outside of a task may read all backends
    questions = json.loads(sys.stdin.read())["questions"]
    sys.stdout.write(f"\n{MARK}{json.dumps([answer(question) for question in questions])}\n")


if __name__ == "__main__":
    main()
