"""The worker's side of alerts: reads the outbox in order, writes a delivery per event and channel, and sends what is due.

At least once: the receiver tells repeated ones by `id`. A channel that does not answer is tried again for about two hours, then
the delivery is given up and stays to be seen; events that come later are tried on their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from string import Formatter
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import httpx2
import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from aerodrome.alerts.contract import EVENTS
from aerodrome.kernel.clock import Clock, to_text
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.kernel.secret import Secret
from aerodrome.store import jobs, outbox
from aerodrome.store.engine import Store
from aerodrome.store.jobs import LeasedJob
from aerodrome.store.outbox import Event
from aerodrome.store.tables.alert import AlertChannelRow, AlertCursorRow, AlertDeliveryRow

JOB: Final = "alerts.deliver"
LOOK_EVERY = timedelta(seconds=5)
TIMEOUT_S = 10.0
PAUSES_S = (10, 30, 60, 300, 900, 1800, 3600)
"""Before each further attempt."""
KEPT = timedelta(days=30)
PAGE = 500
SENT_PER_LOOK = 50
TEST_EVENT = "alert.test"
_log = structlog.get_logger("aerodrome.alerts")


class Secrets(Protocol):
    """What is needed of a secret store."""

    def get(self, path: str) -> Secret: ...


def address_of(channel_id: str) -> str:
    """Give where the secret store keeps a channel's address."""
    return f"alert/{channel_id}/url"


@dataclass(frozen=True)
class Delivery:
    """Handles the job; one for the whole platform."""

    store: Store
    secrets: Secrets
    clock: Clock
    is_stopping: Callable[[], bool] = lambda: False

    def ask(self) -> None:
        """Ask for a look; called at every start."""
        with self.store.writing() as session:
            jobs.enqueue(session, JOB, "outbox", lane=JOB)

    def look(self, _job: LeasedJob) -> datetime:
        """Take what is new and send what is due; come again soon."""
        while self._take() == PAGE and not self.is_stopping():
            pass
        more = self._send()
        return self.clock.now() if more and not self.is_stopping() else self.clock.now() + LOOK_EVERY

    def _take(self) -> int:
        """Turn one page of events into deliveries; the cursor moves in the same transaction. Gives how many were read."""
        with self.store.reading() as session:
            cursor = session.get(AlertCursorRow, "outbox")
            if cursor is not None and not outbox.read(session, cursor.seq, 1):
                return 0
        with self.store.writing() as session:
            cursor = session.get(AlertCursorRow, "outbox", with_for_update=True)
            if cursor is None:
                session.add(AlertCursorRow(id="outbox", seq=_start(session)))
                return PAGE  # look once more
            events = outbox.read(session, cursor.seq, PAGE)
            channels = list(session.scalars(select(AlertChannelRow)))
            now = self.clock.now()
            for event in events:
                for channel in channels:
                    if is_for(channel, event):
                        session.add(_row(channel.id, event.id, event.seq, event.type, _body(event), now))
            if events:
                cursor.seq = events[-1].seq
            if channels:
                session.execute(delete(AlertDeliveryRow).where(AlertDeliveryRow.created_at < now - KEPT))
            return len(events)

    def _send(self) -> bool:
        """Send what is due, one after another; tell whether more is."""
        with self.store.reading() as session:
            query = select(AlertDeliveryRow).where(
                AlertDeliveryRow.status == "waiting", AlertDeliveryRow.due_at <= self.clock.now()
            )
            due = list(
                session.scalars(
                    query.order_by(AlertDeliveryRow.due_at, AlertDeliveryRow.event_seq).limit(SENT_PER_LOOK)
                )
            )
            session.expunge_all()
        for row in due:
            if self.is_stopping():
                break
            error = self._post(row)
            self._note(row.id, error)
        return len(due) == SENT_PER_LOOK

    def _post(self, row: AlertDeliveryRow) -> str:
        """Send one; gives why it did not work, empty when it did. Nothing of the address stands in it."""
        try:
            url = self.secrets.get(address_of(row.channel_id)).reveal()
        except NotFound:
            return "The channel's address is gone."
        host = urlsplit(url).hostname or ""
        is_here = host in ("localhost", "::1") or host.startswith("127.")
        try:
            with httpx2.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=not is_here) as client:
                answer = client.post(url, json=row.body, headers={"User-Agent": "aerodrome"})
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            return f"It could not be reached: {type(error).__name__}."
        return "" if answer.is_success else f"It answered {answer.status_code}."

    def _note(self, delivery_id: str, error: str) -> None:
        now = self.clock.now()
        with self.store.writing() as session:
            row = session.get(AlertDeliveryRow, delivery_id)
            if row is None:  # its channel was deleted meanwhile
                return
            row.attempts += 1
            row.error = error
            if not error:
                row.status, row.sent_at = "sent", now
            elif row.attempts > len(PAUSES_S):
                row.status = "failed"
                _log.warning("alert.given_up", channel=row.channel_id, event_type=row.event_type, error=error)
            else:
                row.due_at = now + timedelta(seconds=PAUSES_S[row.attempts - 1])


def _start(session: Session) -> int:
    """Give where to begin reading: nothing that happened before the oldest channel was made is of interest."""
    oldest = session.scalar(select(AlertChannelRow.after_seq).order_by(AlertChannelRow.after_seq).limit(1))
    return outbox.last_seq(session) if oldest is None else oldest


def is_for(channel: AlertChannelRow, event: Event) -> bool:
    """Tell whether a channel is told of an event: it knows the type, it is of its workspace, and it is not older."""
    if event.type not in EVENTS or event.seq <= channel.after_seq:
        return False
    parts = event.subject.split("/")
    workspace_id = parts[1] if parts[0] == "workspace" and len(parts) > 1 else event.data.get("workspace_id")
    return workspace_id == channel.workspace_id and any(fnmatchcase(event.type, pattern) for pattern in channel.events)


def enqueue_test(session: Session, channel: AlertChannelRow, by: str, now: datetime) -> AlertDeliveryRow:
    """Write a test delivery."""
    event_id = new_id("evt")
    body: dict[str, Any] = {
        "id": event_id,
        "type": TEST_EVENT,
        "at": to_text(now),
        "text": f"{by} tests the channel {channel.name}.",
        "subject": f"workspace/{channel.workspace_id}/alert-channel/{channel.id}",
        "data": {},
    }
    row = _row(channel.id, event_id, outbox.last_seq(session), TEST_EVENT, body, now)
    session.add(row)
    session.flush()
    return row


def _row(
    channel_id: str, event_id: str, event_seq: int, type_: str, body: dict[str, Any], now: datetime
) -> AlertDeliveryRow:
    return AlertDeliveryRow(
        id=new_id("ald"), channel_id=channel_id, event_id=event_id, event_seq=event_seq, event_type=type_, body=body, status="waiting",
        attempts=0, due_at=now, error="", created_at=now, sent_at=None,
    )  # fmt: skip


def _body(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "type": event.type,
        "at": to_text(event.at),
        "text": sentence(event.type, event.data),
        "subject": event.subject,
        "data": event.data,
    }


def sentence(type_: str, data: Mapping[str, Any]) -> str:
    """Say an event for people; what it does not tell is left out."""
    return _Filling().vformat(EVENTS[type_], (), data).strip()[:1000]


class _Filling(Formatter):
    """Fills the gaps of a sentence with plain values: no attributes, no items, nothing for what is missing."""

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> Any:  # noqa: ARG002
        value = kwargs.get(field_name, "")
        return (", ".join(map(str, value[:10])) if isinstance(value, list) else value), field_name
