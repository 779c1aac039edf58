"""Health incidents of deployments and of the platform, and the last measurement of each deployment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id

_OPEN = text("closed_at IS NULL")


class IncidentRow(Base):
    """Something that was wrong, from when it was first seen until it was gone. At most one is open per thing."""

    __tablename__ = "incident"
    __table_args__ = (
        Index("uq_incident_open", "scope", "code", "subject", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index(None, "scope", "opened_at"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    scope: Mapped[str] = mapped_column(Id)  # id of the deployment, or "platform"
    deployment_id: Mapped[str | None] = mapped_column(ForeignKey("deployment.id", ondelete="CASCADE"), index=True)
    code: Mapped[str] = mapped_column(String(60))
    subject: Mapped[str] = mapped_column(
        String(200)
    )  # what it is about within the scope: a component, a pool; or empty
    severity: Mapped[str] = mapped_column(String(20))  # info | warning | critical
    reason: Mapped[str] = mapped_column(Text)
    hint: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    opened_at: Mapped[datetime] = mapped_column()
    last_seen_at: Mapped[datetime] = mapped_column()
    closed_at: Mapped[datetime | None] = mapped_column()


class VitalRow(Base):
    """What was last measured of a deployment, and what the watcher remembers about it between two looks."""

    __tablename__ = "vital"

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id", ondelete="CASCADE"), primary_key=True)
    measured_at: Mapped[datetime] = mapped_column()
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)  # see fleet/vitals.py
    memory: Mapped[dict[str, Any]] = mapped_column(default=dict)  # see fleet/incidents_watch.py
