"""Durable work: one row per (kind, key), leased by one worker at a time, at most one leased job per lane.

Jobs are level-triggered: "look at deployment 7", never "start deployment 7". Asking again while a job waits changes
nothing; asking while it runs makes it run once more. A worker that dies loses its lease when it runs out, and the next
one takes over; whoever lost a lease cannot finish, fail or renew it any more (Stale).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import case, delete, exists, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, aliased

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.errors import AerodromeError, Stale
from aerodrome.kernel.ids import new_id
from aerodrome.store.engine import Store, now
from aerodrome.store.tables.job import Job

AS_SOON_AS_POSSIBLE = datetime(1970, 1, 1, tzinfo=UTC)
_LANE_RACES = 5


@dataclass(frozen=True)
class LeasedJob:
    """A job that this worker holds until `lease_until`."""

    id: str
    kind: str
    key: str
    lane: str | None
    payload: dict[str, Any]
    attempt: int  # 1 for the first lease since the last success
    owner: str
    lease_token: str
    lease_until: datetime


@dataclass(frozen=True)
class JobView:
    """A job as seen from outside."""

    id: str
    kind: str
    key: str
    lane: str | None
    state: str  # waiting | leased | parked
    run_at: datetime | None
    attempts: int
    lease_owner: str | None
    lease_until: datetime | None
    last_error: dict[str, Any] | None
    created_at: datetime


def enqueue(
    session: Session,
    kind: str,
    key: str,
    *,
    lane: str | None = None,
    run_at: datetime | None = None,
    payload: dict[str, Any] | None = None,
) -> str:
    """Ask that `key` be looked at, at `run_at` or as soon as possible; give the job's id.

    A waiting job of the same kind and key is moved to the earlier of the two moments; a leased one runs again after
    its end; a parked one wakes up. A payload given here replaces the earlier one.
    """
    due = run_at or AS_SOON_AS_POSSIBLE
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    row = {
        "id": new_id("job"),
        "kind": kind,
        "key": key,
        "lane": lane,
        "run_at": due,
        "payload": payload or {},
        "attempts": 0,
        "created_at": now(session),
    }
    insert = dialect.insert(Job).values(**row)
    is_leased = Job.lease_owner.is_not(None)
    new = insert.excluded
    change: dict[str, Any] = {
        "run_at": case((is_leased, Job.run_at), (Job.run_at < new.run_at, Job.run_at), else_=new.run_at),
        "again_at": case((~is_leased, None), (Job.again_at < new.run_at, Job.again_at), else_=new.run_at),
    }
    if payload is not None:
        change["payload"] = new.payload
    upsert = insert.on_conflict_do_update(index_elements=["kind", "key"], set_=change).returning(Job.id)
    return str(session.execute(upsert).scalar_one())


def lease(
    store: Store, clock: Clock, owner: str, lease_s: float, kinds: Collection[str] | None = None
) -> LeasedJob | None:
    """Lease the job that is due longest, or give None. `kinds` limits which ones (None: every kind)."""
    with store.reading() as session:
        if session.scalar(_due(clock.now(), kinds).limit(1)) is None:
            return None
    for _ in range(_LANE_RACES):
        try:
            with store.writing() as session:
                return _take(session, clock.now(), owner, timedelta(seconds=lease_s), kinds)
        except IntegrityError:  # another worker leased a job of the same lane in the same moment
            continue
    return None


def _due(moment: datetime, kinds: Collection[str] | None) -> Any:
    """Select ids of jobs that may be leased: due, not held, and nobody holds their lane."""
    other = aliased(Job)
    lane_is_held = exists().where(other.lane == Job.lane, other.lease_until >= moment)
    query = (
        select(Job.id)
        .where(Job.run_at <= moment, or_(Job.lease_owner.is_(None), Job.lease_until < moment), ~lane_is_held)
        .order_by(Job.run_at, Job.id)
    )
    return query if kinds is None else query.where(Job.kind.in_(list(kinds)))


def _take(
    session: Session, moment: datetime, owner: str, span: timedelta, kinds: Collection[str] | None
) -> LeasedJob | None:
    expired = update(Job).where(Job.lease_until < moment)
    session.execute(expired.values(lease_owner=None, lease_token=None, lease_until=None))
    found = session.scalar(_due(moment, kinds).limit(1).with_for_update(skip_locked=True))
    if found is None:
        return None
    job = session.execute(
        update(Job)
        .where(Job.id == found, Job.lease_owner.is_(None))
        .values(
            lease_owner=owner,
            lease_token=new_id("lse"),
            lease_until=moment + span,
            attempts=Job.attempts + 1,
            again_at=case((Job.again_at <= moment, None), else_=Job.again_at),
        )
        .returning(Job)
    ).scalar_one_or_none()
    if job is None or job.lease_token is None or job.lease_until is None:
        return None
    return LeasedJob(
        job.id, job.kind, job.key, job.lane, job.payload, job.attempts, owner, job.lease_token, job.lease_until
    )


def renew(store: Store, clock: Clock, job: LeasedJob, lease_s: float) -> LeasedJob:
    """Hold the job for another `lease_s` seconds from now; Stale when the lease is lost."""
    until = clock.now() + timedelta(seconds=lease_s)
    with store.writing() as session:
        _held(session, job).lease_until = until
    return replace(job, lease_until=until)


def finish(store: Store, job: LeasedJob, *, look_again_at: datetime | None = None) -> None:
    """End a run that went well: the job waits until it is to be looked at again, or is gone. Stale when lease is lost."""
    with store.writing() as session:
        row = _held(session, job)
        wishes = [moment for moment in (look_again_at, row.again_at) if moment is not None]
        if not wishes:
            session.execute(delete(Job).where(Job.id == row.id))
            return
        _release(row, min(wishes))
        row.attempts = 0
        row.last_error = None


def fail(store: Store, job: LeasedJob, error: AerodromeError | dict[str, Any], retry_at: datetime | None) -> None:
    """End a run that went wrong: try again at `retry_at`, or park it (None) until somebody asks again. Stale when lost."""
    with store.writing() as session:
        row = _held(session, job)
        wishes = [moment for moment in (retry_at, row.again_at) if moment is not None]
        _release(row, min(wishes) if wishes else None)
        row.last_error = error.as_data() if isinstance(error, AerodromeError) else dict(error)


def _held(session: Session, job: LeasedJob) -> Job:
    query = select(Job).where(Job.id == job.id, Job.lease_token == job.lease_token).with_for_update()
    row = session.scalar(query)
    if row is None:
        raise Stale(
            f"The lease on {job.kind} {job.key} is lost.", code="lease-lost", hint="Another worker looks at it."
        )
    return row


def _release(row: Job, run_at: datetime | None) -> None:
    row.run_at, row.again_at = run_at, None
    row.lease_owner = row.lease_token = row.lease_until = None


def next_due(session: Session) -> datetime | None:
    """Give the earliest moment at which a job that nobody holds, in a lane that nobody holds, is to be looked at."""
    other = aliased(Job)
    lane_is_held = exists().where(other.lane == Job.lane, other.lease_owner.is_not(None))
    return session.scalar(select(func.min(Job.run_at)).where(Job.lease_owner.is_(None), ~lane_is_held))


def view(session: Session, kind: str | None = None, limit: int = 200) -> list[JobView]:
    """Give the jobs, oldest wish first."""
    query = select(Job).order_by(Job.run_at, Job.id).limit(limit)
    if kind is not None:
        query = query.where(Job.kind == kind)
    return [
        JobView(
            row.id,
            row.kind,
            row.key,
            row.lane,
            "leased" if row.lease_owner else "waiting" if row.run_at else "parked",
            row.run_at,
            row.attempts,
            row.lease_owner,
            row.lease_until,
            row.last_error,
            row.created_at,
        )
        for row in session.scalars(query)
    ]
