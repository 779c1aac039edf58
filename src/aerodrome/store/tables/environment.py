"""Environment objects: connections, Airflow variables and environment variables of a workspace or a deployment.

`content` is the whole of an object (see environments/content.py), the newest version's; every version keeps its own. Secret
values never stand here: content names the path of each in the secret store, and a path is written once and never changed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id


class EnvironmentObjectRow(Base):
    """One connection, variable or environment variable as it is now; a deleted one stays for its history."""

    __tablename__ = "environment_object"
    __table_args__ = (UniqueConstraint("scope_id", "kind", "name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    deployment_id: Mapped[str | None] = mapped_column(
        ForeignKey("deployment.id", ondelete="CASCADE"), index=True
    )  # None: of the whole workspace
    scope_id: Mapped[str] = mapped_column(Id)  # the deployment's id, else the workspace's
    kind: Mapped[str] = mapped_column(String(20))  # connection | variable | env
    name: Mapped[str] = mapped_column(String(250))
    content: Mapped[dict[str, Any]] = mapped_column()
    is_deleted: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()
    updated_at: Mapped[datetime] = mapped_column()
    updated_by: Mapped[str] = mapped_column(String(200))


class EnvironmentVersionRow(Base):
    """One version of an object: its content, and who changed what when."""

    __tablename__ = "environment_version"

    object_id: Mapped[str] = mapped_column(ForeignKey("environment_object.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]] = mapped_column()
    is_deleted: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    change: Mapped[str] = mapped_column(String(20))  # created | updated | linked | deleted | restored
    changed: Mapped[list[Any]] = mapped_column(default=list)  # names of what differs from the version before
    note: Mapped[str] = mapped_column(Text, default="")
    actor: Mapped[str] = mapped_column(String(200))
    at: Mapped[datetime] = mapped_column(index=True)
