"""Writes the COPY lines of runs and XComs that a source gives as its driver gives them; `mapping.py` says what a row becomes.

Used by text_lane.py, for targets of Airflow 3. A row that `mapping.py` must look at is not plain: a run with a configuration
or a note, a pickled value, a value that is not strict JSON, an odd sign in a name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from aerodrome.migration.estate.history import FINAL_RUN_STATES
from aerodrome.migration.transfer.bulk import escaped, jsonb_text
from aerodrome.migration.transfer.mapping import (
    EXTRA_COLUMNS,
    ID_LIMIT,
    RUN_TYPES,
    TRIGGERED_BY,
    XCOM_KEY_LIMIT,
    is_run_type_known,
)
from aerodrome.migration.transfer.sql_mapping import EMPTY_CONFS

NULL = "\\N"
_SECONDS, _MICROSECONDS = len("2026-01-01 00:00:00"), len("2026-01-01 00:00:00.000000")
_EMPTY: frozenset[object] = frozenset({None, "{}", "null", *EMPTY_CONFS})


class NotPlainError(ValueError):
    """The row needs more than this lane does."""


class Line(NamedTuple):
    """A row for COPY, what both sides hash of it, and the text of what is not proved."""

    text: str
    proof: str
    tail: str


def moment_of(value: str | datetime | None) -> str | None:
    """Write a moment as PostgreSQL does, in UTC; NotPlainError for an unusual form."""
    if value is None:
        return None
    text = str(value) if isinstance(value, datetime) else value
    if len(text) == _MICROSECONDS and text[10] == " " and text[19] == ".":
        return text[:_SECONDS] if text.endswith(".000000") else text.rstrip("0")
    if len(text) == _SECONDS and text[10] == " ":
        return text
    raise NotPlainError


def run_liner(extra: Sequence[str], schema_version: str) -> Callable[[Sequence[Any]], Line]:
    """Give what writes a run's line. It raises NotPlainError, or another ValueError or TypeError."""
    types = {old: new for old, new in RUN_TYPES.items() if is_run_type_known(new, schema_version)}
    kept = [index for index, name in enumerate(EXTRA_COLUMNS["run"]) if name in extra]

    def line_of(row: Sequence[Any]) -> Line:
        (
            dag_id, run_id, source_type, state, logical_date, interval_start, interval_end, run_after, queued_at,
            start_date, end_date, conf, _is_external, clear_number, note,
        ) = row  # fmt: skip
        run_type = types.get(source_type)
        if run_type is None or state not in FINAL_RUN_STATES or note is not None or conf not in _EMPTY:
            raise NotPlainError
        if len(dag_id) > ID_LIMIT or len(run_id) > ID_LIMIT or not _is_harmless(dag_id + run_id):
            raise NotPlainError
        logical, start, end = moment_of(logical_date), moment_of(interval_start), moment_of(interval_end)
        after = moment_of(run_after)
        if start is None and logical is not None and after is None:
            raise NotPlainError  # its interval is computed
        after = after or end or logical
        if (start is None) != (end is None):
            start = end = None
        queued, started, ended = moment_of(queued_at), moment_of(start_date), moment_of(end_date)
        after = after or queued or started
        if after is None:
            raise NotPlainError
        moments = [NULL if value is None else value for value in (logical, start, end, after, queued, started, ended)]
        text = "\t".join([dag_id, run_id, run_type, state, *moments, "{}", str(int(clear_number or 0))])
        made = (
            TRIGGERED_BY.get(run_type) or NULL,
            "not_started",
            queued or started or after,
            ended or started or after,
        )
        return Line(text, text, "\t".join([made[index] for index in kept]))

    return line_of


def xcom_liner(extra: Sequence[str]) -> Callable[[Sequence[Any]], Line]:
    """Give what writes an XCom's line. It raises NotPlainError, or another ValueError or TypeError."""
    tail = "\t".join("false" for name in EXTRA_COLUMNS["xcom"] if name in extra)

    def line_of(row: Sequence[Any]) -> Line:
        dag_id, run_id, task_id, map_index, key, value, timestamp = row
        moment = moment_of(timestamp)
        if moment is None or len(key) > XCOM_KEY_LIMIT or not _is_harmless(dag_id + run_id + task_id + key):
            raise NotPlainError
        head = f"{dag_id}\t{run_id}\t{task_id}\t{-1 if map_index is None else int(map_index)}\t{key}\t"
        if value is None:
            line = f"{head}{NULL}\t{moment}"
            return Line(line, line, tail)
        stored, document = _documents(value)
        return Line(f"{head}{escaped(stored)}\t{moment}", f"{head}{document}\t{moment}", tail)

    return line_of


def _documents(value: Any) -> tuple[str, str]:
    """Give JSON that is stored as bytes, and as PostgreSQL writes a jsonb."""
    if value.__class__ is not bytes:
        raise NotPlainError
    text = value.decode()  # a pickle of protocol 2 or later is no UTF-8
    if "NaN" in text or "Infinity" in text or "\\u0000" in text:
        raise NotPlainError
    document = jsonb_text(text)
    if document is None:
        raise NotPlainError
    return text, document


def _is_harmless(text: str) -> bool:
    """Tell whether COPY reads the text as it stands: neither a backslash nor a sign of control."""
    return "\\" not in text and text.isprintable()
