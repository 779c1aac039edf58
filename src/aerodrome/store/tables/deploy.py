"""Deploys: immutable versions put on a deployment, and the journal of the steps that put them there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id

_IS_LIVE = text("status = 'live'")


class DeployRow(Base):
    """One version put on a deployment. At most one of a deployment is live."""

    __tablename__ = "deploy"
    __table_args__ = (
        UniqueConstraint("deployment_id", "number"),
        Index("uq_deploy_live", "deployment_id", unique=True, sqlite_where=_IS_LIVE, postgresql_where=_IS_LIVE),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id", ondelete="CASCADE"), index=True)
    number: Mapped[int] = mapped_column()
    status: Mapped[str] = mapped_column(String(20))  # see fleet/machine.py
    kind: Mapped[str] = mapped_column(
        String(10)
    )  # full | dags | packages | bundle: what differs from the deploy before
    cause: Mapped[str] = mapped_column(
        String(12), default="deploy", server_default="deploy"
    )  # deploy | rollback | upgrade
    bundle_digest: Mapped[str] = mapped_column(String(64))
    parts: Mapped[dict[str, Any]] = mapped_column()  # part of the bundle -> digest
    requirements: Mapped[list[Any]] = mapped_column()
    file_count: Mapped[int] = mapped_column()
    size_bytes: Mapped[int] = mapped_column()
    description: Mapped[str] = mapped_column(Text, default="")
    actor: Mapped[str] = mapped_column(String(200))
    origin: Mapped[str] = mapped_column(String(20))  # cli | api | page | ci | migration
    # The revision: with the bundles, all that this deploy wants of its deployment. None in rows older than schema 0002.
    airflow_version: Mapped[str | None] = mapped_column(String(20))
    python_version: Mapped[str | None] = mapped_column(String(20))
    extra_bundles: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}"
    )  # named DAG bundle -> bundle digest
    revision: Mapped[dict[str, Any] | None] = (
        mapped_column()
    )  # settings and versions of environment objects; no secret values
    project: Mapped[dict[str, Any] | None] = (
        mapped_column()
    )  # what the project file says, see builds.contract.ProjectSettings
    git: Mapped[dict[str, Any] | None] = mapped_column()  # remote, branch, commit, author, message, is_dirty
    rollback_of: Mapped[str | None] = mapped_column(Id)  # the deploy whose state this one brings back
    checks: Mapped[dict[str, Any] | None] = mapped_column()  # what the checks before the switch found
    check_policy: Mapped[str] = mapped_column(String(10), default="block", server_default="block")  # block | record
    is_forced: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # failing checks do not block
    rehearsal_id: Mapped[str | None] = mapped_column(Id)  # the rehearsal that showed this change of version to work
    snapshot_id: Mapped[str | None] = mapped_column(
        Id
    )  # of the metadata database, taken before the Airflow version changed
    conversion: Mapped[dict[str, Any] | None] = (
        mapped_column()
    )  # what the change of version did to the metadata database
    generation: Mapped[int | None] = mapped_column()  # of the deployment, given when the switch begins
    error: Mapped[dict[str, Any] | None] = mapped_column()
    version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()
    live_at: Mapped[datetime | None] = mapped_column()
    artefacts_removed_at: Mapped[datetime | None] = (
        mapped_column()
    )  # its files went by age; it cannot be rolled back to

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class DeployStepRow(Base):
    """One small idempotent step of a deploy."""

    __tablename__ = "deploy_step"

    deploy_id: Mapped[str] = mapped_column(ForeignKey("deploy.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    status: Mapped[str] = mapped_column(String(20))  # pending | running | done | failed | skipped
    attempts: Mapped[int] = mapped_column(default=0)
    log: Mapped[str] = mapped_column(Text, default="")
    started_at: Mapped[datetime | None] = mapped_column()
    finished_at: Mapped[datetime | None] = mapped_column()


class DeployUsageRow(Base):
    """What the checks of a deploy read: its DAGs and what they name. Apart from the deploy, because lists never need it."""

    __tablename__ = "deploy_usage"

    deploy_id: Mapped[str] = mapped_column(ForeignKey("deploy.id", ondelete="CASCADE"), primary_key=True)
    dags: Mapped[list[Any]] = mapped_column()  # dag_id, file
    usage: Mapped[list[Any]] = mapped_column()  # see parsing.contract.UsageEntry
