"""Tells what a transfer would find: which rows the target lacks, has alike, has otherwise, and has alone. Writes nothing.

Called by migration.service. From PostgreSQL to PostgreSQL both databases hash, DAG by DAG in chunks of runs, and only what
differs is read; elsewhere every row passes once. Of task instances and tries the `executor_config` is compared, too, where the
source gives it. Memory holds the runs of a page of DAGs and hashes of the keys of what differs, never rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import func, select

from aerodrome.migration.estate.history import HISTORY_KINDS, HistoryBatch, HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import Progress, SourceAdapter
from aerodrome.migration.sources.lanes import RunKey
from aerodrome.migration.transfer.batches import accept
from aerodrome.migration.transfer.executor_configs import differing_configs
from aerodrome.migration.transfer.mapping import TABLES, Key, MappedRow, label_of
from aerodrome.migration.transfer.outcomes import Tally
from aerodrome.migration.transfer.sql_lane import SqlLane, sql_lane
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.twins import beside_own
from aerodrome.migration.transfer.writer import HistoryWriter

SAMPLES = 5
"""Keys shown per table and kind of difference."""

DAGS_PER_PAGE = 50
RUNS_PER_CHUNK = 2_000


@dataclass
class Difference:
    """One table of one DAG, or one kind of object. `refused` rows are of the source and can stand in no target."""

    missing: int = 0
    same: int = 0
    different: int = 0
    extra: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    samples: dict[str, list[str]] = field(default_factory=dict)  # "missing" | "different" | "extra" -> the first keys

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.different or self.extra)

    def note(self, how: str, key: str) -> None:
        """Keep a key as a sample while there are few."""
        shown = self.samples.setdefault(how, [])
        if len(shown) < SAMPLES:
            shown.append(key)

    def count(self, how: str, key: str) -> None:
        setattr(self, how, getattr(self, how) + 1)
        if how != "same":
            self.note(how, key)

    def as_data(self) -> dict[str, Any]:
        return {
            "missing": self.missing,
            "same": self.same,
            "different": self.different,
            "extra": self.extra,
            "refused": dict(sorted(self.refused.items())),
            "samples": self.samples,
        }


DagDifference = dict[HistoryKind, Difference]


def compare_history(
    source: SourceAdapter,
    target: TargetDatabase,
    dag_ids: Sequence[str],
    progress: Progress | None = None,
    without: Collection[HistoryKind] = (),
) -> Iterator[tuple[str, DagDifference]]:
    """Give what differs, DAG by DAG in order of id; kinds of `without` are not looked at."""
    wanted = sorted(set(dag_ids))
    until = source.history_watermark(wanted)
    lane = sql_lane(source, target)
    compared = _Comparison(source, target, lane, without)
    try:
        for start in range(0, len(wanted), DAGS_PER_PAGE):
            page = tuple(wanted[start : start + DAGS_PER_PAGE])
            yield from compared.page(HistoryWindow(page, None, until))
            if progress is not None:
                progress("comparing the history of DAGs", start + len(page), len(wanted))
    finally:
        if lane is not None:
            lane.close()


class _Table:
    """One table of one DAG while its rows pass."""

    def __init__(self, target: TargetDatabase, writer: HistoryWriter) -> None:
        self.found = Difference()
        self.stood = 0  # rows of the target that were looked at
        self.runs: set[int] = set()  # hashes of the runs that were looked at
        self.uneven: set[int] = set()  # hashes of the keys of rows that are different or extra
        self._target = target
        self._writer = writer

    def look(self, batches: Iterable[HistoryBatch]) -> None:
        """Compare row by row. A run's rows are held against the target together, once all of them are there."""
        waiting: list[MappedRow] = []
        tally = Tally()
        for batch in batches:
            waiting += accept(beside_own(self._target, batch), tally, self._target)
            if waiting:
                last = waiting[-1].run
                self._compare([row for row in waiting if row.run != last])
                waiting = [row for row in waiting if row.run == last]
        self._compare(waiting)
        self.found.refused += tally.rejections

    def _compare(self, rows: Sequence[MappedRow]) -> None:
        if not rows:
            return
        with self._target.reading() as connection:
            standing = self._writer.standing(connection, rows)
        for row in rows:
            stands = standing.pop(row.key, None)
            self.runs.add(hash(row.run[1]))
            self.stood += stands is not None
            if stands is None:
                how = "missing"
            else:
                how = "same" if stands.proof_for(row) == (*row.proof, row.note) else "different"
            self.found.count(how, row.label)
            if how == "different":
                self.uneven.add(hash(row.key))
        for key in standing:  # in a run that both sides have
            self.stood += 1
            self.uneven.add(hash(key))
            self.found.count("extra", "/".join(map(str, key)))

    def note_config(self, key: Key) -> None:
        """Count a row whose `executor_config` differs as different, if it was taken for the same."""
        if hash(key[1]) in self.runs and hash(key) not in self.uneven:
            self.found.same -= 1
            self.found.count("different", label_of(key))
            self.uneven.add(hash(key))


class _Comparison:
    def __init__(
        self, source: SourceAdapter, target: TargetDatabase, lane: SqlLane | None, without: Collection[HistoryKind]
    ) -> None:
        self._kinds = [kind for kind in HISTORY_KINDS if kind not in without]
        self._source = source
        self._target = target
        self._lane = lane
        self._writers = {kind: HistoryWriter(target, kind) for kind in self._kinds}

    def page(self, window: HistoryWindow) -> Iterator[tuple[str, DagDifference]]:
        tables = {
            dag_id: {kind: _Table(self._target, self._writers[kind]) for kind in self._kinds}
            for dag_id in window.dag_ids
        }
        if self._lane is None:
            for dag_id, kinds in tables.items():
                for kind, table in kinds.items():
                    table.look(self._source.history(kind, HistoryWindow((dag_id,), window.since, window.until)))
        else:
            self._by_hashes(self._lane, window, tables)
        for kind in self._kinds:
            totals = self._totals(kind, window.dag_ids)
            for dag_id in window.dag_ids:
                self._add_extra(kind, dag_id, tables[dag_id][kind], totals.get(dag_id, 0))
        for kind in self._kinds:
            for key in differing_configs(self._source, self._target, kind, window):
                tables[key[0]][kind].note_config(key)
        for dag_id, kinds in tables.items():
            yield dag_id, {kind: table.found for kind, table in kinds.items()}

    def _by_hashes(self, lane: SqlLane, window: HistoryWindow, tables: dict[str, dict[HistoryKind, _Table]]) -> None:
        after: RunKey = ("", "")
        while keys := lane.source.keys(window, after, RUNS_PER_CHUNK):
            after = keys[-1]
            by_dag = {dag_id: list(of_dag) for dag_id, of_dag in groupby(keys, itemgetter(0))}
            for kind in self._kinds:
                sums = lane.sums(kind, keys)
                for dag_id, of_dag in by_dag.items():
                    here, there = sums.get(dag_id, (None, None))
                    table = tables[dag_id][kind]
                    if here is not None and there is not None and here == there:
                        table.found.same += here.rows
                        table.stood += there.rows
                    elif here is not None and there is not None and here.rows and not there.rows:
                        table.found.missing += here.rows
                        for key in of_dag[:SAMPLES]:
                            table.found.note("missing", "/".join(key))
                    else:
                        table.look(lane.source.rows(kind, of_dag))
                        continue
                    table.runs.update(hash(run_id) for _, run_id in of_dag)
        for kind in self._kinds:
            for dag_id in window.dag_ids:
                alone = HistoryWindow((dag_id,), window.since, window.until)
                tables[dag_id][kind].look(lane.source.unnamed(kind, alone))
                tables[dag_id][kind].look(lane.source.orphans(kind, (dag_id,)))

    def _totals(self, kind: HistoryKind, dag_ids: Sequence[str]) -> dict[str, int]:
        table = self._target.table(TABLES[kind])
        query = select(table.c.dag_id, func.count()).where(table.c.dag_id.in_(dag_ids)).group_by(table.c.dag_id)
        with self._target.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(query)}

    def _add_extra(self, kind: HistoryKind, dag_id: str, table: _Table, total: int) -> None:
        """Count what stands in runs that the source has no row of, and name the first of those runs."""
        left = total - table.stood
        if left <= 0:
            return
        table.found.extra += left
        rows = self._target.table(TABLES[kind])
        query = select(rows.c.run_id).where(rows.c.dag_id == dag_id).distinct().order_by(rows.c.run_id)
        with self._target.reading() as connection, closing(connection.execute(query)) as found:
            for (run_id,) in found:
                if hash(run_id) not in table.runs:
                    table.found.note("extra", f"{dag_id}/{run_id}")
                    if len(table.found.samples["extra"]) >= SAMPLES:
                        break


def totals_of(dags: Iterable[DagDifference]) -> dict[HistoryKind, Difference]:
    """Sum up the tables of many DAGs; samples stay with their DAG."""
    found = {kind: Difference() for kind in HISTORY_KINDS}
    for dag in dags:
        for kind, item in dag.items():
            total = found[kind]
            total.missing += item.missing
            total.same += item.same
            total.different += item.different
            total.extra += item.extra
            total.refused += item.refused
    return found
