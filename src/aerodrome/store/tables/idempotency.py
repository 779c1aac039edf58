"""Requests that carried an Idempotency-Key, and what was answered; kept for a day."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id


class IdempotentRequest(Base):
    """One keyed request of one person. `answer` is None while it runs, or when the server died meanwhile."""

    __tablename__ = "idempotent_request"
    __table_args__ = (Index(None, "started_at"),)

    actor_id: Mapped[str] = mapped_column(Id, primary_key=True)
    key: Mapped[str] = mapped_column(String(100), primary_key=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    answer: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime]
