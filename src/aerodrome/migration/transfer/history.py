"""Moves run history: streams the source's rows, writes them in bulk, and proves each batch by reading it back.

Called by migration.service and migration.cutover. Safe to repeat and to kill at any line: a batch is one transaction,
rows are recognised by their natural key, and the checkpoint only says which groups of DAGs are done.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.digest import digest_of
from aerodrome.migration.estate.history import HISTORY_KINDS, HistoryBatch, HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import Progress, SourceAdapter
from aerodrome.migration.transfer.checkpoints import Checkpoint, NoCheckpoint
from aerodrome.migration.transfer.hashing import add, hash_text, row_number
from aerodrome.migration.transfer.mapping import NOTE_LIMIT, TARGET_COLUMNS, MappedRow, is_run_type_known, mapper
from aerodrome.migration.transfer.outcomes import HistoryMoved, KindMoved, Rejected, Tally
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.writer import HistoryWriter, RunInTarget, Standing

DAGS_PER_GROUP = 20
"""A checkpoint is saved after each kind of each group of this many DAGs."""

NOTICE_CODES = frozenset({"run-conf-pickled", "run-interval-unknown"})
"""Rejections of a value inside a row that moves all the same; shown, not counted as failed rows."""

DATE = TARGET_COLUMNS["run"].index("logical_date")
Tallies = dict[HistoryKind, Tally]


def move_history(
    source: SourceAdapter,
    target: TargetDatabase,
    dag_ids: Sequence[str],
    *,
    since: datetime | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> HistoryMoved:
    """Move the finished runs of these DAGs with their task instances, earlier tries, XComs and notes.

    `since` limits it to runs that changed after that moment. Rows that cannot move are refused one by one with a
    reason. Running it again adds nothing; rows that changed in the source since are brought up to date.
    """
    started = time.monotonic()
    checkpoint = checkpoint or NoCheckpoint()
    wanted = sorted(set(dag_ids))
    plan = digest_of([wanted, to_text(since), target.schema_version])
    done, tallies, until = _restore(checkpoint, plan)
    until = until or source.history_watermark(wanted)
    window = HistoryWindow(tuple(wanted), since, until)
    report = _Report(progress or _silent, source.history_counts(window) if progress else {}, tallies)
    before = report.rows

    known = _known_dags(target, wanted)
    groups = [tuple(known[start : start + DAGS_PER_GROUP]) for start in range(0, len(known), DAGS_PER_GROUP)]
    position = 0
    if position >= done:
        _refuse_missing(source, window, sorted(set(wanted) - set(known)), tallies)
        _save(checkpoint, plan, position + 1, tallies, until)
    for group in groups:
        for kind in HISTORY_KINDS:
            position += 1
            if position < done:
                continue
            writer = HistoryWriter(target, kind)
            draft = Tally.from_state(tallies[kind].as_state())
            for batch in source.history(kind, replace(window, dag_ids=group)):
                move_batch(target, writer, batch, draft)
                report.tell(kind, draft)
            tallies[kind] = draft
            _save(checkpoint, plan, position + 1, tallies, until)
    seconds = time.monotonic() - started
    return HistoryMoved(
        tuple(_outcome(kind, tallies[kind]) for kind in HISTORY_KINDS),
        seconds,
        (report.rows - before) / seconds if seconds else 0.0,
        until,
    )


def move_batch(target: TargetDatabase, writer: HistoryWriter, batch: HistoryBatch, tally: Tally) -> None:
    """Move one batch in one transaction and add what stands afterwards to the tally."""
    rows = _accept(batch, tally, target.schema_version)
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
    _prove(sorted_out, rows, tally)


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


def _accept(batch: HistoryBatch, tally: Tally, schema_version: str) -> list[MappedRow]:
    """Map a batch; rows that cannot be rows of Airflow 3 are refused here."""
    map_row = mapper(batch.kind, batch.columns)
    rows: dict[tuple[object, ...], MappedRow] = {}
    for left in batch.rejected:
        rejected = Rejected(left.key, left.code, left.message)
        if left.code in NOTICE_CODES:
            tally.notice(rejected)
        else:
            tally.found += 1
            tally.reject(rejected)
    for raw in batch.rows:
        tally.found += 1
        row = map_row(raw)
        if isinstance(row, Rejected):
            tally.reject(row)
        elif row.key in rows:
            tally.reject(Rejected(row.label, "row-doubled", "The source gives this row twice."))
        elif batch.kind == "run" and not is_run_type_known(row.values[2], schema_version):
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
                out.changed.append(row)
            else:
                message = "The target has this row with other content, from a run of its own."
                out.refused.append(Rejected(row.label, "row-belongs-to-target", message))
    return out


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


def _known_dags(target: TargetDatabase, dag_ids: Sequence[str]) -> list[str]:
    table = target.table("dag")
    with target.reading() as connection:
        standing = {row[0] for row in connection.execute(table.select().with_only_columns(table.c.dag_id))}
    return [dag_id for dag_id in dag_ids if dag_id in standing]


def _refuse_missing(source: SourceAdapter, window: HistoryWindow, dag_ids: Sequence[str], tallies: Tallies) -> None:
    for dag_id in dag_ids:
        for kind, rows in source.history_counts(replace(window, dag_ids=(dag_id,))).items():
            tallies[kind].found += rows
            if rows:
                message = f"The target has not parsed this DAG; its {rows} rows wait until it has."
                tallies[kind].reject(Rejected(dag_id, "dag-not-in-target", message), rows)


def _restore(checkpoint: Checkpoint, plan: str) -> tuple[int, Tallies, datetime | None]:
    """Give how many positions are done, the counts so far and the watermark; a checkpoint of another transfer is not ours."""
    state = checkpoint.load()
    if state is None or state.get("plan") != plan:
        return 0, {kind: Tally() for kind in HISTORY_KINDS}, None
    tallies = {kind: Tally.from_state(state["tallies"][kind]) for kind in HISTORY_KINDS}
    return state["done"], tallies, from_text(state["until"])


def _save(checkpoint: Checkpoint, plan: str, done: int, tallies: Tallies, until: datetime | None) -> None:
    states = {kind: tally.as_state() for kind, tally in tallies.items()}
    checkpoint.save({"plan": plan, "done": done, "until": to_text(until), "tallies": states})


def _outcome(kind: HistoryKind, tally: Tally) -> KindMoved:
    return KindMoved(
        kind,
        tally.found,
        tally.moved,
        tally.same,
        tally.rejections.total(),
        dict(sorted(tally.rejections.items())),
        tuple(tally.shown),
        tuple(tally.notices),
        hash_text(tally.source_sum),
        hash_text(tally.target_sum),
        dict(sorted(tally.noticed.items())),
    )


class _Report:
    """Tells how far the transfer is, over all kinds."""

    def __init__(self, progress: Progress, counts: dict[HistoryKind, int], tallies: Tallies) -> None:
        self._progress = progress
        self._total = sum(counts.values())
        self._found = {kind: tally.found for kind, tally in tallies.items()}

    @property
    def rows(self) -> int:
        return sum(self._found.values())

    def tell(self, kind: HistoryKind, tally: Tally) -> None:
        self._found[kind] = tally.found
        self._progress(f"moving {kind}", self.rows, self._total)


def _silent(_text: str, _done: int, _total: int | None) -> None:
    pass
