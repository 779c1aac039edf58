"""The outbox: rooms below say what happened, in the transaction that makes it true; rooms above read in order.

Events wait in the session and are written as the last act before the commit, one transaction at a time, so that `seq`
grows in commit order: a reader that has seen `seq` n never finds a smaller one later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from aerodrome.kernel.clock import Clock
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import masked
from aerodrome.store.tables.event import OutboxEvent
from aerodrome.store.turns import take_turns

_PENDING = "outbox"


@dataclass(frozen=True)
class Event:
    """One event as readers see it."""

    seq: int
    id: str
    at: datetime
    type: str  # "deploy.live"
    subject: str  # id of the thing it is about
    actor: str  # name of who caused it
    data: dict[str, Any]


def emit(session: Session, type_: str, subject: str, data: dict[str, Any], actor: str) -> None:
    """Say what happened (`type_` in the past tense, as in `deploy.finished`); secrets in `data` are masked."""
    clock: Clock = session.info["clock"]
    row = OutboxEvent(
        id=new_id("evt"), at=clock.now(), type=type_, subject=subject, actor=actor, data=masked(dict(data))
    )
    session.info.setdefault(_PENDING, []).append(row)


def write_pending(session: Session) -> None:
    """Write the events of this session. Called by `Store.writing`, as the last act before the commit."""
    rows: list[OutboxEvent] = session.info.pop(_PENDING, [])
    if not rows:
        return
    session.flush()
    take_turns(session, "outbox")
    for row in rows:
        session.add(row)
        session.flush()


def read(session: Session, after: int = 0, limit: int = 500, *, subject: str | None = None) -> list[Event]:
    """Give the events after a sequence number, oldest first."""
    query = select(OutboxEvent).where(OutboxEvent.seq > after).order_by(OutboxEvent.seq).limit(limit)
    if subject is not None:
        query = query.where(OutboxEvent.subject == subject)
    return [
        Event(row.seq, row.id, row.at, row.type, row.subject, row.actor, row.data) for row in session.scalars(query)
    ]


def last_seq(session: Session) -> int:
    """Give the newest sequence number, 0 when there is none: where a new reader starts."""
    return session.scalar(select(func.max(OutboxEvent.seq))) or 0


def prune(session: Session, before: datetime) -> int:
    """Remove events older than a moment; give how many."""
    return len(session.scalars(delete(OutboxEvent).where(OutboxEvent.at < before).returning(OutboxEvent.seq)).all())
