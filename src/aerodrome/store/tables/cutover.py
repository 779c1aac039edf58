"""What people and the fence say about cutovers; the steps themselves stand in the journal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id, Name


class WaveControlRow(Base):
    """Whether somebody asked the cutover of a wave to let no more DAGs in."""

    __tablename__ = "wave_control"
    __table_args__ = (UniqueConstraint("migration_id", "wave"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    migration_id: Mapped[str] = mapped_column(Id, ForeignKey("migration.id"))
    wave: Mapped[str] = mapped_column(Name)
    is_halted: Mapped[bool]
    reason: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[str] = mapped_column(Name)
    changed_at: Mapped[datetime]


class SplitBrainRow(Base):
    """A time in which a DAG was active on both sides, as the fence saw it."""

    __tablename__ = "split_brain"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    migration_id: Mapped[str] = mapped_column(Id, ForeignKey("migration.id"), index=True)
    dag_id: Mapped[str] = mapped_column(String(250))
    wave: Mapped[str] = mapped_column(Name)
    seen_whole_at: Mapped[datetime]  # when the source was last seen paused: the window may have begun right after it
    noticed_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    action: Mapped[str] = mapped_column(Name)  # "paused-again" or "alarm"
    source_runs: Mapped[list[Any]]  # what the source ran in the window: run id, interval, state
    doubled: Mapped[list[Any]]  # those of them whose interval the target ran as well
