"""Moves history from PostgreSQL to PostgreSQL: the source's database maps the rows, COPY carries them, both databases hash.

Used by history.py, a chunk of runs at a time. Nothing is written here but rows of runs of which the target has none yet:
one COPY per kind and chunk, in one transaction. Where something stands already, both sides are hashed; when they differ,
when a row needs more than SQL, or when the target refuses a row, the runs take the way through Python (`move_batch`), which
knows updates, refusals and their reasons. Repeating a chunk is safe: what stands is recognised by its hash.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import psycopg
from psycopg import sql as composing

from aerodrome.migration.estate.history import FINAL_RUN_STATES, HISTORY_KINDS, HistoryBatch, HistoryKind
from aerodrome.migration.sources.contract import NeutralSql, OffersSql, RunKey, SourceAdapter, SqlHistory
from aerodrome.migration.transfer.batches import move_batch
from aerodrome.migration.transfer.hashing import add
from aerodrome.migration.transfer.mapping import KEYS, TABLES
from aerodrome.migration.transfer.outcomes import Tally
from aerodrome.migration.transfer.relay import cursor_on, relay
from aerodrome.migration.transfer.sql_mapping import NOTED, SAMPLE_SQL, hash_sql, mapped_sql, note_hash_sql
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.writer import NOTES, HistoryWriter

_REFUSALS = (psycopg.IntegrityError, psycopg.DataError)


@dataclass(frozen=True)
class Sums:
    """What one side has of a chunk: rows, notes, and the sums of two 64-bit hashes of each."""

    rows: int
    hashes: tuple[int, int]
    notes: int
    note_hashes: tuple[int, int]

    @property
    def number(self) -> int:
        """Give one number of 128 bits for a tally."""
        high, low = (sum(pair) for pair in zip(self.hashes, self.note_hashes, strict=True))
        return add((high % 2**64) << 64, low)


@dataclass(frozen=True)
class ChosenRun:
    """A run of a chunk: its key, and its id in the target where it stands there as an import."""

    key: RunKey
    target_id: int | None


class _OddError(Exception):
    """Some runs have rows that SQL cannot map."""

    def __init__(self, keys: frozenset[RunKey]) -> None:
        super().__init__()
        self.keys = keys


class Chunk:
    """One chunk on its way: what is counted already, and what must still be read back from the target."""

    def __init__(self) -> None:
        self.tallies: dict[HistoryKind, Tally] = {kind: Tally() for kind in HISTORY_KINDS}
        self.unproved: list[tuple[HistoryKind, Sequence[ChosenRun], Sums, Future[Sums]]] = []


class SqlLane:
    """Moves chunks of runs. Close it: it holds two threads."""

    def __init__(self, source: SqlHistory, target: TargetDatabase) -> None:
        self.source = source
        self._target = target
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="history")
        self._writers = {kind: HistoryWriter(target, kind) for kind in HISTORY_KINDS}
        self._types = {kind: self._types_of(TABLES[kind]) for kind in HISTORY_KINDS}
        self._neutral: dict[HistoryKind, NeutralSql | None] = {kind: source.neutral(kind) for kind in HISTORY_KINDS}
        with target.reading() as connection, cursor_on(connection, "target") as cursor:
            found = cursor.execute("select max(id) from log_template").fetchone()
        self._log_template = found[0] if found else None

    def close(self) -> None:
        self._beside.shutdown(cancel_futures=True)

    def move(self, keys: Sequence[RunKey]) -> Chunk:
        """Write what is new of these runs, kind by kind; `settle` proves it."""
        chunk = Chunk()
        for kind in HISTORY_KINDS:
            chosen = [ChosenRun(key, None) for key in keys]
            if kind != "run":
                chosen = self._standing_runs(keys)
                self._by_rows(kind, [run.key for run in chosen if run.target_id is None], chunk.tallies[kind])
                chosen = [run for run in chosen if run.target_id is not None]
            if self._neutral[kind] is None:
                self._by_rows(kind, [run.key for run in chosen], chunk.tallies[kind])
            elif chosen:
                self._move_kind(kind, chosen, chunk)
        return chunk

    def settle(self, chunk: Chunk) -> dict[HistoryKind, Tally]:
        """Compare what stands in the target with what the source has, and give the counts."""
        for kind, chosen, wanted, future in chunk.unproved:
            if future.result() == wanted:
                _count(chunk.tallies[kind], wanted, is_new=True)
            else:  # somebody wrote at the same moment: row by row it is seen who, and said
                self._by_rows(kind, [run.key for run in chosen], chunk.tallies[kind])
        return chunk.tallies

    def move_batch(self, batch: HistoryBatch, tally: Tally) -> None:
        """Move rows that were read one by one."""
        move_batch(self._target, self._writers[batch.kind], batch, tally)

    def _move_kind(self, kind: HistoryKind, chosen: Sequence[ChosenRun], chunk: Chunk) -> None:
        tally = chunk.tallies[kind]
        there = self._runs_with_rows(kind, chosen)
        old = [run for run in chosen if run.key in there]
        new = [run for run in chosen if run.key not in there]
        if old:
            try:
                here = self._beside.submit(self._source_sums, kind, old)
                wanted, odd = here.result()
                is_same = not odd and self._target_sums(kind, old) == wanted
            except _REFUSALS:
                is_same = False
            if is_same:
                _count(tally, wanted, is_new=False)
            else:
                self._by_rows(kind, [run.key for run in old], tally)
        if new:
            self._copy_new(kind, new, chunk)

    def _copy_new(self, kind: HistoryKind, new: Sequence[ChosenRun], chunk: Chunk) -> None:
        """Copy the rows of runs of which the target has none; runs with a row that is not plain go by rows."""
        tally = chunk.tallies[kind]
        summing = self._beside.submit(self._source_sums, kind, new)
        try:
            with self._target.writing() as connection, cursor_on(connection, "target") as cursor:
                self._copy(kind, new, cursor)
                wanted = _all_plain(summing)
        except _REFUSALS:
            summing.exception()
            self._by_rows(kind, [run.key for run in new], tally)
            return
        except _OddError as error:
            self._by_rows(kind, [run.key for run in new if run.key in error.keys], tally)
            if plain := [run for run in new if run.key not in error.keys]:
                self._copy_new(kind, plain, chunk)
            return
        if kind == "run":  # they have ids now
            new = self._standing_runs([run.key for run in new])
        chunk.unproved.append((kind, new, wanted, self._beside.submit(self._target_sums, kind, new)))

    def _by_rows(self, kind: HistoryKind, keys: Sequence[RunKey], tally: Tally) -> None:
        if keys:
            for batch in self.source.rows(kind, keys):
                self.move_batch(batch, tally)

    # -- SQL on the source -------------------------------------------------------------------------------------------

    def _mapped(self, kind: HistoryKind, chosen: Sequence[ChosenRun]) -> str:
        neutral = self._neutral[kind] or NeutralSql("")
        mapped = mapped_sql(kind, neutral, self._types[kind], self._target.schema_version)
        return f"with {_chosen(chosen)}, m as ({mapped})"

    def _source_sums(self, kind: HistoryKind, chosen: Sequence[ChosenRun]) -> tuple[Sums, frozenset[RunKey]]:
        """Sum up the mapped rows, and name the runs with rows that SQL cannot map."""
        head = self._mapped(kind, chosen)
        with self.source.reading() as connection, cursor_on(connection, "source") as cursor:
            *sums, odd = (
                cursor.execute(
                    f"{head} {_sums_sql(kind, 'm', 'm.note')}, count(*) filter (where not m.is_plain) from m".encode()
                ).fetchone()
                or ()
            )
            keys: frozenset[RunKey] = frozenset()
            if odd:
                found = cursor.execute(f"{head} select distinct dag_id, run_id from m where not is_plain".encode())
                keys = frozenset((row[0], row[1]) for row in found)
        return _sums(sums), keys

    def _copy(self, kind: HistoryKind, chosen: Sequence[ChosenRun], into: psycopg.Cursor[object]) -> None:
        columns = self._writers[kind].written
        types = self._types[kind]
        special = {"dag_run_id": "m.target_id", "log_template_id": str(self._log_template or "null")}
        wanted = ", ".join(f"({special.get(name, f'm.{name}')})::{types[name]}" for name in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        head = self._mapped(kind, chosen)
        with self.source.reading() as connection, cursor_on(connection, "source") as cursor:
            out = f"copy ({head} select {wanted} from m where m.is_plain) to stdout (format binary)"
            relay(cursor, out, into, f"copy {TABLES[kind]} ({names}) from stdin (format binary)")
            if kind in NOTED:
                self._copy_notes(kind, head, cursor, into)

    def _copy_notes(
        self, kind: HistoryKind, head: str, source: psycopg.Cursor[object], into: psycopg.Cursor[object]
    ) -> None:
        table, reference, id_column = NOTES[kind]
        keys = KEYS[kind]
        draft = f"aerodrome_notes_{kind}"
        into.execute(
            f"create temporary table {draft} on commit drop as select {', '.join(keys)}, ''::text as note, "
            f"now() as noted_at from {TABLES[kind]} with no data".encode()
        )
        wanted = ", ".join(f"m.{name}::{self._types[kind][name]}" for name in keys)
        out = f"copy ({head} select {wanted}, m.note, m.noted_at from m where m.is_plain and m.note is not null) to stdout"
        relay(source, f"{out} (format binary)", into, f"copy {draft} from stdin (format binary)")
        same = " and ".join(f"t.{name} = d.{name}" for name in keys)
        into.execute(
            f"insert into {table} ({reference}, content, created_at, updated_at) select t.{id_column}, d.note, "
            f"d.noted_at, d.noted_at from {draft} d join {TABLES[kind]} t on {same}".encode()
        )
        into.execute(f"drop table {draft}".encode())

    # -- SQL on the target -------------------------------------------------------------------------------------------

    def _standing_runs(self, keys: Sequence[RunKey]) -> list[ChosenRun]:
        """Give these runs with their ids where they stand in the target and are imports."""
        states = ", ".join(f"'{state}'" for state in FINAL_RUN_STATES)
        query = (
            f"with {_chosen([ChosenRun(key, None) for key in keys])} select c.dag_id, c.run_id, r.id from chosen c "
            "left join dag_run r on r.dag_id = c.dag_id and r.run_id = c.run_id "
            f"and r.created_dag_version_id is null and r.state in ({states})"
        )
        with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
            found = {(row[0], row[1]): row[2] for row in cursor.execute(query.encode())}
        return [ChosenRun(key, found[key]) for key in keys]

    def _runs_with_rows(self, kind: HistoryKind, chosen: Sequence[ChosenRun]) -> frozenset[RunKey]:
        query = (
            f"with {_chosen(chosen)} select c.dag_id, c.run_id from chosen c "
            f"where exists (select 1 from {TABLES[kind]} t where {_belongs(kind)})"
        )
        with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
            return frozenset((row[0], row[1]) for row in cursor.execute(query.encode()))

    def _target_sums(self, kind: HistoryKind, chosen: Sequence[ChosenRun]) -> Sums:
        noted, note = "", "null::text"
        if kind in NOTES:
            table, reference, id_column = NOTES[kind]
            noted, note = f" left join {table} nt on nt.{reference} = t.{id_column}", "nt.content"
        query = (
            f"with {_chosen(chosen)} {_sums_sql(kind, 't', note)} from chosen c "
            f"join {TABLES[kind]} t on {_belongs(kind)}{noted}"
        )
        with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
            return _sums(cursor.execute(query.encode()).fetchone() or ())

    def _types_of(self, table: str) -> dict[str, str]:
        with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
            found = cursor.execute(
                "select attname, atttypid::regtype::text from pg_attribute "
                f"where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped".encode()
            )
            return {row[0]: row[1] for row in found}


def sql_lane(source: SourceAdapter, target: TargetDatabase) -> SqlLane | None:
    """Give the lane where both sides are PostgreSQL and hash alike; None otherwise."""
    history = source.sql_history() if isinstance(source, OffersSql) else None
    if history is None or target.dialect != "postgresql":
        return None
    with target.reading() as connection, cursor_on(connection, "target") as cursor:
        there = _sample(cursor)
    with history.reading() as connection, cursor_on(connection, "source") as cursor:
        here = _sample(cursor)
    if here is None or here != there:
        return None
    return SqlLane(history, target)


def _sample(cursor: psycopg.Cursor[object]) -> list[object] | None:
    """Give what decides whether two databases hash alike; None where one cannot (before PostgreSQL 14)."""
    try:
        encoding = cursor.execute("show server_encoding").fetchall()
        return [*encoding, *cursor.execute(SAMPLE_SQL).fetchall()] if encoding == [("UTF8",)] else None
    except psycopg.errors.UndefinedFunction:
        return None


def _all_plain(summing: Future[tuple[Sums, frozenset[RunKey]]]) -> Sums:
    sums, odd = summing.result()
    if odd:
        raise _OddError(odd)
    return sums


def _chosen(chosen: Sequence[ChosenRun]) -> str:
    lists = (
        ([run.key[0] for run in chosen], "text"),
        ([run.key[1] for run in chosen], "text"),
        ([run.target_id for run in chosen], "int"),
    )
    arrays = ", ".join(f"{composing.Literal(values).as_string()}::{kind}[]" for values, kind in lists)
    return f"chosen (dag_id, run_id, target_id) as (select * from unnest({arrays}))"


def _belongs(kind: HistoryKind) -> str:
    return "t.dag_run_id = c.target_id" if kind == "xcom" else "t.dag_id = c.dag_id and t.run_id = c.run_id"


def _sums_sql(kind: HistoryKind, alias: str, note: str) -> str:
    sums = [f"coalesce(sum({hash_sql(kind, alias, seed)}), 0)" for seed in (0, 1)]
    notes = [
        f"coalesce(sum({note_hash_sql(kind, alias, note, seed)}) filter (where {note} is not null), 0)"
        for seed in (0, 1)
    ]
    return f"select count(*), {', '.join(sums)}, count({note}), {', '.join(notes)}"


def _sums(row: Sequence[object]) -> Sums:
    rows, first, second, notes, note_first, note_second = (int(str(value)) for value in row)
    return Sums(rows, (first, second), notes, (note_first, note_second))


def _count(tally: Tally, sums: Sums, *, is_new: bool) -> None:
    """Count rows of which both sides have the same."""
    tally.found += sums.rows
    if is_new:
        tally.moved += sums.rows
    else:
        tally.same += sums.rows
    tally.source_sum = add(tally.source_sum, sums.number)
    tally.target_sum = add(tally.target_sum, sums.number)
