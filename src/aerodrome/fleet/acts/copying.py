"""The acts "clone" and "bring-back": a backup becomes the database of a deployment that never ran.

A clone is a new deployment beside the one that the backup is of, so all its DAGs are paused before its Airflow starts. What is
brought back is the deployment itself, on a platform that was restored elsewhere: it goes on where the backup ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from aerodrome.fleet import wishes
from aerodrome.fleet.acts import restoring, stages
from aerodrome.fleet.acts.contract import ActKind, Scene, Step
from aerodrome.fleet.database_urls import CURRENT, DatabaseUrls, new_password
from aerodrome.store.tables.deployment import DeploymentRow


def quiet(scene: Scene) -> Mapping[str, Any]:
    """Pause every DAG and end every unfinished run, before the first start."""
    return asdict(scene.context.runtime.databases.quiet(stages.spec_of(scene)))


def empty(scene: Scene) -> None:
    """Leave an empty database and a deployment that sleeps: nothing of a copy that is not finished may run."""
    runtime, deployment_id = scene.context.runtime, scene.deployment.id
    runtime.delete(deployment_id)
    if scene.deployment.database_kind == "postgresql":
        runtime.databases.drop(deployment_id)
        url = runtime.databases.create(deployment_id, new_password())
        DatabaseUrls(scene.context.secrets, deployment_id).put(CURRENT, url)
    with wishes.writing(scene.context) as session:
        row = session.get_one(DeploymentRow, deployment_id, with_for_update=True)
        if row.desired == "running":
            row.desired = "hibernated"
            row.generation += 1
            row.updated_at = scene.context.clock.now()
            wishes.move(session, row, "hibernate", actor="system")


_CHECK = Step("check", "Look at the backup", restoring.check)
_RESTORE = Step("restore", "Make it the deployment's database", restoring.restore)
_BACK = (Step("empty", "Empty the database again, and let it sleep", empty),)

CLONE = ActKind(
    forward=(_CHECK, _RESTORE, Step("quiet", "Pause all DAGs, end unfinished runs", quiet)),
    back=_BACK,
    done_event="cloned",
)
BRING_BACK = ActKind(forward=(_CHECK, _RESTORE), back=_BACK, done_event="brought_back")
