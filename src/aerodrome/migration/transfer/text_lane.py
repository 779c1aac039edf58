"""Moves task instances and tries of a source that gives them as text: from its text to the text of a COPY, with no objects between.

Used by history.py for SQLite and MySQL. `mapping.py` says what a row becomes, and this does the same (`test_bulk.py` compares
both ways). A run with a row that is not plain (an odd form of a moment, a note, a sign that COPY reads otherwise) takes the
way through `move_batch`, and so does a batch of which the target has something already, or has it otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import md5
from typing import Any

from aerodrome.migration.estate.history import FINAL_TASK_STATES, HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import OffersText, RunKey, SourceAdapter, TextHistory
from aerodrome.migration.transfer.batches import MANY, ahead, bulk_writer, move_batch
from aerodrome.migration.transfer.bulk import BulkWriter, Draft, Outcome, Sums
from aerodrome.migration.transfer.hashing import add
from aerodrome.migration.transfer.mapping import (
    DEFAULT_POOL,
    EXTRA_COLUMNS,
    ID_LIMIT,
    TARGET_COLUMNS,
    TASK_STATES,
    MappedRow,
    stable_uuid7,
)
from aerodrome.migration.transfer.outcomes import Tally
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.writer import HistoryWriter

_NULL = "\\N"
_SECONDS, _MICROSECONDS = len("2026-01-01 00:00:00"), len("2026-01-01 00:00:00.000000")


class NotPlainError(ValueError):
    """The row needs more than this module does."""


@dataclass
class _Batch:
    """Whole runs on their way: the lines of those that are plain, and the keys of the others."""

    draft: Draft | None
    number: int  # the sum of the rows' numbers
    plain: Sequence[RunKey]
    odd: Sequence[RunKey]
    tally: Tally = field(default_factory=Tally)


def text_history(source: SourceAdapter, target: TargetDatabase) -> TextHistory | None:
    """Give the source's text where it has one and the target can take lines."""
    fits = target.dialect == "postgresql" and not target.is_airflow2
    known = all(EXTRA_COLUMNS[kind][1:] == ("span_status", "updated_at") for kind in ("task_instance", "task_try"))
    return source.text_history() if fits and known and isinstance(source, OffersText) else None


def move_text(
    target: TargetDatabase, writer: HistoryWriter, text: TextHistory, window: HistoryWindow, tally: Tally, size: int
) -> Iterator[None]:
    """Move the rows of a window into the tally, and yield after each batch of about `size` rows. One is written while the next is read."""
    kind = writer.kind
    bulk = bulk_writer(target, writer)
    if bulk is None:
        return

    def finish(batch: _Batch, writing: Future[Outcome | None]) -> None:
        outcome = writing.result()
        again = [*batch.odd]
        if batch.draft is not None:
            if outcome in {"new", "same"}:
                rows = batch.draft.sums.rows
                tally.found += rows
                tally.source_sum, tally.target_sum = (
                    add(tally.source_sum, batch.number),
                    add(tally.target_sum, batch.number),
                )
                tally.moved, tally.same = (
                    tally.moved + rows * (outcome == "new"),
                    tally.same + rows * (outcome == "same"),
                )
            else:
                again = [*batch.plain, *again]
        for rows_of in text.rows(kind, again) if again else ():
            move_batch(target, writer, rows_of, tally)

    with ThreadPoolExecutor(1, thread_name_prefix="history-text") as beside:
        waiting: tuple[_Batch, Future[Outcome | None]] | None = None
        for rows in _whole_runs(ahead(text.stream(kind, window)), size):
            batch = _drafted(kind, rows)
            if waiting is not None:
                finish(*waiting)
                yield None
            waiting = batch, beside.submit(_write, bulk, batch)
        if waiting is not None:
            finish(*waiting)
            yield None


def _write(bulk: BulkWriter, batch: _Batch) -> Outcome | None:
    return None if batch.draft is None else bulk.write(batch.draft)


def _whole_runs(parts: Iterator[Sequence[Sequence[Any]]], size: int) -> Iterator[Sequence[Sequence[Any]]]:
    """Cut a stream where a run ends, at about `size` rows; a run with many times more is cut all the same."""
    rows: list[Sequence[Any]] = []
    for part in parts:
        rows += part
        if len(rows) < size:
            continue
        cut = len(rows)
        while cut and rows[cut - 1][:2] == rows[-1][:2]:
            cut -= 1
        if cut == 0 and len(rows) < MANY * size:
            continue
        yield rows[: cut or len(rows)]
        rows = rows[cut or len(rows) :]
    if rows:
        yield rows


def _drafted(kind: HistoryKind, rows: Sequence[Sequence[Any]]) -> _Batch:
    """Write the lines of a batch and hash them."""
    is_try = kind == "task_try"
    lines: list[str] = []
    carriers: list[MappedRow] = []
    odd: dict[RunKey, None] = {}
    for row in rows:
        try:
            line, carrier = task_line(row, is_try=is_try)
        except (NotPlainError, TypeError, ValueError):
            odd[row[0], row[1]] = None
            continue
        lines.append(line)
        carriers.append(carrier)
    block, width = "\n".join(lines), len(TARGET_COLUMNS[kind])
    nulls = sum([len(carrier.values) for carrier in carriers])
    if not _is_copyable(block, len(lines), width, nulls):
        for line, carrier in zip(lines, carriers, strict=True):
            if not _is_copyable(line, 1, width, len(carrier.values)):
                odd[carrier.key[0], carrier.key[1]] = None
    if odd:
        kept = [place for place, carrier in enumerate(carriers) if carrier.run not in odd]
        lines, carriers = [lines[place] for place in kept], [carriers[place] for place in kept]
    keys = list(dict.fromkeys([carrier.run for carrier in carriers]))
    number = total = 0
    for line in lines:
        digest = md5(line.encode(), usedforsecurity=False).digest()
        number += int.from_bytes(digest, "big")
        total += int.from_bytes(digest[:8], "big", signed=True)
    draft = Draft(carriers, lines, Sums(len(lines), total), has_notes=False)
    return _Batch(draft if lines else None, number % 2**128, keys, list(odd))


def _is_copyable(block: str, lines: int, width: int, nulls: int) -> bool:
    """Tell whether COPY reads the lines as they were meant: no value holds a sign that means something there."""
    return (
        block.count("\t") == lines * (width - 1)
        and block.count("\n") == max(0, lines - 1)
        and "\r" not in block
        and block.count("\\") == nulls
    )


def task_line(row: Sequence[Any], *, is_try: bool) -> tuple[str, MappedRow]:
    """Give the line of a row, and what carries its key and what is not proved; `values` of it counts the NULLs.

    NotPlainError (or another ValueError, TypeError) for a row that `mapping.py` must look at.
    """
    if is_try:
        (
            dag_id, run_id, task_id, map_index, try_number, max_tries, state, start_date, end_date, duration, _hostname,
            unixname, pool, pool_slots, queue, priority_weight, operator, custom_name, queued_at, display_name,
            rendered_map_index, executor,
        ) = row  # fmt: skip
        if state is not None and state not in TASK_STATES:
            raise NotPlainError
    else:
        (
            dag_id, run_id, task_id, map_index, try_number, max_tries, state, start_date, end_date, duration, _hostname,
            unixname, pool, pool_slots, queue, priority_weight, operator, custom_name, queued_at, display_name,
            rendered_map_index, executor, note,
        ) = row  # fmt: skip
        if note is not None or (state is not None and state not in FINAL_TASK_STATES):
            raise NotPlainError
    if len(task_id) > ID_LIMIT:
        raise NotPlainError
    map_index = -1 if map_index is None else int(map_index)
    try_number = int(try_number or 0)
    started, ended = _moment(start_date), _moment(end_date)
    if duration is not None:
        duration = repr(float(duration))
        duration = duration.removesuffix(".0")
    fields = [
        dag_id, run_id, task_id, str(map_index), str(try_number), str(max_tries or 0), state, started, ended, duration,
        "", unixname, pool or DEFAULT_POOL, str(int(pool_slots or 1) or 1), queue,
        None if priority_weight is None else str(priority_weight), operator, custom_name, _moment(queued_at),
        display_name or (task_id if is_try else None), rendered_map_index, executor,
    ]  # fmt: skip
    nulls = fields.count(None)
    line = "\t".join([_NULL if value is None else value for value in fields] if nulls else fields)
    key = (dag_id, run_id, task_id, map_index, try_number) if is_try else (dag_id, run_id, task_id, map_index)
    extra = (stable_uuid7(key, start_date or end_date), "not_started", ended or started)
    return line, MappedRow(key, (None,) * nulls, (), extra)


def _moment(text: str | None) -> str | None:
    """Write a moment as PostgreSQL does."""
    if text is None:
        return None
    if len(text) == _MICROSECONDS and text[10] == " " and text[19] == ".":
        return text[:_SECONDS] if text.endswith(".000000") else text.rstrip("0")
    if len(text) == _SECONDS and text[10] == " ":
        return text
    raise NotPlainError
