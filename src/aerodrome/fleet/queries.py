"""Reads rows into views, in bulk: the number of statements does not grow with the number of rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from aerodrome.environments.contract import Resolved
from aerodrome.environments.resolution import resolve_all
from aerodrome.fleet.views import ClusterView, ComponentView, DeploymentView, DeployView, RehearsalView, WorkspaceView
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.secret import MASK
from aerodrome.store.tables.cluster import ClusterRow
from aerodrome.store.tables.deploy import DeployRow, DeployStepRow
from aerodrome.store.tables.deployment import DeploymentRow, ObservationRow
from aerodrome.store.tables.rehearsal import RehearsalRow
from aerodrome.store.tables.workspace import WorkspaceRow


def gate_path(deployment_id: str) -> str:
    """Give the path on the gate behind which a deployment's own UI stands."""
    return f"/{deployment_id}/"


def workspaces(session: Session, rows: Sequence[WorkspaceRow]) -> list[WorkspaceView]:
    query = (
        select(DeploymentRow.workspace_id, func.count())
        .where(DeploymentRow.workspace_id.in_([row.id for row in rows]))
        .group_by(DeploymentRow.workspace_id)
    )
    counts = {row[0]: row[1] for row in session.execute(query)}
    return [WorkspaceView(row.id, row.name, row.description, row.created_at, counts.get(row.id, 0)) for row in rows]


def clusters(session: Session) -> list[ClusterView]:
    rows = session.scalars(select(ClusterRow).order_by(ClusterRow.name))
    return [ClusterView(row.id, row.name, row.kind, row.created_at) for row in rows]


def deployments(session: Session, rows: Sequence[DeploymentRow]) -> list[DeploymentView]:
    """Give a view per row, in the order of the rows."""
    workspace_names = _names(session, WorkspaceRow, {row.workspace_id for row in rows})
    cluster_names = _names(session, ClusterRow, {row.cluster_id for row in rows})
    seen = {
        row.deployment_id: row
        for row in session.scalars(
            select(ObservationRow).where(ObservationRow.deployment_id.in_([row.id for row in rows]))
        )
    }
    resolved = resolve_all(session, rows, kind="env")
    return [
        _deployment(
            row,
            seen.get(row.id),
            workspace_names[row.workspace_id],
            cluster_names[row.cluster_id],
            _env(resolved[row.id]),
        )
        for row in rows
    ]


def deploys(session: Session, rows: Sequence[DeployRow]) -> list[DeployView]:
    """Give a view per row with its steps, in the order of the rows."""
    steps: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    query = (
        select(DeployStepRow)
        .where(DeployStepRow.deploy_id.in_([row.id for row in rows]))
        .order_by(DeployStepRow.deploy_id, DeployStepRow.seq)
    )
    for step in session.scalars(query):
        steps[step.deploy_id].append(
            {
                "name": step.name,
                "status": step.status,
                "started_at": to_text(step.started_at),
                "finished_at": to_text(step.finished_at),
                "log": step.log,
            }
        )
    return [_deploy(row, steps[row.id]) for row in rows]


def rehearsal(row: RehearsalRow) -> RehearsalView:
    """Give the view of a rehearsal."""
    return RehearsalView(
        id=row.id,
        deployment_id=row.deployment_id,
        kind=cast("Any", row.kind),
        status=cast("Any", row.status),
        from_version=row.from_version,
        to_version=row.to_version,
        python_version=row.python_version,
        rollback_of=row.rollback_of,
        log=row.log,
        report=row.report,
        error=row.error,
        actor=row.actor,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _names(session: Session, table: type[WorkspaceRow | ClusterRow], ids: Iterable[str]) -> dict[str, str]:
    query = select(table.id, table.name).where(table.id.in_(list(ids)))
    return {row[0]: row[1] for row in session.execute(query)}


def _env(resolved: Resolved) -> dict[str, Any]:
    return {item.name: MASK if item.secrets else item.fields["value"] for item in resolved.items}


def _deployment(
    row: DeploymentRow, seen: ObservationRow | None, workspace_name: str, cluster_name: str, env: Mapping[str, Any]
) -> DeploymentView:
    reasons = tuple(str(reason) for reason in (seen.reasons if seen else ()))
    if row.error:
        reasons = (f"{row.error['message']} {row.error['hint']}".strip(), *reasons)
    is_up = row.desired == "running" and seen is not None and seen.base_url is not None
    return DeploymentView(
        id=row.id,
        name=row.name,
        workspace_id=row.workspace_id,
        workspace_name=workspace_name,
        cluster_name=cluster_name,
        airflow_version=row.airflow_version,
        python_version=row.python_version,
        executor=row.executor,
        parallelism=row.parallelism,
        env=env,
        config=dict(sorted(row.config.items())),
        desired=cast("Any", row.desired),
        status=row.status,
        reasons=reasons,
        components=tuple(_component(item) for item in (seen.components if seen else ())),
        generation=row.generation,
        observed_generation=seen.generation if seen else None,
        current_deploy_id=row.current_deploy_id,
        airflow_url=gate_path(row.id) if is_up else None,
        created_at=row.created_at,
        updated_at=row.updated_at,
        observed_at=seen.observed_at if seen else None,
        description=row.description,
        database=row.database_kind,
        drain_s=row.drain_s,
        log_retention_days=row.log_retention_days,
        pools=dict(sorted(row.pools.items())),
        upkeep=dict(row.upkeep or {}),
        error=row.error,
    )


def _component(item: Mapping[str, Any]) -> ComponentView:
    return ComponentView(
        name=item["name"],
        state=item["state"],
        pid=item["pid"],
        started_at=from_text(item["started_at"]),
        restarts=item["restarts"],
        reason=item["reason"],
    )


def _deploy(row: DeployRow, steps: Sequence[Mapping[str, Any]]) -> DeployView:
    return DeployView(
        id=row.id,
        deployment_id=row.deployment_id,
        number=row.number,
        status=cast("Any", row.status),
        bundle_digest=row.bundle_digest,
        kind=cast("Any", row.kind),
        description=row.description,
        actor=row.actor,
        origin=row.origin,
        file_count=row.file_count,
        size_bytes=row.size_bytes,
        error=row.error,
        steps=tuple(steps),
        created_at=row.created_at,
        live_at=row.live_at,
        cause=cast("Any", row.cause),
        airflow_version=row.airflow_version,
        python_version=row.python_version,
        parts=row.parts,
        requirements=tuple(row.requirements),
        extra_bundles=row.extra_bundles,
        project=row.project,
        revision=row.revision,
        git=row.git,
        checks=row.checks,
        is_forced=row.is_forced,
        rollback_of=row.rollback_of,
        rehearsal_id=row.rehearsal_id,
        snapshot_id=row.snapshot_id,
        conversion=row.conversion,
        artefacts_removed_at=row.artefacts_removed_at,
    )
