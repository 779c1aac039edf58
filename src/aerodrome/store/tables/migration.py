"""One row per migration. Its steps stand in the journal, its files in the migration's folder, its secrets in the secret store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id, Name


class MigrationRow(Base):
    """A migration: source, frozen estate, plan, target."""

    __tablename__ = "migration"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Name)
    workspace_id: Mapped[str] = mapped_column(Id, ForeignKey("workspace.id"))
    status: Mapped[str] = mapped_column(Name)
    source: Mapped[dict[str, Any]]  # kind, label and folders; no secrets
    source_version: Mapped[str | None] = mapped_column(Name)
    description: Mapped[dict[str, Any] | None]  # what the last probe said
    estate_digest: Mapped[str | None] = mapped_column(Name)
    found: Mapped[dict[str, Any]]
    findings: Mapped[dict[str, Any]]
    plan_text: Mapped[str | None] = mapped_column(Text)
    plan_digest: Mapped[str | None] = mapped_column(Name)
    waves: Mapped[list[Any]]
    target_deployment_id: Mapped[str | None] = mapped_column(Id)
    target_version: Mapped[str | None] = mapped_column(Name)
    error: Mapped[dict[str, Any] | None]
    created_by: Mapped[str] = mapped_column(Name)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012
