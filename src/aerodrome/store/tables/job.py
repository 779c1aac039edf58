"""Work to look at: one row per (kind, key), leased by one worker at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id

_LEASED = text("lease_owner IS NOT NULL")


class Job(Base):
    """A wish to look at something. At most one leased job per lane (partial unique index)."""

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("kind", "key"),
        Index("uq_job_lane_leased", "lane", unique=True, sqlite_where=_LEASED, postgresql_where=_LEASED),
        Index(None, "run_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    kind: Mapped[str] = mapped_column(String(80))
    key: Mapped[str] = mapped_column(String(200))
    lane: Mapped[str | None] = mapped_column(String(200))
    run_at: Mapped[datetime | None]  # None: parked after a failure that retrying does not mend
    again_at: Mapped[datetime | None]  # asked for while it was leased
    payload: Mapped[dict[str, Any]]
    attempts: Mapped[int] = mapped_column(default=0)  # leases since the last success
    lease_owner: Mapped[str | None] = mapped_column(String(200))
    lease_token: Mapped[str | None] = mapped_column(String(40))  # new with every lease: who lost it cannot finish
    lease_until: Mapped[datetime | None]
    last_error: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime]
