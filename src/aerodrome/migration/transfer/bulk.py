"""Writes a batch of new rows into PostgreSQL by one COPY, and lets the database add up what stands instead of reading it back.

Used by batches.py, for every kind of source. Both sides hash the same text of a row: its proved columns as PostgreSQL writes
them, between tabs. Rows are written only where the target has none of their runs yet. Whatever is not that plain (a row
that stands with other content, a run of the target's own, a refusal, sums that differ) is left to the way row by row.
"""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from json.encoder import encode_basestring
from typing import Any, Literal

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DataError

from aerodrome.migration.transfer.arrays import array_text
from aerodrome.migration.transfer.foreign_keys import ForeignKeys, RowsOfBatch
from aerodrome.migration.transfer.hashing import add, md5
from aerodrome.migration.transfer.mapping import JSONS, KEYS, MOMENTS, TABLES, MappedRow
from aerodrome.migration.transfer.outcomes import Tally
from aerodrome.migration.transfer.relay import cursor_on
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.writer import HistoryWriter, RunInTarget

Outcome = Literal["new", "same", "unproved", "not-plain"]
"""All rows were written and stand; all stood already; all were written but the sums differ; nothing was written."""

RunKey = tuple[str, str]
_REFUSALS = (psycopg.IntegrityError, psycopg.DataError, DataError)
_NULL = "\\N"
COPY_BYTES = "\\\\x"
"""What stands before the hex digits of bytes in the text of a COPY."""
_FORMS = "set local datestyle = 'ISO, YMD'; set local extra_float_digits = 1"
_TEXT = r'"[^"\\\x00-\x1f\x7f]*"'
_SCALAR = rf"-?[1-9][0-9]*(?:\.[0-9]+)?|0(?:\.[0-9]+)?|{_TEXT}"
_SIMPLE = re.compile(_SCALAR)
"""JSON that stands in a jsonb as it was written: a number without an exponent, a text without a sign that is escaped."""
_MEMBER = rf"{_TEXT}: (?:{_SCALAR}|true|false|null)"
_FLAT = re.compile(rf"\{{{_MEMBER}(?:, {_MEMBER})*\}}")
_MEMBERS = re.compile(rf"({_TEXT}): (?:{_SCALAR}|true|false|null)")
"""An object of such values, and its keys: it stands as it was written when they are in the order of a jsonb."""
_READER = json.JSONDecoder(parse_float=Decimal)
_FLOATS = frozenset({"duration"})


@dataclass(frozen=True)
class Sums:
    """Rows, and the sum of a 64-bit hash of each."""

    rows: int
    total: int


def sums_of(digests: Sequence[bytes]) -> tuple[Sums, int]:
    """Add up the MD5 of each row: what the database must answer, and what the rows add to the hash of both sides."""
    halves = struct.unpack(f">{'qQ' * len(digests)}", b"".join(digests))
    total = sum(halves[::2])
    return Sums(len(digests), total), (total << 64) + sum(halves[1::2])


@dataclass(frozen=True)
class Draft:
    """A batch as it is sent: the lines without what only the target knows, and what the target must answer for them."""

    keys: Sequence[RunKey]  # of the runs, each once
    lines: Sequence[str]  # COPY text of the proved columns
    sums: Sums
    number: int  # what the rows add to the hash of both sides
    has_notes: bool
    rows: Sequence[MappedRow] = ()  # where they came as such
    tails: Sequence[str] = ()  # otherwise COPY text of what is not proved, without the version of the DAG
    owners: Sequence[RunKey] = ()  # and the run of each line

    def count(self, tally: Tally, *, is_new: bool) -> None:
        """Count the rows once the database has said that they stand as they are."""
        tally.source_sum = add(tally.source_sum, self.number)
        tally.target_sum = add(tally.target_sum, self.number)
        if is_new:
            tally.moved += self.sums.rows
        else:
            tally.same += self.sums.rows


class BulkWriter:
    """Writes batches of one kind. Drafting touches no database, so it can go on beside the writing."""

    def __init__(self, target: TargetDatabase, writer: HistoryWriter) -> None:
        self._target = target
        self._writer = writer
        self._kind = writer.kind
        self._foreign_keys = ForeignKeys(target, TABLES[self._kind], writer.written)
        columns = writer.columns
        self._moments = tuple(index for index, name in enumerate(columns) if name in MOMENTS)
        self._floats = tuple(index for index, name in enumerate(columns) if name in _FLOATS)
        self._bytes = tuple(index for index, name in enumerate(columns) if name in writer.bytes)
        self._documents = tuple(
            index for index, name in enumerate(columns) if name in JSONS and name not in writer.bytes
        )
        self._width = len(columns)

    def draft(self, rows: Sequence[MappedRow]) -> Draft | None:
        """Write the lines and hash them; None where a value has no text that PostgreSQL would give for it."""
        has_notes = any(row.note is not None for row in rows)
        lines: list[str] = []
        total = number = signs = 0
        try:
            for row in rows:
                fields = self._fields(row.values)
                line = "\t".join([_NULL if field is None else field for field in fields])
                signs += fields.count(None)
                lines.append(line)
                if self._documents or self._bytes:
                    for index in self._documents:
                        fields[index] = jsonb_text(fields[index])
                    for index in self._bytes:
                        if (field := fields[index]) is not None:
                            fields[index] = field[len(COPY_BYTES) :]
                            signs += 2
                    line = "\t".join([_NULL if field is None else field for field in fields])
                digest = md5(line.encode()).digest()
                if has_notes:
                    noted = md5(f"{line}\t{_NULL if row.note is None else row.note}".encode())
                    total += int.from_bytes(noted.digest()[:8], "big", signed=True)
                    number += int.from_bytes(digest if row.note is None else noted.digest(), "big")
                else:
                    total += int.from_bytes(digest[:8], "big", signed=True)
                    number += int.from_bytes(digest, "big")
        except (ValueError, RecursionError):
            return None
        block = "\n".join(lines)
        is_plain = (
            block.count("\t") == len(lines) * (self._width - 1)
            and block.count("\n") == len(lines) - 1
            and block.count("\\") == signs
            and "\r" not in block
        )
        if not is_plain:
            lines = [self._escaped_line(row.values) for row in rows]
        keys = list(dict.fromkeys([row.run for row in rows]))
        return Draft(keys, lines, Sums(len(rows), total), number, has_notes, rows)

    def write(self, draft: Draft) -> Outcome:
        """Write what is new, in one transaction, and compare the sums of both sides."""
        keys = draft.keys
        try:
            with self._target.writing() as connection:
                with cursor_on(connection, "target") as cursor:
                    runs = {} if self._kind == "run" else self._writer.runs(connection, keys)
                    if self._kind != "run" and not all(key in runs and runs[key].is_import for key in keys):
                        return "not-plain"  # a run that the target made itself may be another one of the same name
                    before = self._sums(cursor, keys, runs, has_notes=draft.has_notes)
                    if before.rows:
                        return "same" if before == draft.sums else "not-plain"
                    self._writer.make_versions_apart({dag_id for dag_id, _ in keys})
                    names = ", ".join(f'"{name}"' for name in self._writer.written)
                    block = self._block(draft, connection, runs)  # before the COPY: it asks the same connection
                    copying = f"copy {TABLES[self._kind]} ({names}) from stdin".encode()
                    with self._foreign_keys.at_once(cursor, self._batch(keys, runs)), cursor.copy(copying) as copy:
                        copy.write(block)
                if draft.has_notes:
                    self._writer.write_notes(connection, draft.rows)
        except _REFUSALS:
            return "not-plain"
        try:
            with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
                after = self._sums(cursor, keys, runs, has_notes=draft.has_notes)
        except _REFUSALS:
            return "unproved"
        return "new" if after == draft.sums else "unproved"

    def _block(self, draft: Draft, connection: Connection, runs: dict[RunKey, RunInTarget]) -> str:
        """Give the text of a COPY: each line with the values that are not proved."""
        if draft.rows:
            rest = self._writer.rest(connection, runs)
            lines = [
                "\t".join([line, *[escaped(value) for value in rest(row)]])
                for line, row in zip(draft.lines, draft.rows, strict=True)
            ]
        else:
            ends = self._ends(draft.keys, connection, runs)
            lines = [
                f"{line}\t{tail}{ends[owner]}" if tail else f"{line}{ends[owner]}"
                for line, tail, owner in zip(draft.lines, draft.tails, draft.owners, strict=True)
            ]
        return "\n".join(lines) + "\n"

    def _ends(
        self, keys: Sequence[RunKey], connection: Connection, runs: dict[RunKey, RunInTarget]
    ) -> dict[RunKey, str]:
        """Give, by run, what only the target knows of its rows: the end of their lines, as `HistoryWriter.rest` gives it."""
        if self._kind == "xcom":
            return {key: f"\t{runs[key].id}" for key in keys}
        last = ""
        if "log_template_id" in self._writer.written:
            last = f"\t{escaped(connection.exec_driver_sql('select max(id) from log_template').scalar())}"
        versions = self._writer.version_ids
        return {key: f"{last}\t{versions[key[0]]}" if versions else last for key in keys}

    def _escaped_line(self, values: Sequence[Any]) -> str:
        fields = self._fields(values)
        return "\t".join(
            [field if place in self._bytes and field else escaped(field) for place, field in enumerate(fields)]
        )

    def _fields(self, values: Sequence[Any]) -> list[Any]:
        """Give a row's values as PostgreSQL writes them: moments without zeros at their end, the shortest numbers.

        Bytes stand as COPY takes them.
        """
        fields = [value if value is None or value.__class__ is str else _text(value) for value in values]
        for index in self._moments:
            if (moment := fields[index]) is not None:
                fields[index] = moment[:19] if moment.endswith(".000000") else moment.rstrip("0")
        for index in self._floats:
            if (number := fields[index]) is not None and number.endswith(".0"):
                fields[index] = number[:-2]
        return fields

    def _sums(
        self, cursor: psycopg.Cursor[Any], keys: Sequence[RunKey], runs: dict[RunKey, RunInTarget], *, has_notes: bool
    ) -> Sums:
        """Add up what stands of these runs."""
        cursor.execute(_FORMS)
        kind = self._kind
        batch = self._batch(keys, runs)
        source = batch.source
        parts = [_text_sql(kind, name, is_bytes=name in self._writer.bytes) for name in self._writer.columns]
        if has_notes:
            source += self._writer.joined_notes("t", "n")
            parts.append(f"coalesce(n.content, '{_NULL}')")
        text = f"concat_ws(E'\\t', {', '.join(parts)})"
        query = f"select count(*), coalesce(sum(('x' || left(md5({text}), 16))::bit(64)::bigint), 0) from {source}"
        found = cursor.execute(query.encode(), batch.given).fetchone() or (0, 0)
        return Sums(int(found[0]), int(found[1]))

    def _batch(self, keys: Sequence[RunKey], runs: dict[RunKey, RunInTarget]) -> RowsOfBatch:
        """Say where the rows of these runs stand."""
        if self._kind == "xcom":  # its index starts with the run's id
            source = "unnest(%s::int[]) c (id) join xcom t on t.dag_run_id = c.id"
            return RowsOfBatch(source, given=(f"{{{','.join([str(run.id) for run in runs.values()])}}}",))
        return RowsOfBatch(
            f"unnest(%s::text[], %s::text[]) c (dag_id, run_id) join {TABLES[self._kind]} t "
            "on t.dag_id = c.dag_id and t.run_id = c.run_id",
            given=(array_text([key[0] for key in keys]), array_text([key[1] for key in keys])),
        )


def _text_sql(kind: Any, name: str, *, is_bytes: bool) -> str:
    """Write a column as text, as `BulkWriter._fields` does; bytes as hex digits."""
    if is_bytes:
        return f"coalesce(encode(t.\"{name}\", 'hex'), '{_NULL}')"
    if name in KEYS[kind] and name not in {"map_index", "try_number"}:
        return f't."{name}"'
    if name in MOMENTS:
        return f"coalesce((t.\"{name}\" at time zone 'UTC')::text, '{_NULL}')"
    return f"coalesce(t.\"{name}\"::{'jsonb::text' if name in JSONS else 'text'}, '{_NULL}')"


def escaped(value: Any) -> str:
    """Write a value for COPY."""
    if value is None:
        return _NULL
    if value.__class__ is bytes:
        return _text(value)
    text = value if value.__class__ is str else _text(value)
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if text.isprintable():
        return text
    return text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _text(value: Any) -> str:
    """Write a value that is not a text as PostgreSQL does; bytes as COPY takes them."""
    if value.__class__ is bytes:
        return COPY_BYTES + value.hex()
    if value.__class__ is bool:
        return "true" if value else "false"
    return str(value)


def jsonb_text(text: str | None) -> str | None:
    """Write JSON as PostgreSQL writes a jsonb: shorter keys first, numbers as they were written.

    ValueError for a text that is not JSON.
    """
    if text is None or text in {"{}", "null", "[]", "true", "false"} or _SIMPLE.fullmatch(text):
        return text
    if _FLAT.fullmatch(text):
        places = [(len(key.encode()), key.encode()) for key in _MEMBERS.findall(text)]
        if all(one < other for one, other in pairwise(places)):  # none twice
            return text
    return _jsonb(_READER.decode(text))


def _jsonb(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value or abs(value), "f")
    if isinstance(value, list):
        return f"[{', '.join([_jsonb(item) for item in value])}]"
    if isinstance(value, dict):
        items = list(value.items())
        if len(items) > 1:
            items.sort(key=lambda item: (len(raw := item[0].encode()), raw))
        return f"{{{', '.join([f'{encode_basestring(key)}: {_jsonb(item)}' for key, item in items])}}}"
    return str(value)
