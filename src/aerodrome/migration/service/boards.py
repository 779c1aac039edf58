"""Reads for the waves board, the timeline of a cutover and the fence: computed from the journal, nothing is stored twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aerodrome.kernel.clock import from_text
from aerodrome.migration.cutover import state_after
from aerodrome.migration.service import controls
from aerodrome.migration.service.plans import WaveFacts
from aerodrome.migration.service.tracks import CUTOVER
from aerodrome.store import journal
from aerodrome.store.tables.cutover import SplitBrainRow, WaveControlRow
from aerodrome.store.tables.journal import JournalStepRow
from aerodrome.store.tables.migration import MigrationRow

ACTS = ("check", "pause", "drain", "sync", "prove", "unpause", "watch")
WaveStatus = Literal["waiting", "running", "halted", "stopped", "failed", "done"]


@dataclass(frozen=True)
class WaveView:
    """How far one wave is."""

    name: str
    criticality: str
    dags: int
    canary: int
    error_budget: int
    status: WaveStatus
    live: int  # DAGs that were started in the target
    watched: int  # DAGs whose first cycle was watched (or that have none)
    held: int  # DAGs that stand between the sides now
    failed: int
    halted_by: str  # empty when nobody asked for it
    halted_reason: str
    owners: tuple[str, ...] = ()  # of its DAGs in the source, who has most of them first
    window: str = ""  # as the plan says, in UTC
    quiet: str = ""  # a sentence: when no run of its DAGs is due, in UTC and on the DAGs' own clock


@dataclass(frozen=True)
class DagMoved:
    """How far one DAG is."""

    dag_id: str
    state: str  # of cutover.machine
    act: str  # what goes on or failed: "drain"; empty when nothing does
    progress: str
    paused_at: datetime | None
    busy_until: datetime | None  # its last run in the source was seen then, when one was under way at the pause
    live_at: datetime | None
    gap_s: float | None  # how long neither side would have scheduled it, drain left out
    first_run: str  # what was said of its first run
    error: Mapping[str, Any] | None


@dataclass(frozen=True)
class SplitBrain:
    """A time in which a DAG was active on both sides, as the fence saw it."""

    id: str
    dag_id: str
    wave: str
    seen_whole_at: datetime
    noticed_at: datetime
    ended_at: datetime | None
    action: str
    source_runs: tuple[Mapping[str, Any], ...]
    doubled: tuple[Mapping[str, Any], ...]


def waves(
    session: Session,
    row: MigrationRow,
    planned: Sequence[Mapping[str, Any]],
    facts: Mapping[str, WaveFacts] = MappingProxyType({}),
) -> tuple[WaveView, ...]:
    """Give the board: two reads however many DAGs and waves there are. `facts` are the estate's, by wave."""
    counts: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    query = (
        select(JournalStepRow.track, JournalStepRow.kind, JournalStepRow.status, func.count())
        .where(JournalStepRow.subject == row.id, JournalStepRow.track.startswith(CUTOVER))
        .group_by(JournalStepRow.track, JournalStepRow.kind, JournalStepRow.status)
    )
    for track, kind, status, count in session.execute(query):
        counts[track.removeprefix(CUTOVER)][kind.removeprefix("cutover."), status] = count
    asked = controls.asked(session, row.id)
    return tuple(
        _wave(row, wave, counts.get(wave["name"], {}), facts.get(wave["name"]), asked.get(wave["name"]))
        for wave in planned
    )


def _wave(
    row: MigrationRow,
    wave: Mapping[str, Any],
    found: Mapping[tuple[str, str], int],
    facts: WaveFacts | None,
    asked: WaveControlRow | None,
) -> WaveView:
    def done(act: str) -> int:
        return found.get((act, "done"), 0)

    def steps(act: str) -> int:
        return sum(count for (name, _), count in found.items() if name == act)

    failed = sum(count for (_, status), count in found.items() if status == "failed")
    open_steps = sum(count for (_, status), count in found.items() if status != "done")
    is_halted = bool(asked and asked.is_halted)
    is_walked = row.status == "cutting-over" and open_steps > 0
    status: WaveStatus = "waiting"
    if found and not open_steps:
        status = "done"
    elif is_walked:
        status = "halted" if is_halted else "running"
    elif found:
        status = "failed" if failed else "halted" if is_halted else "stopped"
    waits = max(steps("pause") - steps("unpause"), 0)  # moved, and not to be started
    return WaveView(
        name=wave["name"],
        criticality=wave["criticality"],
        dags=len(wave["dags"]),
        canary=wave.get("canary", 0),
        error_budget=wave.get("error_budget", 0),
        status=status,
        live=done("unpause"),
        watched=done("watch"),
        held=max(done("pause") - done("unpause") - waits, 0),
        failed=failed,
        halted_by=asked.changed_by if asked and is_halted else "",
        halted_reason=asked.reason if asked and is_halted else "",
        owners=facts.owners if facts else (),
        window=wave.get("window", ""),
        quiet=facts.quiet.describe(row.updated_at) if facts and facts.quiet else "",
    )


def timeline(session: Session, row: MigrationRow, wave: str) -> tuple[DagMoved, ...]:
    """Give every DAG of a wave whose cutover was begun, in the order of the journal."""
    by_dag: dict[str, list[journal.JournalStep]] = defaultdict(list)
    for step in journal.steps(session, row.id, f"{CUTOVER}{wave}"):
        by_dag[str(step.params["dag_id"])].append(step)
    return tuple(_moved(dag_id, steps) for dag_id, steps in by_dag.items())


def _moved(dag_id: str, steps: Sequence[journal.JournalStep]) -> DagMoved:
    by_act = {step.kind.removeprefix("cutover."): step for step in steps}
    done = [act for act in ACTS if act in by_act and by_act[act].status == "done"]
    current = next((by_act[act] for act in ACTS if act in by_act and by_act[act].status in ("running", "failed")), None)
    events = [act for act in done if act != "check"]
    if current is not None and current.status == "failed":
        events.append("fail")

    def told(act: str, name: str) -> datetime | None:
        step = by_act.get(act)
        return from_text((step.result or {}).get(name)) if step and step.status == "done" else None

    paused_at, busy_until, live_at = (
        told("pause", "paused_at"),
        told("drain", "busy_until"),
        told("unpause", "unpaused_at"),
    )
    began = busy_until or paused_at
    watched = by_act.get("watch")
    return DagMoved(
        dag_id=dag_id,
        state=state_after(events),
        act=current.kind.removeprefix("cutover.") if current else "",
        progress=current.progress if current and current.status == "running" else "",
        paused_at=paused_at,
        busy_until=busy_until,
        live_at=live_at,
        gap_s=round((live_at - began).total_seconds(), 2) if began and live_at else None,
        first_run=str((watched.result or {}).get("summary", "")) if watched and watched.status == "done" else "",
        error=current.error if current else None,
    )


def split_brains(session: Session, migration_id: str) -> tuple[SplitBrain, ...]:
    """Give what the fence saw, the newest first."""
    rows = session.scalars(
        select(SplitBrainRow)
        .where(SplitBrainRow.migration_id == migration_id)
        .order_by(SplitBrainRow.id.desc())
        .limit(500)
    )
    return tuple(
        SplitBrain(
            row.id, row.dag_id, row.wave, row.seen_whole_at, row.noticed_at, row.ended_at, row.action,
            tuple(row.source_runs), tuple(row.doubled),
        )
        for row in rows
    )  # fmt: skip
