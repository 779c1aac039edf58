"""Secrets backends of teams: how to reach each. Credentials never stand here; `credentials` names those in the secret store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id


class SecretsBackendRow(Base):
    """One registered secrets backend of a workspace."""

    __tablename__ = "secrets_backend"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    name: Mapped[str] = mapped_column(String(63))
    kind: Mapped[str] = mapped_column(String(30))  # see secretstores/kinds.py
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)  # plain values only
    credentials: Mapped[list[Any]] = mapped_column(
        default=list
    )  # names; values: backend/<id>/<name> in the secret store
    probe: Mapped[dict[str, Any] | None] = mapped_column()  # what the last probe found: at, checks
    version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()
    updated_at: Mapped[datetime] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class SecretsBackendLinkRow(Base):
    """The backend that a deployment's Airflow asks first; at most one."""

    __tablename__ = "secrets_backend_link"

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id", ondelete="CASCADE"), primary_key=True)
    backend_id: Mapped[str] = mapped_column(ForeignKey("secrets_backend.id"), index=True)
    attached_at: Mapped[datetime] = mapped_column()
