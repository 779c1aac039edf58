"""Comparisons of source and target, table by table: asked for and shown here, made by the job in `differing.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from aerodrome.access.actor import Actor
from aerodrome.kernel.errors import Conflict, NotFound
from aerodrome.migration.service import differing
from aerodrome.migration.service.folder import present
from aerodrome.migration.service.tracks import READ, UPDATE
from aerodrome.store import jobs

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations


class Differences:
    """What is missing, same, different and extra in the target. Writes on neither side."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def get(self, actor: Actor, ref: str) -> Mapping[str, Any]:
        """Give the newest comparison of source and target, or how far it is; NotFound before the first."""
        row = self._migrations.row_for(actor, ref, READ)
        found: Mapping[str, Any] = present(
            differing.shown(self._migrations.folder_of(row)), "comparison", f"aerodrome migrate history diff {row.name}"
        )
        return found

    def ask(self, actor: Actor, ref: str, dag_ids: Sequence[str] | None = None) -> Mapping[str, Any]:
        """Ask for a comparison of source and target: of all DAGs that the plan moves, or of some. Writes nothing there.

        NotFound for a DAG that the plan does not move; Conflict `target-unknown` while the plan's deployment does not stand.
        """
        row = self._migrations.row_for(actor, ref, UPDATE)
        moving, target = self._migrations.moving(row), self._migrations.frozen(row).settings["target"]
        if unknown := sorted(set(dag_ids or ()) - set(moving)):
            raise NotFound(
                f"The plan moves no DAG {unknown[0]}.", code="dag-unknown", hint=f"aerodrome migrate plan {row.name}"
            )
        try:
            deployment = self._migrations.fleet.get_deployment(actor, f"{target['workspace']}/{target['deployment']}")
        except NotFound as error:
            raise Conflict(
                f"The deployment {target['deployment']} of the plan does not stand yet.",
                code="target-unknown",
                hint=f"aerodrome migrate apply {row.name}",
            ) from error
        wanted = list(dag_ids or moving)
        found = differing.asked(self._migrations.folder_of(row), self._migrations.clock, wanted)
        with self._migrations.changing(actor, ref, UPDATE) as (session, fresh):
            payload = {
                "migration": fresh.id,
                "deployment": deployment.id,
                "dag_ids": wanted,
                "actor": actor.as_data(),
            }
            jobs.enqueue(session, differing.JOB, f"{fresh.id}/diff", lane=f"migration-diff/{fresh.id}", payload=payload)
            self._migrations.record(session, actor, "migration.diff-asked", fresh, {"dags": len(wanted)})
        self._migrations.ring()
        return found
