"""Order-independent hashes of rows: both sides add up the same numbers in whatever order they read.

A row's number is the BLAKE2b-128 of its canonical form (keyed for objects, whose values are secret); the hash of a set
is the sum modulo 2^128. Two equal sets give equal hashes; a lost, doubled or changed row changes the sum.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from importlib import import_module
from typing import Any

MODULUS = 1 << 128


def _quick_md5() -> Callable[[bytes], Any]:
    """Give Python's own MD5 where it has one: for the length of a row it takes half the time of OpenSSL 3, which looks it up anew."""
    try:
        found: Callable[[bytes], Any] = import_module("_md5").md5
        found(b"").digest()
    except (ImportError, AttributeError, ValueError):
        return partial(hashlib.md5, usedforsecurity=False)
    return found


md5 = _quick_md5()
"""The MD5 of bytes, for hashes that PostgreSQL makes as well and for ids; nothing is kept secret by it."""


def row_number(row: Sequence[Any], key: bytes = b"") -> int:
    """Give the number of one canonical row: a tuple of str, int, float and None only."""
    return int.from_bytes(blake2b(repr(row).encode(errors="backslashreplace"), digest_size=16, key=key).digest(), "big")


def add(total: int, number: int) -> int:
    return (total + number) % MODULUS


def hash_text(total: int) -> str:
    """Write a sum as 32 hex digits."""
    return f"{total:032x}"


def moment_text(value: datetime | str | None) -> str | None:
    """Write a moment as `YYYY-MM-DD HH:MM:SS.ffffff` in UTC, which is how Airflow's SQLite databases hold it."""
    if value is None:
        return None
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    zone = value.tzinfo
    if zone is not None and zone is not UTC and value.utcoffset():
        value = value.astimezone(UTC)
    return value.isoformat(" ", "microseconds")[:26]


def json_text(text: str | float | None) -> str | None:
    """Give JSON in one canonical form, equal for what PostgreSQL's jsonb and SQLite's text say of the same value.

    SQLite gives a column declared JSON numeric affinity: the text `0.173` comes back as the number 0.173.
    """
    if text is None:
        return None
    if isinstance(text, int | float):
        text = json.dumps(text)
    return json.dumps(json.loads(text, parse_float=_number), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _number(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value
