"""The journal of something long: its steps, where it stands, and what each step gave or why it failed.

The one who walks a track holds the lane of its subject, so steps of one track have one writer at a time. A step that is
`running` when a walker starts was cut off: beginning it again is allowed and counts as another attempt.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from aerodrome.kernel.errors import AerodromeError, Conflict, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import masked
from aerodrome.store.engine import now
from aerodrome.store.tables.journal import JournalStepRow

StepStatus = Literal["pending", "running", "done", "failed"]


@dataclass(frozen=True)
class JournalStep:
    """One step as it stands."""

    subject: str
    track: str
    seq: int
    key: str
    phase: str
    kind: str
    title: str
    params: dict[str, Any]
    status: StepStatus
    attempts: int
    progress: str
    started_at: datetime | None
    progress_at: datetime | None  # last sign of life; a stall is computed from it
    finished_at: datetime | None
    result: dict[str, Any] | None
    error: dict[str, Any] | None


@dataclass(frozen=True)
class TrackSummary:
    """How far a track is: how many steps stand in each status."""

    track: str
    pending: int
    running: int
    done: int
    failed: int


def open_track(session: Session, subject: str, track: str, steps: Sequence[Mapping[str, Any]]) -> None:
    """Write the steps of a track as pending, in the given order; steps that exist already stay as they are.

    A step is a mapping with `key` (unique within the track), `kind`, `title`, and optionally `phase` and `params`.
    """
    query = select(JournalStepRow.key).where(JournalStepRow.subject == subject, JournalStepRow.track == track)
    known = set(session.scalars(query))
    for seq, step in enumerate(steps, start=1):
        if step["key"] in known:
            continue
        known.add(step["key"])
        row = JournalStepRow(
            id=new_id("stp"),
            subject=subject,
            track=track,
            seq=seq,
            key=step["key"],
            phase=step.get("phase", ""),
            kind=step["kind"],
            title=step["title"],
            params=masked(dict(step.get("params", {}))),
            status="pending",
            attempts=0,
            progress="",
        )
        session.add(row)
    session.flush()


def forget(session: Session, subject: str, track: str) -> None:
    """Remove a track whose list of steps was replaced; nobody may be walking it. Steps are idempotent: it starts anew."""
    query = delete(JournalStepRow).where(JournalStepRow.subject == subject, JournalStepRow.track == track)
    session.execute(query)


def restate(session: Session, subject: str, track: str, params: Mapping[str, Mapping[str, Any]]) -> None:
    """Give steps that are not done other parameters, by key; those of no such track or key are left out. Nobody may be walking it."""
    query = select(JournalStepRow).where(JournalStepRow.subject == subject, JournalStepRow.track == track)
    for row in session.scalars(query.where(JournalStepRow.status != "done")):
        if row.key in params and row.params != (wanted := masked(dict(params[row.key]))):
            row.params = wanted
    session.flush()


def reset(session: Session, subject: str, track: str, keys: Collection[str]) -> None:
    """Make steps pending again because what they did was undone; nobody may be walking the track."""
    query = (
        update(JournalStepRow)
        .where(JournalStepRow.subject == subject, JournalStepRow.track == track, JournalStepRow.key.in_(keys))
        .values(
            status="pending",
            attempts=0,
            progress="",
            started_at=None,
            progress_at=None,
            finished_at=None,
            result=None,
            error=None,
        )
    )
    session.execute(query)


def begin(session: Session, subject: str, track: str, key: str) -> JournalStep:
    """Mark a step as running (first time, again after a failure, or after a crash); Conflict when it is done."""
    row = _row(session, subject, track, key)
    if row.status == "done":
        raise Conflict(f"The step {row.title!r} is done already.", code="step-done")
    row.status = "running"
    row.attempts += 1
    row.started_at = row.progress_at = now(session)
    row.finished_at = None
    row.error = None
    row.progress = ""
    session.flush()
    return _view(row)


def progress(session: Session, subject: str, track: str, key: str, text: str) -> None:
    """Say how far a running step is, in a few words; also its sign of life."""
    row = _running(session, subject, track, key)
    row.progress = text
    row.progress_at = now(session)


def done(session: Session, subject: str, track: str, key: str, result: Mapping[str, Any] | None = None) -> JournalStep:
    """Mark a running step as done with what it gave (JSON, no secrets)."""
    row = _running(session, subject, track, key)
    row.status = "done"
    row.result = masked(dict(result or {}))
    row.finished_at = row.progress_at = now(session)
    session.flush()
    return _view(row)


def failed(
    session: Session, subject: str, track: str, key: str, error: AerodromeError | Mapping[str, Any]
) -> JournalStep:
    """Mark a running step as failed with the reason; it may be begun again."""
    row = _running(session, subject, track, key)
    row.status = "failed"
    row.error = error.as_data() if isinstance(error, AerodromeError) else masked(dict(error))
    row.finished_at = row.progress_at = now(session)
    session.flush()
    return _view(row)


def begin_many(session: Session, subject: str, track: str, keys: Collection[str]) -> None:
    """Mark many steps as running at once, as `begin` does; steps that are done stay so."""
    moment = now(session)
    rows = JournalStepRow
    for page in _pages(keys):
        session.execute(
            update(rows)
            .where(rows.subject == subject, rows.track == track, rows.key.in_(page), rows.status != "done")
            .values(
                status="running",
                attempts=rows.attempts + 1,
                started_at=moment,
                progress_at=moment,
                finished_at=None,
                error=None,
                progress="",
            )
        )


def done_many(session: Session, subject: str, track: str, results: Mapping[str, Mapping[str, Any]]) -> None:
    """Mark running steps as done with what each gave."""
    _end_many(
        session, subject, track, {key: {"status": "done", "result": masked(dict(results[key]))} for key in results}
    )


def failed_many(session: Session, subject: str, track: str, errors: Mapping[str, AerodromeError]) -> None:
    """Mark running steps as failed, each with its reason."""
    _end_many(session, subject, track, {key: {"status": "failed", "error": errors[key].as_data()} for key in errors})


def progress_many(session: Session, subject: str, track: str, texts: Mapping[str, str]) -> None:
    """Say how far running steps are."""
    moment = now(session)
    _change_many(session, subject, track, {key: {"progress": texts[key], "progress_at": moment} for key in texts})


def _end_many(session: Session, subject: str, track: str, changes: Mapping[str, dict[str, Any]]) -> None:
    moment = now(session)
    _change_many(
        session,
        subject,
        track,
        {key: {**change, "finished_at": moment, "progress_at": moment} for key, change in changes.items()},
    )


def _change_many(session: Session, subject: str, track: str, changes: Mapping[str, Mapping[str, Any]]) -> None:
    """Change running steps: one read of their ids, one statement for all rows."""
    if not changes:
        return
    rows, ids = JournalStepRow, dict[str, str]()
    for page in _pages(changes):
        found = session.execute(
            select(rows.key, rows.id).where(
                rows.subject == subject, rows.track == track, rows.key.in_(page), rows.status == "running"
            )
        )
        ids |= {row.key: row.id for row in found}
    session.execute(update(rows), [{"id": ids[key], **change} for key, change in changes.items() if key in ids])


def _pages(keys: Collection[str], size: int = 500) -> Iterator[list[str]]:
    ordered = list(keys)
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]


def steps(session: Session, subject: str, track: str) -> list[JournalStep]:
    """Give the steps of a track in order; empty when the track was never opened."""
    query = (
        select(JournalStepRow)
        .where(JournalStepRow.subject == subject, JournalStepRow.track == track)
        .order_by(JournalStepRow.seq, JournalStepRow.id)
    )
    return [_view(row) for row in session.scalars(query)]


def tracks(session: Session, subject: str) -> list[TrackSummary]:
    """Give the tracks of a subject in the order in which they were opened."""
    query = (
        select(JournalStepRow.track, JournalStepRow.status, func.count(), func.min(JournalStepRow.id))
        .where(JournalStepRow.subject == subject)
        .group_by(JournalStepRow.track, JournalStepRow.status)
    )
    counts: dict[str, dict[str, int]] = {}
    opened: dict[str, str] = {}
    for track, status, count, first in session.execute(query):
        counts.setdefault(track, {})[status] = count
        opened[track] = min(first, opened.get(track, first))
    names = ("pending", "running", "done", "failed")
    return [
        TrackSummary(track, *(counts[track].get(name, 0) for name in names))
        for track in sorted(counts, key=lambda track: opened[track])
    ]


def _row(session: Session, subject: str, track: str, key: str) -> JournalStepRow:
    query = select(JournalStepRow).where(
        JournalStepRow.subject == subject, JournalStepRow.track == track, JournalStepRow.key == key
    )
    row = session.scalar(query.with_for_update())
    if row is None:
        raise NotFound(f"The journal of {subject} has no step {key} on track {track}.", code="step-unknown")
    return row


def _running(session: Session, subject: str, track: str, key: str) -> JournalStepRow:
    row = _row(session, subject, track, key)
    if row.status != "running":
        raise Conflict(f"The step {row.title!r} is {row.status}, not running.", code="step-not-running")
    return row


def _view(row: JournalStepRow) -> JournalStep:
    return JournalStep(
        row.subject,
        row.track,
        row.seq,
        row.key,
        row.phase,
        row.kind,
        row.title,
        row.params,
        row.status,  # type: ignore[arg-type]
        row.attempts,
        row.progress,
        row.started_at,
        row.progress_at,
        row.finished_at,
        row.result,
        row.error,
    )
