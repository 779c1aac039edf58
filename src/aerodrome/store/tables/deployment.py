"""Deployments: what is wanted (deployment) and what was seen (observation), in two tables.

Secret values never stand here. Environment variables are environment objects; the columns `env` and `secret_env` are those of
older databases, read once and emptied (fleet/legacy_env.py).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from aerodrome.store.tables.base import Base, Id


class DeploymentRow(Base):
    """One Airflow as it is wanted, and how far the platform has come with it."""

    __tablename__ = "deployment"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    workspace_id: Mapped[str] = mapped_column(ForeignKey("workspace.id"), index=True)
    cluster_id: Mapped[str] = mapped_column(ForeignKey("cluster.id"), index=True)
    name: Mapped[str] = mapped_column(String(63))
    description: Mapped[str] = mapped_column(Text, default="")

    # wanted; every change of these raises `generation`
    desired: Mapped[str] = mapped_column(String(20))  # running | hibernated | deleted
    airflow_version: Mapped[str] = mapped_column(String(20))
    python_version: Mapped[str] = mapped_column(String(20))
    executor: Mapped[str] = mapped_column(String(40))
    parallelism: Mapped[int] = mapped_column()
    env: Mapped[dict[str, Any]] = mapped_column(default=dict)  # plain values only
    secret_env: Mapped[list[Any]] = mapped_column(default=list)  # names whose values are in the secret store
    config: Mapped[dict[str, Any]] = mapped_column(default=dict)  # "section.option" -> value
    database_kind: Mapped[str] = mapped_column(
        String(20), default="sqlite", server_default="sqlite"
    )  # sqlite | postgresql | existing
    schedules: Mapped[list[Any]] = mapped_column(
        default=list, server_default="[]"
    )  # hibernate and wake times, see fleet/schedules.py
    backup_schedule: Mapped[dict[str, Any] | None] = mapped_column()  # cron, time zone, how many are kept
    hibernation: Mapped[dict[str, Any] | None] = (
        mapped_column()
    )  # override until a moment, last event; see fleet/schedules.py
    drain_s: Mapped[int] = mapped_column(default=60, server_default="60")  # running tasks get so long before it sleeps
    pools: Mapped[dict[str, Any]] = mapped_column(
        default=dict, server_default="{}"
    )  # pool -> slots, kept true in Airflow
    upkeep: Mapped[dict[str, Any] | None] = mapped_column()  # cleaning of old rows, see fleet/upkeep.py
    log_retention_days: Mapped[int] = mapped_column(default=90, server_default="90")  # task logs; 0 keeps them for ever
    generation: Mapped[int] = mapped_column()
    current_deploy_id: Mapped[str | None] = mapped_column(Id)  # the live deploy; no foreign key: tables point one way

    # reached
    status: Mapped[str] = mapped_column(String(20))  # see fleet/machine.py
    error: Mapped[dict[str, Any] | None] = mapped_column()  # why the last look could not make it so

    version: Mapped[int] = mapped_column()
    created_at: Mapped[datetime] = mapped_column()
    updated_at: Mapped[datetime] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class ObservationRow(Base):
    """What was last seen of a deployment; written by the reconciler alone."""

    __tablename__ = "observation"

    deployment_id: Mapped[str] = mapped_column(ForeignKey("deployment.id", ondelete="CASCADE"), primary_key=True)
    health: Mapped[str] = mapped_column(String(20))
    reasons: Mapped[list[Any]] = mapped_column(default=list)
    components: Mapped[list[Any]] = mapped_column(default=list)
    generation: Mapped[int | None] = mapped_column()
    airflow_version: Mapped[str | None] = mapped_column(String(20))
    base_url: Mapped[str | None] = mapped_column(String(300))
    observed_at: Mapped[datetime] = mapped_column()
