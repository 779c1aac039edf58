"""Snapshots of deployments' metadata databases: taken before a change of the Airflow version, on demand and by schedule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id


class SnapshotRow(Base):
    """One copy of a metadata database at rest; its files are in the folder that `place` names."""

    __tablename__ = "snapshot"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))  # before-version | before-restore | backup | manual
    status: Mapped[str] = mapped_column(String(20))  # taking | kept | failed | deleted
    airflow_version: Mapped[str] = mapped_column(String(20))
    dialect: Mapped[str] = mapped_column(String(20))  # sqlite | postgresql
    place: Mapped[str] = mapped_column(Text)  # folder, relative to the platform's home
    size_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    digest: Mapped[str | None] = mapped_column(String(64))
    row_counts: Mapped[dict[str, Any]] = mapped_column(default=dict)  # table -> rows
    deploy_id: Mapped[str | None] = mapped_column(Id)  # the deploy that asked for it
    description: Mapped[str] = mapped_column(Text, default="")
    actor: Mapped[str] = mapped_column(String(200))
    error: Mapped[dict[str, Any] | None] = mapped_column()
    created_at: Mapped[datetime] = mapped_column(index=True)
    finished_at: Mapped[datetime | None] = mapped_column()
    verified_at: Mapped[datetime | None] = (
        mapped_column()
    )  # when a restore of it into a scratch database was last seen to work
    expires_at: Mapped[datetime | None] = mapped_column()  # None: kept until somebody deletes it
