"""Moves one batch of history rows: maps them, writes what is new or changed, and proves each by reading it back.

Used by history.py and sql_lane.py. A batch is one transaction; a row that cannot move is refused with a reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

from sqlalchemy import Connection

from aerodrome.migration.estate.history import (
    RENDERED_COLUMNS,
    XCOM_COLUMNS,
    HistoryBatch,
    HistoryKind,
    RejectedRow,
)
from aerodrome.migration.transfer import airflow2
from aerodrome.migration.transfer.bulk import BulkWriter, Draft
from aerodrome.migration.transfer.hashing import add, row_number
from aerodrome.migration.transfer.mapping import (
    NOTE_LIMIT,
    TARGET_COLUMNS,
    MappedRow,
    changed_at,
    is_run_type_known,
    mapper,
)
from aerodrome.migration.transfer.outcomes import Rejected, Tally
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.twins import beside_own
from aerodrome.migration.transfer.writer import HistoryWriter, RunInTarget, Standing

NOTICE_CODES = frozenset({"run-conf-pickled", "run-interval-unknown", "moment-unreadable"})
"""Rejections of a value inside a row that moves all the same; shown, not counted as failed rows."""

Item = TypeVar("Item")
LENGTH_PER_BATCH = 16_000_000
"""Characters of documents at which a batch ends before it has its rows."""
DOCUMENTS: dict[HistoryKind, int] = {
    "xcom": XCOM_COLUMNS.index("value"),
    "rendered": RENDERED_COLUMNS.index("rendered_fields"),
}
MANY = 4
"""A run with more than this many times the rows of a batch is cut."""

DATE = TARGET_COLUMNS["run"].index("logical_date")


@dataclass(frozen=True)
class Prepared:
    """A batch that was mapped, with its counts so far."""

    rows: list[MappedRow]
    draft: Draft | None  # what is sent at once, where that is possible
    tally: Tally


def move_batch(target: TargetDatabase, writer: HistoryWriter, batch: HistoryBatch, tally: Tally) -> None:
    """Move one batch in one transaction and add what stands afterwards to the tally."""
    bulk = bulk_writer(target, writer)
    write_batch(target, writer, bulk, prepare_batch(target, bulk, batch, tally))


def move_batches(
    target: TargetDatabase, writer: HistoryWriter, batches: Iterable[HistoryBatch], tally: Tally
) -> Iterator[None]:
    """Move one batch after the other into the tally, and yield after each. One is written while the next is read and mapped."""
    bulk = bulk_writer(target, writer)
    with ThreadPoolExecutor(1, thread_name_prefix="history-rows") as beside:
        waiting: tuple[_Aside, Future[None]] | None = None
        for batch in batches:
            aside = _Aside()
            prepared = prepare_batch(target, bulk, batch, aside.tally)
            if waiting is not None:
                yield from _finish(*waiting, tally)
            waiting = aside, beside.submit(write_batch, target, writer, bulk, prepared)
        if waiting is not None:
            yield from _finish(*waiting, tally)


class _Aside:
    """What a batch on its way counts, and the refusals that are told once it stands."""

    def __init__(self) -> None:
        self.told: list[tuple[Rejected, bytes | None]] = []
        self.tally = Tally(keep=lambda rejected, value: self.told.append((rejected, value)))


def _finish(aside: _Aside, writing: Future[None], tally: Tally) -> Iterator[None]:
    writing.result()
    tally.merge(aside.tally)
    if tally.keep is not None:
        for refusal in aside.told:
            tally.keep(*refusal)
    yield None


_END = object()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Give the items, each read while the one before is worked on."""
    with ThreadPoolExecutor(1, thread_name_prefix="history-source") as beside:
        iterator: Iterator[Any] = iter(items)
        coming = beside.submit(next, iterator, _END)
        while (item := cast("Item", coming.result())) is not _END:
            coming = beside.submit(next, iterator, _END)
            yield item


def gathered(batches: Iterable[HistoryBatch], size: int) -> Iterator[HistoryBatch]:
    """Give batches of about `size` rows of one kind that end where a run ends, unless a run has many times more."""
    rows: list[tuple[Any, ...]] = []
    rejected: list[RejectedRow] = []
    kept = None
    length = 0
    for batch in batches:
        kept = batch
        rows += batch.rows
        rejected += batch.rejected
        length += _length(batch)
        if len(rows) + len(rejected) < size and length < LENGTH_PER_BATCH:
            continue
        cut = len(rows)
        while cut and rows[cut - 1][:2] == rows[-1][:2]:
            cut -= 1
        if cut == 0 and len(rows) < MANY * size and length < LENGTH_PER_BATCH:
            continue
        cut = cut or len(rows)
        yield HistoryBatch(batch.kind, batch.columns, rows[:cut], rejected)
        rows, rejected, length = rows[cut:], [], 0
    if kept is not None and (rows or rejected):
        yield HistoryBatch(kept.kind, kept.columns, rows, rejected)


def _length(batch: HistoryBatch) -> int:
    """Give the characters of a batch's documents; other kinds have none of note."""
    place = DOCUMENTS.get(batch.kind)
    return 0 if place is None else sum([len(row[place]) for row in batch.rows if row[place]])


def bulk_writer(target: TargetDatabase, writer: HistoryWriter) -> BulkWriter | None:
    """Give what writes whole batches, where the target is on PostgreSQL."""
    return BulkWriter(target, writer) if target.dialect == "postgresql" else None


def prepare_batch(target: TargetDatabase, bulk: BulkWriter | None, batch: HistoryBatch, tally: Tally) -> Prepared:
    """Map a batch and hash it; of the target only the names of its own runs are asked."""
    rows = accept(beside_own(target, batch), tally, target)
    return Prepared(rows, bulk.draft(rows) if bulk is not None and rows else None, tally)


def write_batch(target: TargetDatabase, writer: HistoryWriter, bulk: BulkWriter | None, prepared: Prepared) -> None:
    """Write what is new or changed of a batch, and add what stands afterwards to its tally."""
    rows, tally = prepared.rows, prepared.tally
    is_written = False
    if bulk is not None and prepared.draft is not None:
        outcome = bulk.write(prepared.draft)
        if outcome in {"new", "same"}:
            prepared.draft.count(tally, is_new=outcome == "new")
            return
        is_written = outcome == "unproved"
    with target.reading() as connection:
        sorted_out = _sort_out(writer, connection, rows)
    if sorted_out.has_work:
        with target.writing() as connection:
            sorted_out = _sort_out(writer, connection, rows)
            refused = writer.insert(connection, sorted_out.new, sorted_out.runs)
            refused += writer.update(connection, sorted_out.changed)
            sorted_out.refused.extend(refused)
            labels = {item.key for item in refused}
            writer.write_notes(
                connection, [row for row in (*sorted_out.new, *sorted_out.changed) if row.label not in labels]
            )
        with target.reading() as connection:
            sorted_out = replace(sorted_out, standing=writer.standing(connection, rows))
    _prove(replace(sorted_out, new=rows) if is_written else sorted_out, rows, tally)


@dataclass(frozen=True)
class _SortedOut:
    """A batch held against the target: what is new, what changed, what stands, what is refused and why."""

    new: list[MappedRow]
    changed: list[MappedRow]
    refused: list[Rejected]
    standing: dict[tuple[object, ...], Standing]
    runs: dict[tuple[str, str], RunInTarget]

    @property
    def has_work(self) -> bool:
        return bool(self.new or self.changed)


def accept(batch: HistoryBatch, tally: Tally, target: TargetDatabase) -> list[MappedRow]:
    """Map a batch; rows that cannot be rows of the target's Airflow are refused here."""
    map_row = mapper(batch.kind, batch.columns)
    if target.is_airflow2:
        map_row = airflow2.mapper(batch.kind, map_row)
    rows: dict[tuple[object, ...], MappedRow] = {}
    for left in batch.rejected:
        rejected = Rejected(left.key, left.code, left.message)
        if left.code in NOTICE_CODES:
            tally.notice(rejected, left.value)
        else:
            tally.found += 1
            tally.reject(rejected, value=left.value)
    for raw in batch.rows:
        tally.found += 1
        row = map_row(raw)
        if isinstance(row, Rejected):
            tally.reject(row)
        elif row.key in rows:
            tally.reject(Rejected(row.label, "row-doubled", "The source gives this row twice."))
        elif batch.kind == "run" and not is_run_type_known(row.values[2], target.schema_version):
            tally.reject(Rejected(row.label, "run-type-unknown", "The target's Airflow does not know this run type."))
        elif row.note is not None and len(row.note) > NOTE_LIMIT:
            tally.notice(Rejected(row.label, "note-too-long", f"Its note is over {NOTE_LIMIT} characters; left out."))
            rows[row.key] = replace(row, note=None)
        else:
            rows[row.key] = row
    return list(rows.values())


def _sort_out(writer: HistoryWriter, connection: Connection, rows: list[MappedRow]) -> _SortedOut:
    is_run = writer.kind == "run"
    standing = writer.standing(connection, rows)
    runs = {} if is_run else writer.runs(connection, (row.run for row in rows))
    taken = writer.taken_dates(connection, rows) if is_run else {}
    out = _SortedOut([], [], [], standing, runs)
    for row in rows:
        stands = standing.get(row.key)
        if not is_run and (reason := _run_problem(runs.get(row.run))):
            if stands is None or stands.proof_for(row) != (*row.proof, row.note):
                out.refused.append(Rejected(row.label, *reason))
        elif stands is None:
            holder = taken.get((row.key[0], row.values[DATE])) if is_run and row.values[DATE] else None
            if holder not in {None, row.key[1]}:
                message = f"The target has another run, {holder}, for the same logical date."
                out.refused.append(Rejected(row.label, "logical-date-taken", message))
            else:
                if is_run:
                    taken[row.key[0], row.values[DATE]] = row.key[1]
                out.new.append(row)
        elif stands.proof_for(row) != (*row.proof, row.note):
            if stands.is_import:
                if (kept := _kept(writer, row, stands)) is None:
                    out.changed.append(row)
                else:
                    out.refused.append(kept)
            else:
                message = "The target has this row with other content, from a run of its own."
                out.refused.append(Rejected(row.label, "row-belongs-to-target", message))
    return out


def _kept(writer: HistoryWriter, row: MappedRow, stands: Standing) -> Rejected | None:
    """Give the reason why the policy keeps the target's row; None: the source's is written."""
    if writer.policy == "target-wins":
        return Rejected(row.label, "target-wins", "The target has this row with other content; it was kept.")
    if writer.policy == "newest" and stands.changed_at is not None:
        written = changed_at(writer.kind, row)
        if written is None or written < stands.changed_at:
            message = f"The target's row was written at {stands.changed_at}, after the source's; it was kept."
            return Rejected(row.label, "target-newer", message)
    return None


def _run_problem(run: RunInTarget | None) -> tuple[str, str] | None:
    if run is None:
        return "run-not-there", "Its run does not stand in the target."
    if not run.is_import:
        return "run-belongs-to-target", "The target ran this run itself; its task instances are not touched."
    return None


def _prove(out: _SortedOut, rows: list[MappedRow], tally: Tally) -> None:
    """Count the batch, and add up both sides over every row that was not refused."""
    refused = {item.key for item in out.refused}
    for item in out.refused:
        tally.reject(item)
    written = {row.key for row in (*out.new, *out.changed)}
    source_sum = target_sum = 0
    for row in rows:
        if refused and row.label in refused:
            continue
        wanted = (*row.proof, row.note)
        number = row_number(wanted)
        stands = out.standing.get(row.key)
        proof = None if stands is None else stands.proof_for(row)
        source_sum += number
        if proof == wanted:
            target_sum += number
        else:
            target_sum += row_number(proof) if proof is not None else 0
            tally.reject(Rejected(row.label, "not-standing", "The row does not stand in the target as it was written."))
            continue
        if row.key in written:
            tally.moved += 1
        else:
            tally.same += 1
    tally.source_sum = add(tally.source_sum, source_sum)
    tally.target_sum = add(tally.target_sum, target_sum)
