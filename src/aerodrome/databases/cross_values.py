"""How values change their form between SQLite and PostgreSQL, and the digest that proves that nothing else changed.

Used by the crossing. Airflow keeps the same models on both: SQLite holds moments as UTC text, booleans as 0 and 1, UUIDs as text
with or without hyphens (by column), JSON as text; PostgreSQL has types for each. A column's *form* names what it holds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal

Form = Literal["plain", "boolean", "moment", "json", "uuid", "binary", "span", "number"]
_DIGEST_BYTES = 16
_FORMS: dict[str, Form] = {
    "boolean": "boolean",
    "timestamp with time zone": "moment",
    "timestamp without time zone": "moment",
    "json": "json",
    "jsonb": "json",
    "uuid": "uuid",
    "bytea": "binary",
    "interval": "span",
    "double precision": "number",
    "real": "number",
    "numeric": "number",
}


def form_of(postgres_type: str) -> Form:
    """Give the form of a column by the name of its type in PostgreSQL."""
    return _FORMS.get(postgres_type.split("(", maxsplit=1)[0].strip(), "plain")


_DECLARED = {
    "BOOLEAN": "boolean",
    "DATETIME": "timestamp with time zone",
    "TIMESTAMP": "timestamp with time zone",
    "JSON": "json",
    "BLOB": "bytea",
    "INTEGER": "bigint",
    "BIGINT": "bigint",
    "SMALLINT": "bigint",
    "FLOAT": "double precision",
    "DOUBLE": "double precision",
    "REAL": "double precision",
}


def counterpart(dialect: str, kind: str) -> str:
    """Give the type in the other database of a column that no fresh database has (`dialect`: where it stands now)."""
    if dialect == "sqlite":
        return _DECLARED.get(kind.split("(", maxsplit=1)[0].split(maxsplit=1)[0].upper() if kind else "", "text")
    by_postgres = {postgres: sqlite for sqlite, postgres in reversed(_DECLARED.items())}
    return "INTEGER" if kind in ("integer", "smallint") else by_postgres.get(kind, "TEXT")


@dataclass(frozen=True)
class Column:
    """One column that both databases have."""

    name: str
    form: Form
    has_zone: bool = True  # of a moment: whether PostgreSQL keeps the zone
    is_hex: bool = False  # of a UUID: SQLite holds it without hyphens (CHAR(32))


def to_postgres(column: Column) -> Callable[[Any], Any] | None:
    """Give what turns SQLite's value into what COPY takes; None when it stays as it is."""
    if column.form == "boolean":
        return bool
    if column.form == "moment" and column.has_zone:
        return lambda value: f"{value}+00"
    if column.form == "json":
        return _json_text
    if column.form == "span":
        return lambda value: f"{_span_s(value)} seconds"
    if column.form == "binary":
        return lambda value: value.encode() if isinstance(value, str) else value
    if column.form == "plain":
        return lambda value: value.decode() if isinstance(value, bytes) else value
    return None


def from_postgres(column: Column) -> str:
    """Give the SQL that writes PostgreSQL's value as SQLite holds it; `{}` stands for the column."""
    if column.form == "boolean":
        return "{}::int"
    if column.form == "moment":
        moment = "{} AT TIME ZONE 'UTC'" if column.has_zone else "{}"
        return f"to_char({moment}, 'YYYY-MM-DD HH24:MI:SS.US')"
    if column.form == "uuid":
        return "replace({}::text, '-', '')" if column.is_hex else "{}::text"
    if column.form == "span":
        return "to_char(timestamp '1970-01-01' + {}, 'YYYY-MM-DD HH24:MI:SS.US')"
    if column.form == "number":
        return "{}::float8"
    return "{}::text" if column.form == "json" else "{}"


class RowDigest:
    """Digests rows whatever their order, in constant memory: rows are digested one by one and added up."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._forms = [_CANONICAL[column.form] for column in columns]
        self._sum = 0
        self.count = 0

    def add(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take rows as SQLite holds them."""
        total, count = 0, 0
        forms = self._forms
        for row in rows:
            text = "\x1f".join(
                ["\x00" if value is None else form(value) for form, value in zip(forms, row, strict=True)]
            )
            total += int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES).digest())
            count += 1
        self._sum = (self._sum + total) % (1 << 8 * _DIGEST_BYTES)
        self.count += count

    def text(self) -> str:
        return f"{self._sum:032x}"


def _json_text(value: Any) -> str:
    """SQLite gives a column declared JSON numeric affinity: the text `1` comes back as the number 1."""
    if isinstance(value, bytes):
        return value.decode()
    return value if isinstance(value, str) else json.dumps(value)


def _canonical_json(value: Any) -> str:
    text = _json_text(value)
    try:
        return json.dumps(json.loads(text), sort_keys=True)
    except ValueError:
        return text


def _moment(value: Any) -> str:
    """Write moments alike: SQLAlchemy gives all of them six digits, hands may not have."""
    text = str(value).replace("T", " ")
    return text if len(text) == 26 else f"{text}{'' if '.' in text else '.'}".ljust(26, "0")


def _span_s(value: Any) -> float:
    """SQLAlchemy's Interval on SQLite is the moment so long after 1970."""
    return (datetime.fromisoformat(str(value)) - datetime(1970, 1, 1)).total_seconds()  # noqa: DTZ001


def _plain(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_CANONICAL: dict[Form, Callable[[Any], str]] = {
    "plain": _plain,
    "boolean": lambda value: "1" if value else "0",
    "moment": _moment,
    "json": _canonical_json,
    "uuid": lambda value: str(value).replace("-", "").lower(),
    "binary": lambda value: (value.encode() if isinstance(value, str) else bytes(value)).hex(),
    "span": _moment,
    "number": lambda value: repr(float(value)),
}
