"""Proofs of migrations: comparisons, checklists, decommissions. Their steps stand in the journal, under the proof's id."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id, Name


class ProofRow(Base):
    """One act that proves something about a migration, and what it found."""

    __tablename__ = "migration_proof"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    migration_id: Mapped[str] = mapped_column(Id, ForeignKey("migration.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))  # compare | checklist | decommission
    status: Mapped[str] = mapped_column(String(12))  # queued | running | done | failed
    params: Mapped[dict[str, Any]]  # what was asked for; no secrets
    result: Mapped[dict[str, Any]] = mapped_column(default=dict)  # figures and findings, as JSON
    error: Mapped[dict[str, Any] | None]
    actor: Mapped[dict[str, Any]]  # in whose name it acts
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class ParityRow(Base):
    """The newest parity report of one DAG in short; the whole stands in a file of the migration's folder."""

    __tablename__ = "migration_parity"

    migration_id: Mapped[str] = mapped_column(Id, ForeignKey("migration.id", ondelete="CASCADE"), primary_key=True)
    dag_id: Mapped[str] = mapped_column(String(250), primary_key=True)
    proof_id: Mapped[str] = mapped_column(Id)
    verdict: Mapped[str] = mapped_column(String(20), index=True)  # match | explained | mismatch | not-compared
    summary: Mapped[str] = mapped_column(Text)
    counts: Mapped[dict[str, Any]]  # aspects compared, differences, explained
    deployment: Mapped[str] = mapped_column(Name)  # where the shadow ran
    digest: Mapped[str] = mapped_column(String(64))  # of the report's file
    made_at: Mapped[datetime]
