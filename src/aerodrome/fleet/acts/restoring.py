"""The act "restore": puts a backup in the place of a deployment's metadata database; the present state is kept first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerodrome.fleet.acts import stages
from aerodrome.fleet.acts.contract import ActKind, Scene, Step
from aerodrome.kernel.errors import Conflict
from aerodrome.store.tables.snapshot import SnapshotRow


def check(scene: Scene) -> None:
    """Look once more whether the backup is there and of the Airflow version that runs."""
    with scene.context.store.reading() as session:
        row = session.get(SnapshotRow, scene.act.params["snapshot"])
    if row is None or row.status != "kept":
        raise Conflict("The backup is gone.", code="backup-gone", hint="`aerodrome backup list` shows what there is.")
    require_same_version(row, scene.deployment.airflow_version)


def require_same_version(row: SnapshotRow, airflow_version: str) -> None:
    if row.airflow_version != airflow_version:
        raise Conflict(
            f"The backup is of Airflow {row.airflow_version}, and {airflow_version} runs now.",
            code="backup-other-version",
            hint="Go back to a deploy of that version: `aerodrome deploy rollback`.",
        )


def restore(scene: Scene) -> None:
    """Put the backup in the place of the database, whole or not at all."""
    folder = stages.folder_of(scene, scene.act.params["snapshot"])
    scene.context.runtime.restore(stages.spec_of(scene), folder, scene.say)


def put_back(scene: Scene) -> None:
    """Put the state from before the restore back."""
    kept = scene.results.get("forward.snapshot", {}).get("snapshot")
    if "restore" in scene.begun and kept is not None:
        scene.context.runtime.restore(stages.spec_of(scene), stages.folder_of(scene, str(kept)), scene.say)


def _keep(scene: Scene) -> Mapping[str, Any]:
    return stages.keep(scene, "before-restore")


RESTORE = ActKind(
    forward=(
        Step("check", "Look at the backup", check),
        Step("stop", "Stop Airflow, running tasks finish first", stages.stop),
        Step("snapshot", "Keep the present state as a snapshot", _keep),
        Step("restore", "Put the backup in its place", restore),
        Step("start", "Start Airflow and wait until it is healthy", stages.start),
    ),
    back=(
        Step("halt", "Stop what was started", stages.halt),
        Step("put-back", "Put the present state back", put_back),
    ),
    done_event="restored",
)
