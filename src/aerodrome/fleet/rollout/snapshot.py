"""Step `snapshot`: the metadata database as the present Airflow leaves it, kept for the way back."""

from __future__ import annotations

from aerodrome.fleet import ways
from aerodrome.fleet.rollout.visit import Step, Visit, present_spec
from aerodrome.kernel.errors import Unavailable
from aerodrome.kernel.ids import new_id
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.snapshot import SnapshotRow


def run(visit: Visit) -> float:
    row = _intend(visit)
    if row.status == "kept":
        return 0
    folder = ways.folder_of(visit.context, row)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        taken = visit.context.runtime.snapshot(present_spec(visit), folder, visit.say)
    except Unavailable as error:
        if error.code != "airflow-not-started":
            raise
        visit.say("There is no metadata database yet, so there is nothing to keep.")
        _forget(visit, row.id)
        return 0
    with visit.context.store.writing() as session:
        kept = session.get_one(SnapshotRow, row.id)
        kept.status, kept.finished_at = "kept", visit.context.clock.now()
        kept.airflow_version, kept.dialect = taken.airflow_version, taken.dialect
        kept.size_bytes, kept.digest, kept.row_counts = taken.size_bytes, taken.digest, dict(taken.row_counts)
    visit.say(f"Kept {sum(taken.row_counts.values()):,} rows of {len(taken.row_counts)} tables.")
    return 0


def _intend(visit: Visit) -> SnapshotRow:
    with visit.context.store.writing() as session:
        deploy = session.get_one(DeployRow, visit.deploy.id)
        known = session.get(SnapshotRow, deploy.snapshot_id) if deploy.snapshot_id else None
        if known is not None:
            return known
        snapshot_id = new_id("snp")
        row = SnapshotRow(
            id=snapshot_id,
            deployment_id=visit.deployment.id,
            kind=ways.BEFORE_VERSION,
            status="taking",
            airflow_version=visit.deployment.airflow_version,
            dialect=visit.deployment.database_kind,
            place=f"snapshots/{visit.deployment.id}/{snapshot_id}",
            deploy_id=deploy.id,
            description=f"Before deploy {deploy.number} changed Airflow "
            f"{visit.deployment.airflow_version} to {deploy.airflow_version}.",
            actor=deploy.actor,
            created_at=visit.context.clock.now(),
        )
        session.add(row)
        deploy.snapshot_id = snapshot_id
        return row


def _forget(visit: Visit, snapshot_id: str) -> None:
    with visit.context.store.writing() as session:
        session.get_one(DeployRow, visit.deploy.id).snapshot_id = None
        session.delete(session.get_one(SnapshotRow, snapshot_id))


SNAPSHOT = Step("snapshot", run, touches=True)
