"""What a deploy consists of: project, named DAG bundles, versions. Written into its row when it is queued or was fetched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from sqlalchemy import select
from sqlalchemy.orm import Session

from aerodrome.airflowkit.versions import AirflowVersion, require_supported
from aerodrome.fleet.machine import UNFINISHED
from aerodrome.fleet.requests import NewDeploy
from aerodrome.fleet.spec import versions_of
from aerodrome.kernel.errors import Conflict
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow


def fill(row: DeployRow, deployment: DeploymentRow, before: DeployRow | None, wish: NewDeploy) -> None:
    """Write what the deploy consists of: project, named bundles, versions. Conflict when they do not fit together."""
    bundle = wish.bundle
    if bundle is not None:
        row.bundle_digest, row.parts = bundle.digest, dict(bundle.parts)
        row.requirements, row.file_count, row.size_bytes = (
            list(bundle.requirements),
            bundle.file_count,
            bundle.size_bytes,
        )
        row.project = asdict(bundle.settings)
        if not row.description:
            row.description = bundle.settings.description
    elif before is not None:
        row.bundle_digest, row.parts = before.bundle_digest, before.parts
        row.requirements, row.file_count, row.size_bytes = before.requirements, before.file_count, before.size_bytes
        row.project = before.project
    else:
        raise Conflict(
            f"The deployment {deployment.name!r} has no deploy yet that this one could change.",
            code="deploy-without-base",
            hint="Deploy the whole project first: `aerodrome deploy PATH`.",
        )
    extra = before.extra_bundles if before is not None and wish.extra_bundles is None else wish.extra_bundles or {}
    row.extra_bundles = dict(extra)
    project = row.project or {}
    takes_pins = wish.kind in {"full", "packages"} and wish.cause == "deploy"
    pinned_airflow, pinned_python = (project.get("airflow"), project.get("python")) if takes_pins else (None, None)
    base = before if before is not None and before.status in UNFINISHED else None  # it changes the deployment soon
    row.airflow_version = wish.airflow_version or pinned_airflow or versions_of(deployment, base)[0]
    row.python_version = wish.python_version or pinned_python or versions_of(deployment, base)[1]
    require_supported(row.airflow_version, row.python_version)
    row.kind = _kind(row, before)
    if row.extra_bundles and AirflowVersion.parse(row.airflow_version).major < 3:
        raise Conflict(
            f"Airflow {row.airflow_version} knows no named DAG bundles, and this deployment has "
            f"{', '.join(sorted(row.extra_bundles))}.",
            code="bundles-need-airflow-3",
            hint="Use Airflow 3, or put the DAGs into the project's dags/ folder.",
        )


def changes_version(row: DeployRow, deployment: DeploymentRow, before: DeployRow | None) -> bool:
    """Tell whether the deploy wants another Airflow or Python than is there or on its way."""
    base = before if before is not None and before.status in UNFINISHED else None
    return (row.airflow_version, row.python_version) != versions_of(deployment, base)


def newest(session: Session, deployment_id: str, below: int | None = None) -> DeployRow | None:
    """Give the newest deploy that has not failed and has its bundle: the one that the next builds on."""
    query = select(DeployRow).where(
        DeployRow.deployment_id == deployment_id, DeployRow.status != "failed", DeployRow.bundle_digest != ""
    )
    if below is not None:
        query = query.where(DeployRow.number < below)
    return session.scalars(query.order_by(DeployRow.number.desc()).limit(1)).one_or_none()


def _kind(row: DeployRow, before: DeployRow | None) -> str:
    """Tell what differs from the deploy before. Only `dags` and `bundle` without a new name leave Airflow running."""
    if before is None or row.airflow_version != (before.airflow_version or row.airflow_version):
        return "full"
    if row.python_version != (before.python_version or row.python_version):
        return "full"
    changed = _changed(before.parts, row.parts)
    if dict(before.extra_bundles) != dict(row.extra_bundles):
        return "bundle" if not changed else "full"
    if changed <= {"dags"}:
        return "dags"
    return "packages" if changed <= {"requirements", "settings"} else "full"


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    return {part for part in before.keys() | after.keys() if before.get(part) != after.get(part)}
