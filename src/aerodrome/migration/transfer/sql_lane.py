"""Moves history from PostgreSQL to PostgreSQL: the source's database maps the rows, COPY carries them, both databases hash.

Used by history.py, a chunk of runs at a time. Nothing is written here but rows of runs of which the target has none yet:
one COPY per kind and chunk, in one transaction. Where something stands already, both sides are hashed; when they differ,
when a row needs more than SQL, or when the target refuses a row, the runs take the way through Python (`move_batch`), which
knows updates, refusals and their reasons. Repeating a chunk is safe: what stands is recognised by its hash.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from threading import Lock

import psycopg

from aerodrome.migration.estate.history import HISTORY_KINDS, HistoryBatch, HistoryKind
from aerodrome.migration.sources.contract import SourceAdapter
from aerodrome.migration.sources.lanes import NeutralSql, OffersSql, RunKey, SqlHistory
from aerodrome.migration.transfer.arrays import array_literal
from aerodrome.migration.transfer.batches import move_batch
from aerodrome.migration.transfer.foreign_keys import ForeignKeys, RowsOfBatch
from aerodrome.migration.transfer.hashing import add
from aerodrome.migration.transfer.mapping import KEYS, TABLES
from aerodrome.migration.transfer.outcomes import HistoryPolicy, Rejected, Tally
from aerodrome.migration.transfer.ownership import is_import_sql
from aerodrome.migration.transfer.relay import cursor_on, relay
from aerodrome.migration.transfer.sql_mapping import NOTED, SAMPLE_SQL, hash_sql, mapped_sql, note_hash_sql
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.versions import LegacyVersions
from aerodrome.migration.transfer.writer import VERSIONED, HistoryWriter

_REFUSALS = (psycopg.IntegrityError, psycopg.DataError)


@dataclass(frozen=True)
class Sums:
    """What one side has of a chunk: rows, notes, and the sums of a 64-bit hash of each and of that hash's hash."""

    rows: int
    hashes: tuple[int, int]
    notes: int
    note_hashes: tuple[int, int]

    @property
    def number(self) -> int:
        """Give one number of 128 bits for a tally."""
        high, low = (sum(pair) for pair in zip(self.hashes, self.note_hashes, strict=True))
        return add((high % 2**64) << 64, low)


class ChosenRuns:
    """Some runs of a chunk, and the table `chosen` that names them in a statement."""

    def __init__(self, keys: Sequence[RunKey], target_ids: Sequence[int | None] = ()) -> None:
        """Take the keys, and the ids of the runs in the target once they stand there."""
        self.keys = keys
        self.target_ids = target_ids or [None] * len(keys)

    @cached_property
    def sql(self) -> str:
        lists = (
            f"{array_literal([dag_id for dag_id, _ in self.keys])}::text[]",
            f"{array_literal([run_id for _, run_id in self.keys])}::text[]",
            f"'{{{','.join('null' if number is None else str(number) for number in self.target_ids)}}}'::int[]",
        )
        return f"chosen (dag_id, run_id, target_id) as (select * from unnest({', '.join(lists)}))"

    def only(self, is_wanted: Callable[[RunKey], bool]) -> ChosenRuns:
        """Give the part whose keys are wanted; itself when all are."""
        pairs = [pair for pair in zip(self.keys, self.target_ids, strict=True) if is_wanted(pair[0])]
        if len(pairs) == len(self.keys):
            return self
        return ChosenRuns([key for key, _ in pairs], [number for _, number in pairs])


@dataclass(frozen=True)
class Standing:
    """What stands in the target of a run: its id, whether it is an import, and whether it has rows of the other kinds."""

    id: int
    is_import: bool
    has: Mapping[HistoryKind, bool]


class _OddError(Exception):
    """Some runs have rows that SQL cannot map."""

    def __init__(self, keys: frozenset[RunKey]) -> None:
        super().__init__()
        self.keys = keys


class Chunk:
    """One chunk on its way: what is counted already, and what must still be read back from the target."""

    def __init__(self) -> None:
        self.rejects: list[tuple[HistoryKind, Rejected, bytes | None]] = []
        self.tallies: dict[HistoryKind, Tally] = {kind: Tally(keep=self._keep(kind)) for kind in HISTORY_KINDS}
        self.unproved: list[tuple[HistoryKind, ChosenRuns, Sums, Future[Sums]]] = []

    def _keep(self, kind: HistoryKind) -> Callable[[Rejected, bytes | None], None]:
        return lambda rejected, value: self.rejects.append((kind, rejected, value))


class SqlLane:
    """Moves chunks of runs. Close it: it holds two threads."""

    def __init__(
        self, source: SqlHistory, target: TargetDatabase, policy: HistoryPolicy, kinds: Sequence[HistoryKind]
    ) -> None:
        self.source = source
        self.kinds = kinds
        self._target = target
        self._beside = ThreadPoolExecutor(2, thread_name_prefix="history")
        self._versions = None if target.is_airflow2 else LegacyVersions(target)
        self._version_ids: Mapping[str, str] = {}
        self._making = Lock()
        self._writers = {kind: HistoryWriter(target, kind, policy) for kind in HISTORY_KINDS}
        self._foreign_keys = {
            kind: ForeignKeys(target, TABLES[kind], writer.written) for kind, writer in self._writers.items()
        }
        self._types = {kind: self._types_of(TABLES[kind]) for kind in HISTORY_KINDS}
        self._neutral: dict[HistoryKind, NeutralSql | None] = {kind: self._neutral_of(kind) for kind in HISTORY_KINDS}
        with target.reading() as connection, cursor_on(connection, "target") as cursor:
            found = cursor.execute("select max(id) from log_template").fetchone()
        self._log_template = found[0] if found else None

    def _neutral_of(self, kind: HistoryKind) -> NeutralSql | None:
        """Give the source's query. Documents that are JSON in the source do not become bytes by SQL."""
        neutral = self.source.neutral(kind)
        is_json = kind in {"run", "xcom"} and neutral is not None and neutral.document == "json"
        return None if is_json and self._target.is_airflow2 else neutral

    def close(self) -> None:
        self._beside.shutdown(cancel_futures=True)

    def move(self, keys: Sequence[RunKey]) -> Chunk:
        """Write what is new of these runs, kind by kind; `settle` proves it."""
        chunk = Chunk()
        runs = ChosenRuns(keys)
        self._make_versions({dag_id for dag_id, _ in keys})
        before = self._standing(runs)
        self._move_kind("run", runs, before.keys(), chunk)
        standing = before if len(before) == len(keys) else self._standing(runs)
        missing = [key for key in keys if key not in standing or not standing[key].is_import]
        known = [key for key in keys if key in standing and standing[key].is_import]
        runs = ChosenRuns(known, [standing[key].id for key in known])
        for kind in self.kinds[1:]:
            self._by_rows(kind, missing, chunk.tallies[kind])
            self._move_kind(kind, runs, {key for key in before if before[key].has[kind]}, chunk)
        return chunk

    def _make_versions(self, dag_ids: set[str]) -> None:
        """Let every DAG of a chunk have the version that its imported runs name."""
        if self._versions is None:
            return
        with self._making:
            if dag_ids - self._version_ids.keys():
                with self._target.writing() as connection:
                    found = self._versions.of(connection, dag_ids)
                self._version_ids = dict(found)  # they stand now

    def settle(self, chunk: Chunk) -> dict[HistoryKind, Tally]:
        """Compare what stands in the target with what the source has, and give the counts."""
        for kind, chosen, wanted, future in chunk.unproved:
            if future.result() == wanted:
                _count(chunk.tallies[kind], wanted, is_new=True)
            else:  # somebody wrote at the same moment: row by row it is seen who, and said
                self._by_rows(kind, chosen.keys, chunk.tallies[kind])
        return chunk.tallies

    def sums(self, kind: HistoryKind, keys: Sequence[RunKey]) -> dict[str, tuple[Sums | None, Sums | None]]:
        """Sum up a kind's rows of some runs by DAG, in the source and in the target. None: row by row only."""
        if self._neutral[kind] is None:
            return {}
        here: dict[str, Sums | None] = {}
        chosen = ChosenRuns(keys)
        head = self._mapped(kind, chosen)
        try:
            with self.source.reading() as connection, cursor_on(connection, "source") as cursor:
                query = f"{head} {_sums_sql(self._writers[kind], 'm', 'm.note', 'm.is_plain', 'm', 'm.dag_id')}"
                for row in cursor.execute(query.encode()):
                    here[str(row[0])] = None if row[-1] else _sums(row[1:-1])
        except _REFUSALS:
            return {}
        there = self._sums_there(kind, chosen)
        nothing = Sums(0, (0, 0), 0, (0, 0))
        dag_ids = {dag_id for dag_id, _ in keys}
        return {dag_id: (here.get(dag_id, nothing), there.get(dag_id, nothing)) for dag_id in dag_ids}

    def _sums_there(self, kind: HistoryKind, chosen: ChosenRuns) -> dict[str, Sums]:
        noted, note = "", "null::text"
        if kind in NOTED:
            noted, note = self._writers[kind].joined_notes("t", "nt"), "nt.content"
        rows = (
            "chosen c join dag_run r on r.dag_id = c.dag_id and r.run_id = c.run_id "
            f"join {TABLES[kind]} t on {_BELONGS.get(kind, 't.dag_id = r.dag_id and t.run_id = r.run_id')}{noted}"
        )
        query = f"with {chosen.sql} {_sums_sql(self._writers[kind], 't', note, 'true', rows, 't.dag_id')}"
        with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
            return {str(row[0]): _sums(row[1:-1]) for row in cursor.execute(query.encode())}

    def move_batch(self, batch: HistoryBatch, tally: Tally) -> None:
        """Move rows that were read one by one."""
        move_batch(self._target, self._writers[batch.kind], batch, tally)

    def _move_kind(self, kind: HistoryKind, chosen: ChosenRuns, there: Collection[RunKey], chunk: Chunk) -> None:
        """Copy the rows of runs of which the target has none of this kind; compare the others (`there`)."""
        if self._neutral[kind] is None:
            self._by_rows(kind, chosen.keys, chunk.tallies[kind])
            return
        old, new = chosen.only(lambda key: key in there), chosen.only(lambda key: key not in there)
        if old.keys:
            self._compare(kind, old, chunk.tallies[kind])
        if new.keys and not (there and self._source_sums(kind, new)[0].rows == 0):
            self._copy_new(kind, new, chunk)

    def _compare(self, kind: HistoryKind, old: ChosenRuns, tally: Tally) -> None:
        """Count what is equal on both sides; runs that differ, or that SQL cannot map, go by rows."""
        try:
            wanted, odd = self._source_sums(kind, old)
            if odd:
                self._by_rows(kind, old.only(lambda key: key in odd).keys, tally)
                if (old := old.only(lambda key: key not in odd)).keys:
                    self._compare(kind, old, tally)
                return
            is_same = self._target_sums(kind, old, has_notes=wanted.notes > 0) == wanted
        except _REFUSALS:
            is_same = False
        if is_same:
            _count(tally, wanted, is_new=False)
        else:
            self._by_rows(kind, old.keys, tally)

    def _copy_new(self, kind: HistoryKind, new: ChosenRuns, chunk: Chunk) -> None:
        """Copy in one transaction; runs with a row that is not plain go by rows."""
        tally = chunk.tallies[kind]
        summing = self._beside.submit(self._source_sums, kind, new)
        try:
            with self._target.writing() as connection, cursor_on(connection, "target") as cursor:
                self._copy(kind, new, cursor)
                wanted = _all_plain(summing)
        except _REFUSALS:
            summing.exception()
            self._by_rows(kind, new.keys, tally)
        except _OddError as error:
            odd = error.keys
            self._by_rows(kind, new.only(lambda key: key in odd).keys, tally)
            if (plain := new.only(lambda key: key not in odd)).keys:
                self._copy_new(kind, plain, chunk)
        else:
            proving = self._beside.submit(self._target_sums, kind, new, has_notes=wanted.notes > 0)
            chunk.unproved.append((kind, new, wanted, proving))

    def _by_rows(self, kind: HistoryKind, keys: Sequence[RunKey], tally: Tally) -> None:
        if keys:
            for batch in self.source.rows(kind, keys):
                self.move_batch(batch, tally)

    # -- SQL on the source -------------------------------------------------------------------------------------------

    def _mapped(self, kind: HistoryKind, chosen: ChosenRuns) -> str:
        neutral = self._neutral[kind] or NeutralSql("")
        mapped = mapped_sql(kind, neutral, self._types[kind], self._target.schema_version)
        return f"with {chosen.sql}, m as ({mapped})"

    def _source_sums(self, kind: HistoryKind, chosen: ChosenRuns) -> tuple[Sums, frozenset[RunKey]]:
        """Sum up the mapped rows, and name the runs with rows that SQL cannot map."""
        head = self._mapped(kind, chosen)
        with self.source.reading() as connection, cursor_on(connection, "source") as cursor:
            found = cursor.execute(
                f"{head} {_sums_sql(self._writers[kind], 'm', 'm.note', 'm.is_plain', 'm')}".encode()
            ).fetchall()
            sums, odd = found[0][:-1], found[0][-1]
            keys: frozenset[RunKey] = frozenset()
            if odd:
                named = cursor.execute(f"{head} select distinct dag_id, run_id from m where not is_plain".encode())
                keys = frozenset((row[0], row[1]) for row in named)
        return _sums(sums), keys

    def _copy(self, kind: HistoryKind, chosen: ChosenRuns, into: psycopg.Cursor[object]) -> None:
        columns = self._writers[kind].written
        types = self._types[kind]
        special = {"dag_run_id": "m.target_id", "log_template_id": str(self._log_template or "null")}
        versioned, joined = VERSIONED.get(kind) if self._versions is not None else None, ""
        if versioned is not None:
            special[versioned] = "v.version_id"
            joined = f" join {self._version_sql({dag_id for dag_id, _ in chosen.keys})} on v.dag_id = m.dag_id"
        wanted = ", ".join(f"({special.get(name, f'm.{name}')})::{types[name]}" for name in columns)
        names = ", ".join(f'"{name}"' for name in columns)
        head = self._mapped(kind, chosen)
        with self.source.reading() as connection, cursor_on(connection, "source") as cursor:
            out = f"copy ({head} select {wanted} from m{joined} where m.is_plain) to stdout (format binary)"
            batch = RowsOfBatch(f"chosen c join {TABLES[kind]} t on {_belongs(kind)}", f"with {chosen.sql}")
            with self._foreign_keys[kind].at_once(into, batch):
                relay(cursor, out, into, f"copy {TABLES[kind]} ({names}) from stdin (format binary)")
            if kind in NOTED:
                self._copy_notes(kind, head, cursor, into)

    def _version_sql(self, dag_ids: set[str]) -> str:
        """Write the table `v` (dag_id, version_id) of some DAGs."""
        pairs = sorted((dag_id, self._version_ids[dag_id]) for dag_id in dag_ids)
        names, ids = (array_literal([pair[place] for pair in pairs]) for place in (0, 1))
        return f"unnest({names}::text[], {ids}::text[]) v (dag_id, version_id)"

    def _copy_notes(
        self, kind: HistoryKind, head: str, source: psycopg.Cursor[object], into: psycopg.Cursor[object]
    ) -> None:
        table, references, ids = self._writers[kind].noted()
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
        places = ", ".join(f"t.{name}" for name in ids)
        into.execute(
            f"insert into {table} ({', '.join(references)}, content, created_at, updated_at) select {places}, d.note, "
            f"d.noted_at, d.noted_at from {draft} d join {TABLES[kind]} t on {same}".encode()
        )
        into.execute(f"drop table {draft}".encode())

    # -- SQL on the target -------------------------------------------------------------------------------------------

    def _standing(self, chosen: ChosenRuns) -> dict[RunKey, Standing]:
        """Give what stands in the target of these runs."""
        kinds = HISTORY_KINDS[1:]
        has = [
            f"exists (select 1 from {TABLES[kind]} t where "
            + ("t.dag_run_id = r.id)" if kind == "xcom" else "t.dag_id = r.dag_id and t.run_id = r.run_id)")
            for kind in kinds
        ]
        query = (
            f"with {chosen.sql} select c.dag_id, c.run_id, r.id, "
            f"{is_import_sql(is_airflow2=self._target.is_airflow2, alias='r')}, {', '.join(has)} "
            "from chosen c join dag_run r on r.dag_id = c.dag_id and r.run_id = c.run_id"
        )
        with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
            return {
                (row[0], row[1]): Standing(row[2], row[3], dict(zip(kinds, row[4:], strict=True)))
                for row in cursor.execute(query.encode())
            }

    def _target_sums(self, kind: HistoryKind, chosen: ChosenRuns, *, has_notes: bool) -> Sums:
        """Sum up what stands; notes count where the source has some."""
        noted, note = "", "null::text"
        if has_notes:
            noted, note = self._writers[kind].joined_notes("t", "nt"), "nt.content"
        rows = f"chosen c join {TABLES[kind]} t on {_belongs(kind)}{noted}"
        query = f"with {chosen.sql} {_sums_sql(self._writers[kind], 't', note, 'true', rows)}"
        with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
            return _sums((cursor.execute(query.encode()).fetchone() or ())[:-1])

    def _types_of(self, table: str) -> dict[str, str]:
        with self._target.reading() as connection, cursor_on(connection, "target") as cursor:
            found = cursor.execute(
                "select attname, atttypid::regtype::text from pg_attribute "
                f"where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped".encode()
            )
            return {row[0]: row[1] for row in found}


def sql_lane(
    source: SourceAdapter,
    target: TargetDatabase,
    policy: HistoryPolicy = "source-wins",
    kinds: Sequence[HistoryKind] = HISTORY_KINDS,
) -> SqlLane | None:
    """Give the lane where both sides are PostgreSQL and hash alike; None otherwise. `kinds` begins with the runs."""
    history = source.sql_history() if isinstance(source, OffersSql) else None
    if history is None or target.dialect != "postgresql":
        return None
    with target.reading() as connection, cursor_on(connection, "target") as cursor:
        there = _sample(cursor)
    with history.reading() as connection, cursor_on(connection, "source") as cursor:
        here = _sample(cursor)
    if here is None or here != there:
        return None
    return SqlLane(history, target, policy, kinds)


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


def _belongs(kind: HistoryKind) -> str:
    return "t.dag_run_id = c.target_id" if kind == "xcom" else "t.dag_id = c.dag_id and t.run_id = c.run_id"


_BELONGS: Mapping[HistoryKind, str] = {"run": "t.id = r.id", "xcom": "t.dag_run_id = r.id"}


def _sums_sql(writer: HistoryWriter, alias: str, note: str, is_plain: str, rows: str, by: str = "") -> str:
    """Count and add up; the last column counts the rows that are not plain. With `by` it does so for each value of that column.

    A row is hashed once; the second sum is of the hash's own hash. `offset 0` keeps PostgreSQL from hashing it twice.
    """
    noted = f"case when {note} is not null then {note_hash_sql(writer.kind, alias, note)} end"
    sums = [f"coalesce(sum({name}), 0), coalesce(sum(hashint8extended({name}, 1)), 0)" for name in ("h", "n")]
    one, of, end = ("one, ", f"{by} as one, ", " group by one") if by else ("", "", "")
    return (
        f"select {one}count(*), {sums[0]}, count(n), {sums[1]}, count(*) filter (where not is_plain) "
        f"from (select {of}{hash_sql(writer, alias)} as h, {noted} as n, {is_plain} as is_plain from {rows} offset 0) hashed{end}"
    )


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
