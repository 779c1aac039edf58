"""Alert channels: whom the platform tells what, and what it has told. Addresses stand in the secret store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id, Name


class AlertChannelRow(Base):
    """Somebody's ear: a web address that takes events of a workspace."""

    __tablename__ = "alert_channel"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspace.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Name)
    label: Mapped[str] = mapped_column(Name)  # the address without what could be a secret
    events: Mapped[list[Any]]  # patterns of event types
    after_seq: Mapped[int] = mapped_column(
        BigInteger
    )  # of the outbox; what happened before the channel was made is not told
    created_by: Mapped[str] = mapped_column(Name)
    created_at: Mapped[datetime]


class AlertDeliveryRow(Base):
    """One event for one channel."""

    __tablename__ = "alert_delivery"
    __table_args__ = (UniqueConstraint("channel_id", "event_id"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    channel_id: Mapped[str] = mapped_column(Id, ForeignKey("alert_channel.id", ondelete="CASCADE"), index=True)
    event_id: Mapped[str] = mapped_column(Id)
    event_seq: Mapped[int] = mapped_column(BigInteger)  # what is due together is sent in this order
    event_type: Mapped[str] = mapped_column(Name)
    body: Mapped[dict[str, Any]]  # what is sent
    status: Mapped[str] = mapped_column(String(12), index=True)  # waiting | sent | failed
    attempts: Mapped[int]
    due_at: Mapped[datetime]
    error: Mapped[str] = mapped_column(Name)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]


class AlertCursorRow(Base):
    """How far the outbox was read for alerts: one row."""

    __tablename__ = "alert_cursor"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
