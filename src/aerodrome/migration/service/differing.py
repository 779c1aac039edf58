"""Compares what the source holds with what the target holds, for people who want to know before or after a transfer.

Asked for as a job, because it reads both sides; the answer is a file of the migration's folder. Writes nothing on either
side. Values of connections and variables are compared by keyed hash, and stand nowhere in the answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from aerodrome.kernel.clock import Clock, to_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.folder import MigrationFolder, read_json, write_json
from aerodrome.migration.service.syncing import kinds_without
from aerodrome.migration.transfer.difference import Difference, compare_history, totals_of
from aerodrome.migration.transfer.objects import ObjectKind, compare_objects

JOB = "migration.diff"
HOWS = ("missing", "same", "different", "extra")


def asked(folder: MigrationFolder, clock: Clock, dag_ids: Sequence[str]) -> dict[str, Any]:
    """Note that a comparison is wanted; give it as it is shown until it is there."""
    return _keep(folder, {"status": "running", "asked_at": to_text(clock.now()), "progress": "", "dags": list(dag_ids)})


def shown(folder: MigrationFolder) -> dict[str, Any] | None:
    """Give the newest comparison, or what became of it so far; None before the first."""
    found: dict[str, Any] | None = read_json(folder.diff_json)
    return found


def compare(context: StepContext, dag_ids: Sequence[str], objects: Mapping[str, Sequence[str]]) -> None:
    """Compare these DAGs' history, and the objects that the plan moves into the metadata database (kind -> keys)."""
    before = shown(context.folder) or {}

    def progress(what: str, done: int, total: int | None) -> None:
        _keep(context.folder, {**before, "progress": f"{what}: {done:,} of {total or 0:,}"})

    rows, found = [], []
    without = kinds_without(context.settings.get("history", {}).get("leave_out", ()))
    for dag_id, tables in compare_history(context.source, context.target, dag_ids, progress, without):
        found.append(tables)
        rows.append({"dag_id": dag_id, "tables": {kind: item.as_data() for kind, item in tables.items()}})
    kinds = {kind: _objects(context, kind, objects[kind]) for kind in get_args(ObjectKind) if kind in objects}
    totals = totals_of(found)
    _keep(
        context.folder,
        {
            "status": "done",
            "asked_at": before.get("asked_at"),
            "finished_at": to_text(context.clock.now()),
            "is_equal": all(item.is_equal for item in [*totals.values(), *kinds.values()]),
            "totals": {kind: item.as_data() for kind, item in totals.items()},
            "objects": {kind: item.as_data() for kind, item in kinds.items()},
            "dags": rows,
        },
    )


def failed(folder: MigrationFolder, clock: Clock, error: AerodromeError) -> None:
    before = shown(folder) or {}
    _keep(
        folder,
        {
            "status": "failed",
            "asked_at": before.get("asked_at"),
            "finished_at": to_text(clock.now()),
            "error": error.as_data(),
        },
    )


def _objects(context: StepContext, kind: ObjectKind, keys: Sequence[str]) -> Difference:
    found = Difference()
    for key, how in compare_objects(kind, context.source, context.target, keys):
        if how in HOWS:
            found.count(how, key)
        else:
            found.refused[how] += 1
    return found


def _keep(folder: MigrationFolder, data: dict[str, Any]) -> dict[str, Any]:
    write_json(folder.diff_json, data)
    return data
