"""Rehearsals: changes of a deployment's Airflow version, tried on a copy before they are made."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id


class RehearsalRow(Base):
    """One try on a copy, with its report. It vouches for a deploy that wants exactly what it tried."""

    __tablename__ = "rehearsal"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(12))  # upgrade | rollback
    status: Mapped[str] = mapped_column(String(12))  # queued | running | passed | refused | failed
    from_version: Mapped[str] = mapped_column(String(20))
    to_version: Mapped[str] = mapped_column(String(20))
    python_version: Mapped[str] = mapped_column(String(20))
    bundle_digest: Mapped[str | None] = mapped_column(String(64))  # the project that was tried; None: there was none
    extra_bundles: Mapped[dict[str, Any]] = mapped_column(default=dict)
    rollback_of: Mapped[str | None] = mapped_column(Id)  # the deploy that a rollback would bring back
    snapshot_id: Mapped[str | None] = mapped_column(Id)  # the snapshot that a way back starts from
    log: Mapped[str] = mapped_column(Text, default="")
    report: Mapped[dict[str, Any] | None] = mapped_column()  # see runtimes/contract.py, Rehearsal
    error: Mapped[dict[str, Any] | None] = mapped_column()  # why it could not be done, when it failed
    actor: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(index=True)
    started_at: Mapped[datetime | None] = mapped_column()
    finished_at: Mapped[datetime | None] = mapped_column()
