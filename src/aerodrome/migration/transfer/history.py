"""Moves run history: streams the source's rows, writes them in bulk, and proves each batch by reading it back.

Called by migration.service and migration.cutover. Safe to repeat and to kill at any line: a batch is one transaction,
rows are recognised by their natural key, and the checkpoint only says which groups of DAGs are done.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from sqlalchemy import select

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.digest import digest_of
from aerodrome.migration.estate.history import HISTORY_KINDS, HistoryKind, HistoryWindow
from aerodrome.migration.sources.contract import Progress, SourceAdapter
from aerodrome.migration.sources.lanes import OffersSql, OffersText, RunKey
from aerodrome.migration.transfer.batches import ahead, gathered, move_batches
from aerodrome.migration.transfer.checkpoints import Checkpoint, NoCheckpoint
from aerodrome.migration.transfer.executor_configs import move_executor_configs
from aerodrome.migration.transfer.hashing import hash_text
from aerodrome.migration.transfer.outcomes import HistoryMoved, HistoryPolicy, KindMoved, Rejected, Tally
from aerodrome.migration.transfer.rejects import RejectsFile
from aerodrome.migration.transfer.sql_lane import Chunk, SqlLane, sql_lane
from aerodrome.migration.transfer.target import TargetDatabase
from aerodrome.migration.transfer.text_lane import move_text, takes, text_history
from aerodrome.migration.transfer.versions import FindOldDag, describe
from aerodrome.migration.transfer.writer import HistoryWriter

DAGS_PER_GROUP = 20
"""A checkpoint is saved after each kind of each group of this many DAGs."""

DAGS_PER_QUERY = 500
ROWS_PER_BATCH = 5_000
"""Rows of one kind that are written in one transaction."""

RUNS_PER_CHUNK = 2_000
"""From database to database a checkpoint is saved after this many runs with all their rows."""

CHUNKS_AT_ONCE = 2
"""How many of them are written at the same time; one more waits to be proved or written."""

Tallies = dict[HistoryKind, Tally]


def move_history(
    source: SourceAdapter,
    target: TargetDatabase,
    dag_ids: Sequence[str],
    *,
    since: datetime | None = None,
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
    rejects: RejectsFile | None = None,
    old_dag: FindOldDag | None = None,
    policy: HistoryPolicy = "source-wins",
    without: Collection[HistoryKind] = (),
) -> HistoryMoved:
    """Move the finished runs of these DAGs with their task instances, earlier tries, XComs and notes.

    `since` limits it to runs that changed after that moment. Rows that cannot move are refused one by one with a
    reason, and every one is kept in `rejects`. `without` names kinds that stay behind, which is told of each DAG. Running it again adds nothing; rows that changed in the source since are
    brought up to date, unless `policy` says otherwise. What the target ran itself is never changed, whatever it says. In Airflow 3 they belong to a version of their DAG that stands for the time before the migration;
    `old_dag` tells what it consisted of.
    """
    started = time.monotonic()
    checkpoint = checkpoint or NoCheckpoint()
    wanted = sorted(set(dag_ids))
    kinds = tuple(kind for kind in HISTORY_KINDS if kind not in without)
    lane = sql_lane(source, target, policy, kinds)
    of_lane = "rows" if lane is None else "sql"
    plan = digest_of([wanted, to_text(since), target.schema_version, of_lane, policy, sorted(without)])
    state = _restore(checkpoint, plan, rejects)
    state.until = state.until or source.history_watermark(wanted)
    before = state.rows
    window = HistoryWindow(tuple(wanted), since, state.until)
    known = _known_dags(target, wanted)
    if state.done == 0:
        _refuse_missing(source, window, sorted(set(wanted) - set(known)), state.tallies)
        _tell_left_out(known, without, state.tallies)
        state.save(checkpoint, done=1)
    expected = {kind: count for kind, count in _counted(source, window).items() if kind in kinds}
    if lane is None:
        counts = expected or source.history_counts(
            replace(window, until=None)
        )  # for the progress only: a few may not move yet
        total = sum(counts.values())
        _move_by_rows(source, target, window, known, state, checkpoint, progress or _silent, policy, total, kinds)
    else:
        with closing(lane):
            _move_by_sql(lane, replace(window, dag_ids=tuple(known)), state, checkpoint, progress or _silent)
    move_executor_configs(source, target, replace(window, dag_ids=tuple(known)), state.tallies, policy)
    if expected:
        _refuse_unread(source, window, expected, state.tallies)
    if not target.is_airflow2:
        describe(target, known, old_dag)
    tallies = state.tallies
    seconds = time.monotonic() - started
    return HistoryMoved(
        tuple(_outcome(kind, tallies[kind]) for kind in HISTORY_KINDS),
        seconds,
        (state.rows - before) / seconds if seconds else 0.0,
        state.until,
    )


def _move_by_rows(
    source: SourceAdapter,
    target: TargetDatabase,
    window: HistoryWindow,
    known: Sequence[str],
    state: _State,
    checkpoint: Checkpoint,
    progress: Progress,
    policy: HistoryPolicy,
    total: int,
    kinds: Sequence[HistoryKind],
) -> None:
    """Move group by group of DAGs, kind by kind; every row passes through Python."""
    groups = [tuple(known[start : start + DAGS_PER_GROUP]) for start in range(0, len(known), DAGS_PER_GROUP)]
    text = text_history(source, target)
    position = 0
    for group in groups:
        part = replace(window, dag_ids=group)  # one for all kinds: a source may keep what it found of the runs
        for kind in kinds:
            position += 1
            if position < state.done:
                continue
            writer = HistoryWriter(target, kind, policy)
            draft = replace(Tally.from_state(state.tallies[kind].as_state()), keep=state.keep(kind))
            standing = state.rows - draft.found
            if text is not None and takes(target, text, kind):
                steps = move_text(target, writer, text, part, draft, ROWS_PER_BATCH)
            else:
                steps = move_batches(target, writer, gathered(ahead(source.history(kind, part)), ROWS_PER_BATCH), draft)
            for _ in steps:
                progress(f"moving {kind}", standing + draft.found, total)
            state.tallies[kind] = draft
            state.save(checkpoint, done=position + 1)


def _move_by_sql(
    lane: SqlLane, window: HistoryWindow, state: _State, checkpoint: Checkpoint, progress: Progress
) -> None:
    """Move chunk by chunk of runs with all their rows, two at once. The checkpoint says that a chunk is done after all before it."""
    source = lane.source
    total = source.run_count(window)

    def finish(last: RunKey, moving: Future[Chunk]) -> None:
        chunk = moving.result()
        for kind, tally in lane.settle(chunk).items():
            state.tallies[kind].merge(tally)
        for refusal in chunk.rejects:
            if state.rejects is not None:
                state.rejects.add(*refusal)
        state.after = last
        state.save(checkpoint, done=state.done)
        progress("moving runs with their rows", state.tallies["run"].found, max(total, state.tallies["run"].found))

    with (
        ThreadPoolExecutor(1, thread_name_prefix="history-keys") as beside,
        ThreadPoolExecutor(CHUNKS_AT_ONCE, thread_name_prefix="history-chunks") as movers,
    ):
        coming = beside.submit(source.keys, window, state.after, RUNS_PER_CHUNK)
        moving: deque[tuple[RunKey, Future[Chunk]]] = deque()
        while keys := coming.result():
            coming = beside.submit(source.keys, window, keys[-1], RUNS_PER_CHUNK)
            if len(moving) > CHUNKS_AT_ONCE:
                finish(*moving.popleft())
            moving.append((keys[-1], movers.submit(lane.move, keys)))
        while moving:
            finish(*moving.popleft())
    for kind in lane.kinds:
        for batch in source.unnamed(kind, window):
            lane.move_batch(batch, state.tallies[kind])
    if window.since is None:
        for kind in lane.kinds:
            for batch in source.orphans(kind, window.dag_ids):
                lane.move_batch(batch, state.tallies[kind])


def _known_dags(target: TargetDatabase, dag_ids: Sequence[str]) -> list[str]:
    table = target.table("dag")
    standing: set[str] = set()
    with target.reading() as connection:
        for start in range(0, len(dag_ids), DAGS_PER_QUERY):
            page = dag_ids[start : start + DAGS_PER_QUERY]
            standing |= set(connection.scalars(select(table.c.dag_id).where(table.c.dag_id.in_(page))))
    return [dag_id for dag_id in dag_ids if dag_id in standing]


def _refuse_missing(source: SourceAdapter, window: HistoryWindow, dag_ids: Sequence[str], tallies: Tallies) -> None:
    for dag_id in dag_ids:
        for kind, rows in source.history_counts(replace(window, dag_ids=(dag_id,))).items():
            tallies[kind].found += rows
            if rows:
                message = f"The target has not parsed this DAG; its {rows} rows wait until it has."
                tallies[kind].reject(Rejected(dag_id, "dag-not-in-target", message), rows)


def _tell_left_out(dag_ids: Sequence[str], without: Collection[HistoryKind], tallies: Tallies) -> None:
    for kind in sorted(without):
        for dag_id in dag_ids:
            tallies[kind].notice(Rejected(dag_id, "left-out-by-plan", "The plan leaves them out (history.leave_out)."))


def _counted(source: SourceAdapter, window: HistoryWindow) -> dict[HistoryKind, int]:
    """Count by the source's own words what is to be read; nothing of a top-up, and where counting is not exact (APIs)."""
    is_database = isinstance(source, OffersSql | OffersText)
    return source.history_counts(window) if is_database and window.since is None else {}


def _refuse_unread(
    source: SourceAdapter, window: HistoryWindow, expected: Mapping[HistoryKind, int], tallies: Tallies
) -> None:
    """Tell of rows that the source has and that never came: hashes prove only what was read.

    People clear runs and clean up while a transfer goes on, so a lack is counted a second time before it is told.
    """
    if all(tallies[kind].found >= count for kind, count in expected.items()):
        return
    for kind, count in source.history_counts(window).items():
        if kind not in expected:
            continue
        lack = count - tallies[kind].found
        if lack > 0:
            message = (
                f"The source counts {lack} more rows than it gave: move history again, and report it when it stays."
            )
            tallies[kind].reject(Rejected("", "not-read", message), lack)


@dataclass
class _State:
    """How far a transfer is: positions or chunks that are done, and the counts so far."""

    plan: str
    done: int
    tallies: Tallies
    until: datetime | None
    rejects: RejectsFile | None = None
    after: RunKey = ("", "")

    def keep(self, kind: HistoryKind) -> Callable[[Rejected, bytes | None], None] | None:
        """Give what a tally tells its refusals to."""
        return None if self.rejects is None else partial(self.rejects.add, kind)

    @property
    def rows(self) -> int:
        return sum(tally.found for tally in self.tallies.values())

    def save(self, checkpoint: Checkpoint, *, done: int) -> None:
        self.done = done
        tallies = {kind: tally.as_state() for kind, tally in self.tallies.items()}
        checkpoint.save(
            {
                "plan": self.plan,
                "done": done,
                "after": self.after,
                "until": to_text(self.until),
                "tallies": tallies,
                "rejects": self.rejects.mark() if self.rejects is not None else (0, 0),
            }
        )


def _restore(checkpoint: Checkpoint, plan: str, rejects: RejectsFile | None) -> _State:
    """Give what a checkpoint says; one of another transfer is not ours."""
    saved = checkpoint.load()
    if saved is None or saved.get("plan") != plan:
        saved = {"plan": plan, "done": 0, "after": ("", ""), "until": None, "rejects": (0, 0)}
    tallies = {
        kind: Tally.from_state(saved["tallies"][kind]) if "tallies" in saved else Tally() for kind in HISTORY_KINDS
    }
    if rejects is not None:
        rejects.go_back((saved["rejects"][0], saved["rejects"][1]))
    after = (saved["after"][0], saved["after"][1])
    state = _State(plan, saved["done"], tallies, from_text(saved["until"]), rejects, after)
    for kind, tally in tallies.items():
        tally.keep = state.keep(kind)
    return state


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


def _silent(_text: str, _done: int, _total: int | None) -> None:
    pass
