"""Step `put-back`: after a failed change of version, the metadata database of the Airflow before is put in its place again."""

from __future__ import annotations

from aerodrome.fleet import steps, ways
from aerodrome.fleet.rollout.convert import CONVERT
from aerodrome.fleet.rollout.visit import Step, Visit, present_spec
from aerodrome.store.tables.snapshot import SnapshotRow

_GRACE_S = 10.0


def run(visit: Visit) -> float:
    visit.context.runtime.stop(visit.deployment.id, _GRACE_S)
    with visit.context.store.reading() as session:
        row = session.get(SnapshotRow, visit.deploy.snapshot_id) if visit.deploy.snapshot_id else None
        was_touched = steps.has_begun(session, visit.deploy.id, CONVERT.name)
    if row is None or row.status != "kept" or not was_touched:
        visit.say("The metadata database was not changed.")
        return 0
    visit.context.runtime.restore(present_spec(visit), ways.folder_of(visit.context, row), visit.say)
    visit.say(
        f"The metadata database is that of Airflow {row.airflow_version} again, as it was when Airflow had stopped."
    )
    return 0


PUT_BACK = Step("put-back", run, touches=True)
