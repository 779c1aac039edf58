"""From which Airflow to which, and how: the rules of changes of version, read from rows.

A way back needs the snapshot that was taken when the deployment left that very version. Over a chain (2.11 -> 3.0 -> 3.3) the
way from 3.3 to 2.11 starts at the snapshot of 2.11: what came since, under 3.0 and under 3.3, is carried back from the present
database. When a version was left several times, the last time counts: its snapshot already holds what was before.
"""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.airflowkit.versions import AirflowVersion
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.errors import Conflict
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.snapshot import SnapshotRow

BEFORE_VERSION = "before-version"
Way = Literal["none", "forward", "back"]


def way_of(before: str, after: str) -> Way:
    """Tell the direction of a change of the Airflow version."""
    if before == after:
        return "none"
    return "back" if AirflowVersion.parse(after) < AirflowVersion.parse(before) else "forward"


def way_back(session: Session, deployment_id: str, airflow_version: str) -> SnapshotRow | None:
    """Give the snapshot that a way back to that Airflow starts from; None when there is none."""
    query = select(SnapshotRow).where(
        SnapshotRow.deployment_id == deployment_id,
        SnapshotRow.kind == BEFORE_VERSION,
        SnapshotRow.status == "kept",
        SnapshotRow.airflow_version == airflow_version,
    )
    return session.scalars(query.order_by(SnapshotRow.created_at.desc(), SnapshotRow.id.desc()).limit(1)).one_or_none()


def require_way(session: Session, deployment: DeploymentRow, airflow_version: str, cause: str) -> SnapshotRow | None:
    """Give the snapshot that the change needs, None when it needs none; Conflict when there is no such way."""
    if way_of(deployment.airflow_version, airflow_version) != "back" or deployment.current_deploy_id is None:
        return None
    if cause != "rollback":
        raise Conflict(
            f"The deployment runs Airflow {deployment.airflow_version}; this deploy wants the older {airflow_version}.",
            code="deploy-lowers-airflow",
            hint="Only a rollback goes back to an older Airflow: `aerodrome deploy rollback N`. "
            "Otherwise take the version out of the project file, or raise it.",
        )
    snapshot = way_back(session, deployment.id, airflow_version)
    if snapshot is None:
        raise Conflict(
            f"There is no snapshot of the metadata database from when the deployment left Airflow {airflow_version}.",
            code="way-back-without-snapshot",
            hint=f"Make a new deployment with Airflow {airflow_version} and deploy that project to it; "
            "`aerodrome migrate connect` moves the history.",
        )
    return snapshot


def folder_of(context: FleetContext, snapshot: SnapshotRow) -> Path:
    """Give the folder of a snapshot."""
    return context.home / snapshot.place


def forget_snapshots(context: FleetContext, before: datetime) -> int:
    """Remove the snapshots of changes of version made before that moment; give how many. Safe to repeat after a kill."""
    with context.store.writing() as session:
        query = select(SnapshotRow).where(
            SnapshotRow.kind == BEFORE_VERSION,
            SnapshotRow.status.in_(("kept", "deleted")),
            SnapshotRow.created_at < before,
        )
        rows = [row for row in session.scalars(query) if row.status == "kept" or folder_of(context, row).exists()]
        for row in rows:
            row.status = "deleted"
        folders = [folder_of(context, row) for row in rows]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    return len(folders)


def current_deploy(session: Session, deployment: DeploymentRow) -> DeployRow | None:
    """Give the deploy that is live."""
    return session.get(DeployRow, deployment.current_deploy_id) if deployment.current_deploy_id else None
