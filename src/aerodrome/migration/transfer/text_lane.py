"""Moves history of a source that gives it as text: from its text to the text of a COPY, with no objects between.

Used by history.py for SQLite and MySQL. `mapping.py` says what a row becomes, and this does the same (`test_text_lane.py`
compares both ways). The lines of task instances and tries come from the source's database (`text_sql.py`). A run with a row that is not plain (an odd form of a moment, a note, a sign that COPY reads otherwise) takes the
way through `move_batch`, and so does a batch of which the target has something already, or has it otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from aerodrome.kernel.errors import Broken
from aerodrome.migration.estate.history import HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import OffersText, RunKey, RunLines, SourceAdapter, TextHistory
from aerodrome.migration.transfer import airflow2
from aerodrome.migration.transfer.batches import (
    DOCUMENTS,
    LENGTH_PER_BATCH,
    MANY,
    ahead,
    bulk_writer,
    gathered,
    move_batch,
)
from aerodrome.migration.transfer.bulk import COPY_BYTES, BulkWriter, Draft, Outcome, sums_of
from aerodrome.migration.transfer.hashing import md5
from aerodrome.migration.transfer.mapping import EXTRA_COLUMNS, TARGET_COLUMNS, uuid7_of
from aerodrome.migration.transfer.outcomes import Tally
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.text_documents import NULL, Line, NotPlainError, run_liner, xcom_liner
from aerodrome.migration.transfer.text_sql import NULL_MARK, task_line
from aerodrome.migration.transfer.writer import HistoryWriter

_KEY_ONLY = 2
"""Values of a row that only names its run."""
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
        for rows_of in gathered(text.rows(kind, again), size) if again else ():
            move_batch(target, writer, rows_of, tally)

    with ThreadPoolExecutor(1, thread_name_prefix="history-text") as beside:
        waiting: tuple[_Batch, Future[Outcome | None]] | None = None
        for batch in _batches(text, writer, window, target.schema_version, size):
            if waiting is not None:
                finish(*waiting)
                yield None
            waiting = batch, beside.submit(_write, bulk, batch)
        if waiting is not None:
            finish(*waiting)
            yield None


def _batches(
    text: TextHistory, writer: HistoryWriter, window: HistoryWindow, schema_version: str, size: int
) -> Iterator[_Batch]:
    kind = writer.kind
    if kind in _TASKS:
        is_try = kind == "task_try"
        tail_of = tail_writer(writer.extra, is_try=is_try)
        parts = ahead(text.lines(kind, window, task_line(text.dialect, is_try=is_try)))
        for runs in _many_runs(parts, size):
            yield _drafted_tasks(tail_of, len(TARGET_COLUMNS[kind]), runs, MANY * size)
        return
    line_of = xcom_liner(writer.extra) if kind == "xcom" else run_liner(writer.extra, schema_version)
    for rows in _whole_runs(ahead(text.stream(kind, window)), size, DOCUMENTS.get(kind)):
        yield _drafted(line_of, rows)


def _write(bulk: BulkWriter, batch: _Batch) -> Outcome | None:
    return None if batch.draft is None else bulk.write(batch.draft)


def _many_runs(parts: Iterator[Sequence[RunLines]], size: int) -> Iterator[Sequence[RunLines]]:
    """Gather runs until they have about `size` lines."""
    runs: list[RunLines] = []
    count = 0
    for part in parts:
        for run in part:
            runs.append(run)
            count += len(run[1] or ())
            if count >= size or len(runs) >= size:
                yield runs
                runs, count = [], 0
    if runs:
        yield runs


def _whole_runs(
    parts: Iterator[Sequence[Sequence[Any]]], size: int, document: int | None
) -> Iterator[Sequence[Sequence[Any]]]:
    """Cut a stream where a run ends, at about `size` rows. Of a run with many times more comes its key only: it is read anew, by rows."""
    rows: list[Sequence[Any]] = []
    length = 0
    large: Sequence[Any] | None = None
    for part in parts:
        if large is not None:
            part = [row for row in part if row[:2] != large]  # noqa: PLW2901
        rows += part
        if document is not None:
            length += sum([len(value) for row in part if (value := row[document])])
        if len(rows) < size and length < LENGTH_PER_BATCH:
            continue
        cut = len(rows)
        while cut and rows[cut - 1][:2] == rows[-1][:2]:
            cut -= 1
        if cut == 0:
            if len(rows) < MANY * size and length < LENGTH_PER_BATCH:
                continue
            large = rows[0][:2]
            yield [large]
            rows, length = [], 0
            continue
        yield rows[:cut]
        rows, length = rows[cut:], 0
    if rows:
        yield rows


def _drafted(line_of: Callable[[Sequence[Any]], Line], rows: Sequence[Sequence[Any]]) -> _Batch:
    """Write and hash the lines of runs or XComs."""
    found: list[tuple[RunKey, Line, bytes]] = []
    odd: dict[RunKey, None] = {}
    for row in rows:
        if len(row) == _KEY_ONLY:
            odd[row[0], row[1]] = None
            continue
        try:
            line = line_of(row)
            digest = md5(line.proof.encode()).digest()
        except (NotPlainError, TypeError, ValueError, RecursionError):
            odd[row[0], row[1]] = None
            continue
        found.append(((row[0], row[1]), line, digest))
    if odd:
        found = [item for item in found if item[0] not in odd]
    if not found:
        return _Batch(None, list(odd))
    owners = [owner for owner, _, _ in found]
    sums, number = sums_of([digest for _, _, digest in found])
    draft = Draft(
        list(dict.fromkeys(owners)), [line.text for _, line, _ in found], sums, number, has_notes=False,
        tails=[line.tail for _, line, _ in found], owners=owners,
    )  # fmt: skip
    return _Batch(draft, list(odd))


def _drafted_tasks(tail_of: Callable[[str], str], width: int, runs: Sequence[RunLines], most: int) -> _Batch:
    """Hash the lines of task instances or tries, and write what follows them. Runs with an odd line, or with very many, are odd."""
    found = [(key, lines) for key, lines in runs if lines is not None and len(lines) <= most]
    block = _block(found)
    if not _is_copyable(block, found, width):
        found = [run for run in found if _is_copyable(_block([run]), [run], width)]
        block = _block(found)
    odd = [key for key, _ in runs] if len(found) < len(runs) else []
    if odd:
        plain = {key for key, _ in found}
        odd = [key for key in odd if key not in plain]
    if not found:
        return _Batch(None, odd)
    lines = block.replace(NULL_MARK, NULL).split("\n")
    owners = [key for key, of_run in found for _ in of_run]
    sums, number = sums_of([md5(line.encode()).digest() for line in lines])
    try:
        tails = [tail_of(line) for line in lines]
    except ValueError:  # a moment that is none
        plain_runs = [(key, of_run if _has_tails(tail_of, of_run) else None) for key, of_run in runs]
        return _drafted_tasks(tail_of, width, plain_runs, most)
    keys = [key for key, _ in found]
    return _Batch(Draft(keys, lines, sums, number, has_notes=False, tails=tails, owners=owners), odd)


def _has_tails(tail_of: Callable[[str], str], lines: list[str] | None) -> bool:
    try:
        for line in lines or ():
            tail_of(line.replace(NULL_MARK, NULL))
    except ValueError:
        return False
    return True


def _block(runs: Sequence[tuple[RunKey, list[str]]]) -> str:
    return "\n".join(["\n".join(lines) for _, lines in runs])


def _is_copyable(block: str, runs: Sequence[tuple[RunKey, list[str]]], width: int) -> bool:
    """Tell whether COPY reads the lines as they were meant: no value holds a sign that means something there."""
    count = sum([len(lines) for _, lines in runs])
    return (
        block.count("\t") == count * (width - 1)
        and block.count("\n") == max(0, count - 1)
        and "\r" not in block
        and "\\" not in block
    )


def tail_writer(extra: Sequence[str], *, is_try: bool) -> Callable[[str], str]:
    """Give what writes the text of the columns that are not proved (`extra`) of a row, from its line."""
    id_column = EXTRA_COLUMNS["task_try" if is_try else "task_instance"][0]
    constants = {"span_status": "not_started", "executor_config": f"{COPY_BYTES}{airflow2.EMPTY_PICKLE.hex()}"}
    has_id, has_updated = id_column in extra, "updated_at" in extra
    agreed = [*[id_column] * has_id, *[name for name in extra if name in constants], *["updated_at"] * has_updated]
    if agreed != list(extra):
        raise Broken(
            "The columns that are not proved stand in another order than agreed.", code="history-columns-unknown"
        )
    between = "\t".join([constants[name] for name in extra if name in constants])
    before = f"\t{between}" if between else ""

    def tail_of(line: str) -> str:
        dag_id, run_id, task_id, map_index, try_number, _, _, started, ended, _ = line.split("\t", 9)
        tail = between
        if has_id:
            key = f"{dag_id}\x1f{run_id}\x1f{task_id}\x1f{map_index}"
            moment = started if started != NULL else ended
            made = uuid7_of(f"{key}\x1f{try_number}" if is_try else key, moment if moment != NULL else None)
            tail = made + before
        if has_updated:
            updated = ended if ended != NULL else started
            return f"{tail}\t{updated}" if tail else updated
        return tail

    return tail_of
