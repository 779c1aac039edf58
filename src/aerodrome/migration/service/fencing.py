"""The fence: sees that no DAG that was handed over is active in the source again, and says honestly when one was.

A job of its own per migration, beside the walk of further waves. What it finds is one row per time of double activity: from
when it may have begun, when it was noticed and ended, what the source ran, and which of that the target ran as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.ids import new_id
from aerodrome.migration.cutover.target import TargetSide
from aerodrome.migration.estate.history import RUN_COLUMNS, HistoryWindow
from aerodrome.migration.service.tracks import CUTOVER
from aerodrome.migration.sources.contract import SourceAdapter
from aerodrome.store import journal, outbox
from aerodrome.store.engine import Store
from aerodrome.store.tables.cutover import SplitBrainRow

LOOK_EVERY = timedelta(seconds=20)
SETTLING = timedelta(minutes=15)
"""So long after its end a window is looked at again: a run of the source may still have been under way."""


@dataclass(frozen=True)
class Handed:
    """A DAG that was handed over."""

    dag_id: str
    wave: str
    live_at: datetime
    last_start: datetime | None  # where the source's last interval starts


def handed_over(session: Session, migration_id: str) -> dict[str, Handed]:
    """Give the DAGs that were started in the target and have not gone back."""
    found: dict[str, Handed] = {}
    for track in journal.tracks(session, migration_id):
        if not track.track.startswith(CUTOVER):
            continue
        for step in journal.steps(session, migration_id, track.track):
            live_at = from_text((step.result or {}).get("unpaused_at")) if step.kind == "cutover.unpause" else None
            if step.status == "done" and live_at is not None:
                last = (step.result or {}).get("last_source_interval") or [None]
                dag_id = str(step.params["dag_id"])
                wave = track.track.removeprefix(CUTOVER)
                found[dag_id] = Handed(dag_id, wave, live_at, from_text(last[0]))
    return found


@dataclass(frozen=True)
class Fence:
    """Looks at one migration. `policy`: pause (pause it again) or alarm (only tell)."""

    store: Store
    migration_id: str
    scope: str
    source: SourceAdapter
    target: TargetSide
    mark: str
    policy: str

    def look(self, now: datetime) -> int:
        """Look once; give how many DAGs are watched. Repeating it is harmless."""
        with self.store.reading() as session:
            handed = handed_over(session, self.migration_id)
            rows = self._rows(session, now)
            standing = {row.dag_id: row.id for row in rows if row.ended_at is None}
            ended = {row.dag_id: row.ended_at for row in rows if row.ended_at is not None}
        if not handed:
            return 0
        states = self.source.dag_states(sorted(handed))
        active = {dag_id for dag_id, state in states.items() if not state.is_paused}
        fresh = sorted(active - set(standing))
        if fresh:
            with self.store.writing() as session:
                for dag_id in fresh:
                    self._open(session, handed[dag_id], ended.get(dag_id), now)
        if active and self.policy == "pause":
            refused = self.source.pause_dags(sorted(active), self.mark)
            active = set(refused)
        self._settle(handed, active, now)
        return len(handed)

    def _rows(self, session: Session, now: datetime) -> list[SplitBrainRow]:
        query = select(SplitBrainRow).where(SplitBrainRow.migration_id == self.migration_id)
        return [
            row
            for row in session.scalars(query.order_by(SplitBrainRow.id))
            if row.ended_at is None or row.ended_at > now - SETTLING
        ]

    def _open(self, session: Session, handed: Handed, ended_at: datetime | None, now: datetime) -> None:
        """Commit that we noticed, before anything is done about it."""
        session.add(
            SplitBrainRow(
                id=new_id("spb"),
                migration_id=self.migration_id,
                dag_id=handed.dag_id,
                wave=handed.wave,
                seen_whole_at=max(handed.live_at, ended_at or handed.live_at),
                noticed_at=now,
                ended_at=None,
                action="paused-again" if self.policy == "pause" else "alarm",
                source_runs=[],
                doubled=[],
            )
        )
        outbox.emit(
            session, "migration.split-brain", self.scope, {"dag_id": handed.dag_id, "wave": handed.wave}, "system"
        )

    def _settle(self, handed: Mapping[str, Handed], active: set[str], now: datetime) -> None:
        """Write down what ended, and what both sides ran."""
        with self.store.reading() as session:
            seen = {row.id: (row.dag_id, row.ended_at) for row in self._rows(session, now)}
        found = {row_id: self._ran(handed[dag_id]) for row_id, (dag_id, _) in seen.items() if dag_id in handed}
        with self.store.writing() as session:
            for row_id, (runs, doubled) in found.items():
                row = session.get_one(SplitBrainRow, row_id)
                row.source_runs, row.doubled = runs, doubled
                if row.ended_at is None and row.dag_id not in active:
                    row.ended_at = now

    def _ran(self, handed: Handed) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Give the scheduled runs that the source ended after the hand-over, and those whose date the target ran too."""
        runs: list[dict[str, Any]] = []
        moments: dict[str, datetime] = {}
        for batch in self.source.history("run", HistoryWindow((handed.dag_id,))):
            for values in batch.rows:
                row = dict(zip(RUN_COLUMNS, values, strict=True))
                start = row["data_interval_start"] or row["logical_date"]
                if row["run_type"] != "scheduled" or (handed.last_start and start <= handed.last_start):
                    continue
                runs.append(
                    {"run_id": row["run_id"], "state": row["state"], "logical_date": to_text(row["logical_date"])}
                )
                moments[row["run_id"]] = row["logical_date"]
        if not runs:
            return [], []
        there = self.target.run_states(handed.dag_id, list(moments.values()))
        return runs, [run for run in runs if moments[run["run_id"]] in there]
