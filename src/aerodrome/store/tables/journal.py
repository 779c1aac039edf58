"""The journal: one row per step of something long, so that it can be read, resumed and proved."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id


class JournalStepRow(Base):
    """One step of one track (for example the apply, or the cutover of a wave) of one subject (a migration)."""

    __tablename__ = "journal_step"
    __table_args__ = (UniqueConstraint("subject", "track", "key"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    subject: Mapped[str] = mapped_column(String(80))
    track: Mapped[str] = mapped_column(String(80))
    seq: Mapped[int]
    key: Mapped[str] = mapped_column(String(300))
    phase: Mapped[str] = mapped_column(String(40))
    kind: Mapped[str] = mapped_column(String(80))
    title: Mapped[str] = mapped_column(Text)
    params: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int] = mapped_column(default=0)
    progress: Mapped[str] = mapped_column(Text, default="")
    started_at: Mapped[datetime | None]
    progress_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
