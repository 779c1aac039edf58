"""Moves history of a source that gives it as text: from its text to the text of a COPY, with no objects between.

Used by history.py for SQLite and MySQL. `mapping.py` says what a row becomes, and this does the same (`test_bulk.py` compares
both ways). A run with a row that is not plain (an odd form of a moment, a note, a sign that COPY reads otherwise) takes the
way through `move_batch`, and so does a batch of which the target has something already, or has it otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from aerodrome.kernel.errors import Broken
from aerodrome.migration.estate.history import FINAL_TASK_STATES, HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import OffersText, RunKey, SourceAdapter, TextHistory
from aerodrome.migration.transfer import airflow2
from aerodrome.migration.transfer.batches import DOCUMENTS, LENGTH_PER_BATCH, MANY, ahead, bulk_writer, move_batch
from aerodrome.migration.transfer.bulk import COPY_BYTES, BulkWriter, Draft, Outcome, Sums
from aerodrome.migration.transfer.mapping import (
    DEFAULT_POOL,
    EXTRA_COLUMNS,
    ID_LIMIT,
    TARGET_COLUMNS,
    TASK_STATES,
    uuid7_of,
)
from aerodrome.migration.transfer.outcomes import Tally
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.text_documents import NULL, Line, NotPlainError, moment_of, run_liner, xcom_liner
from aerodrome.migration.transfer.writer import HistoryWriter

_TASKS: frozenset[HistoryKind] = frozenset({"task_instance", "task_try"})


@dataclass
class _Batch:
    """Whole runs on their way: the lines of those that are plain, and the keys of the others."""

    draft: Draft | None
    odd: Sequence[RunKey]


def text_history(source: SourceAdapter, target: TargetDatabase) -> TextHistory | None:
    """Give the source's text where it has one and the target can take lines."""
    return source.text_history() if target.dialect == "postgresql" and isinstance(source, OffersText) else None


def takes(target: TargetDatabase, text: TextHistory, kind: HistoryKind) -> bool:
    """Tell whether rows of this kind go this way."""
    return text.is_offered(kind) and (kind in _TASKS or not target.is_airflow2)


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
                tally.found += batch.draft.sums.rows
                batch.draft.count(tally, is_new=outcome == "new")
            else:
                again = [*batch.draft.keys, *again]
        for rows_of in text.rows(kind, again) if again else ():
            move_batch(target, writer, rows_of, tally)

    line_of = xcom_liner(writer.extra) if kind == "xcom" else run_liner(writer.extra, target.schema_version)
    with ThreadPoolExecutor(1, thread_name_prefix="history-text") as beside:
        waiting: tuple[_Batch, Future[Outcome | None]] | None = None
        for rows in _whole_runs(ahead(text.stream(kind, window)), size, DOCUMENTS.get(kind)):
            batch = _drafted_tasks(kind, writer.extra, rows) if kind in _TASKS else _drafted(line_of, rows)
            if waiting is not None:
                finish(*waiting)
                yield None
            waiting = batch, beside.submit(_write, bulk, batch)
        if waiting is not None:
            finish(*waiting)
            yield None


def _write(bulk: BulkWriter, batch: _Batch) -> Outcome | None:
    return None if batch.draft is None else bulk.write(batch.draft)


def _whole_runs(
    parts: Iterator[Sequence[Sequence[Any]]], size: int, document: int | None
) -> Iterator[Sequence[Sequence[Any]]]:
    """Cut a stream where a run ends, at about `size` rows; a run with many times more is cut all the same."""
    rows: list[Sequence[Any]] = []
    length = 0
    for part in parts:
        rows += part
        if document is not None:
            length += sum([len(value) for row in part if (value := row[document])])
        if len(rows) < size and length < LENGTH_PER_BATCH:
            continue
        cut = len(rows)
        while cut and rows[cut - 1][:2] == rows[-1][:2]:
            cut -= 1
        if cut == 0 and len(rows) < MANY * size and length < LENGTH_PER_BATCH:
            continue
        yield rows[: cut or len(rows)]
        rows, length = rows[cut or len(rows) :], 0
    if rows:
        yield rows


def _drafted(line_of: Callable[[Sequence[Any]], Line], rows: Sequence[Sequence[Any]]) -> _Batch:
    """Write and hash the lines of runs or XComs."""
    found: list[tuple[RunKey, Line, bytes]] = []
    odd: dict[RunKey, None] = {}
    for row in rows:
        try:
            line = line_of(row)
            digest = md5(line.proof.encode(), usedforsecurity=False).digest()
        except (NotPlainError, TypeError, ValueError, RecursionError):
            odd[row[0], row[1]] = None
            continue
        found.append(((row[0], row[1]), line, digest))
    if odd:
        found = [item for item in found if item[0] not in odd]
    if not found:
        return _Batch(None, list(odd))
    owners = [owner for owner, _, _ in found]
    total = sum([int.from_bytes(digest[:8], "big", signed=True) for _, _, digest in found])
    draft = Draft(
        list(dict.fromkeys(owners)), [line.text for _, line, _ in found], Sums(len(found), total),
        sum([int.from_bytes(digest, "big") for _, _, digest in found]), has_notes=False,
        tails=[line.tail for _, line, _ in found], owners=owners,
    )  # fmt: skip
    return _Batch(draft, list(odd))


def _drafted_tasks(kind: HistoryKind, extra: Sequence[str], rows: Sequence[Sequence[Any]]) -> _Batch:
    """Write and hash the lines of task instances or tries."""
    line_of = liner(extra, is_try=kind == "task_try")
    lines: list[str] = []
    tails: list[str] = []
    owners: list[RunKey] = []
    nulls: list[int] = []
    odd: dict[RunKey, None] = {}
    for row in rows:
        try:
            line, tail, count = line_of(row)
        except (NotPlainError, TypeError, ValueError):
            odd[row[0], row[1]] = None
            continue
        lines.append(line)
        tails.append(tail)
        owners.append((row[0], row[1]))
        nulls.append(count)
    block, width = "\n".join(lines), len(TARGET_COLUMNS[kind])
    if not _is_copyable(block, len(lines), width, sum(nulls)):
        for line, owner, count in zip(lines, owners, nulls, strict=True):
            if not _is_copyable(line, 1, width, count):
                odd[owner] = None
    if odd:
        kept = [place for place, owner in enumerate(owners) if owner not in odd]
        lines, tails = [lines[place] for place in kept], [tails[place] for place in kept]
        owners = [owners[place] for place in kept]
    number = total = 0
    for line in lines:
        digest = md5(line.encode(), usedforsecurity=False).digest()
        number += int.from_bytes(digest, "big")
        total += int.from_bytes(digest[:8], "big", signed=True)
    if not lines:
        return _Batch(None, list(odd))
    keys = list(dict.fromkeys(owners))
    draft = Draft(keys, lines, Sums(len(lines), total), number, has_notes=False, tails=tails, owners=owners)
    return _Batch(draft, list(odd))


def _is_copyable(block: str, lines: int, width: int, nulls: int) -> bool:
    """Tell whether COPY reads the lines as they were meant: no value holds a sign that means something there."""
    return (
        block.count("\t") == lines * (width - 1)
        and block.count("\n") == max(0, lines - 1)
        and "\r" not in block
        and block.count("\\") == nulls
    )


def liner(extra: Sequence[str], *, is_try: bool) -> Callable[[Sequence[Any]], tuple[str, str, int]]:
    """Give what writes the line of a row, the text of what is not proved (the columns `extra`), and how many NULLs the line has.

    It raises NotPlainError (or another ValueError, TypeError) for a row that `mapping.py` must look at.
    """
    id_column = EXTRA_COLUMNS["task_try" if is_try else "task_instance"][0]
    constants = {"span_status": "not_started", "executor_config": f"{COPY_BYTES}{airflow2.EMPTY_PICKLE.hex()}"}
    last = list(extra).index("updated_at") if "updated_at" in extra else -1
    has_id = id_column in extra
    if last not in {-1, len(extra) - 1} or (has_id and extra[0] != id_column):
        raise Broken(
            "The columns that are not proved stand in another order than agreed.", code="history-columns-unknown"
        )
    between = "\t".join(constants[name] for name in extra if name not in {id_column, "updated_at"})

    def line_of(row: Sequence[Any]) -> tuple[str, str, int]:
        (
            dag_id, run_id, task_id, map_index, try_number, max_tries, state, start_date, end_date, duration, _hostname,
            unixname, pool, pool_slots, queue, priority_weight, operator, custom_name, queued_at, display_name,
            rendered_map_index, executor, *note,
        ) = row  # fmt: skip
        if state is not None and state not in (TASK_STATES if is_try else FINAL_TASK_STATES):
            raise NotPlainError
        if len(task_id) > ID_LIMIT or (note and note[0] is not None):
            raise NotPlainError
        map_index = -1 if map_index is None else int(map_index)
        try_number = int(try_number or 0)
        started, ended = moment_of(start_date), moment_of(end_date)
        if duration is not None:
            duration = repr(float(duration)).removesuffix(".0")
        fields = [
            dag_id, run_id, task_id, str(map_index), str(try_number), str(max_tries or 0), state, started, ended,
            duration, "", unixname, pool or DEFAULT_POOL, str(int(pool_slots or 1) or 1), queue,
            None if priority_weight is None else str(priority_weight), operator, custom_name, moment_of(queued_at),
            display_name or (task_id if is_try else None), rendered_map_index, executor,
        ]  # fmt: skip
        nulls = fields.count(None)
        line = "\t".join([NULL if value is None else value for value in fields] if nulls else fields)
        tail = between
        if has_id:
            key = f"{dag_id}\x1f{run_id}\x1f{task_id}\x1f{map_index}"
            made = uuid7_of(f"{key}\x1f{try_number}" if is_try else key, start_date or end_date)
            tail = f"{made}\t{between}" if between else made
        if last >= 0:
            updated = ended or started or NULL
            tail = f"{tail}\t{updated}" if tail else updated
        return line, tail, nulls

    return line_of
