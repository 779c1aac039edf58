"""Steps that every act has: stop with a drain window, a snapshot of the present state, start and wait for health."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from aerodrome.fleet.acts.contract import NotYet, Scene
from aerodrome.fleet.spec import runtime_spec
from aerodrome.kernel.errors import Broken, Unavailable
from aerodrome.kernel.ids import new_id
from aerodrome.runtimes.contract import RuntimeSpec
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.snapshot import SnapshotRow

GRACE_S = 20
CONFIRM_S = 300.0
KEPT = timedelta(days=30)  # a snapshot that an act takes before it changes something
_DOWN = ("stopped", "missing")


def spec_of(scene: Scene) -> RuntimeSpec:
    """Give the deployment's spec as its rows are now."""
    row = scene.deployment
    with scene.context.store.reading() as session:
        deploy = session.get(DeployRow, row.current_deploy_id) if row.current_deploy_id else None
    return runtime_spec(scene.context, row, deploy, scene.say)


def stop(scene: Scene) -> Mapping[str, Any]:
    """Stop Airflow: nothing new is started, running tasks may finish within the drain window."""
    runtime, drain_s = scene.context.runtime, float(scene.deployment.drain_s)
    seen = runtime.observe(scene.deployment.id)
    if seen.health not in _DOWN:
        if scene.waited_s > drain_s + GRACE_S + 60:
            raise Unavailable(
                "Airflow does not stop.", code="airflow-not-stopping", hint="See the log of the component `supervisor`."
            )
        runtime.apply(replace(spec_of(scene), is_running=False, drain_s=drain_s))
        raise NotYet
    return {"cut_off": list(_cut_off(scene)) if seen.health == "stopped" else []}


def halt(scene: Scene) -> None:
    """Stop Airflow without a drain window, on the way back; only when the way forward had touched it."""
    if "stop" not in scene.begun or scene.context.runtime.observe(scene.deployment.id).health in _DOWN:
        return
    scene.context.runtime.stop(scene.deployment.id, GRACE_S)
    raise NotYet


def start(scene: Scene) -> Mapping[str, Any] | None:
    """Start Airflow and wait until it is healthy; a sleeping deployment stays asleep."""
    row, runtime = scene.deployment, scene.context.runtime
    if row.desired != "running":
        scene.say("The deployment sleeps; it starts when it wakes.")
        return None
    seen = runtime.observe(row.id)
    if seen.generation == row.generation and seen.health in ("healthy", "starting"):
        if seen.health == "healthy":
            return None
    else:
        runtime.apply(spec_of(scene))
    failed = [part for part in seen.components if part.state == "failed"]
    if failed or scene.waited_s > CONFIRM_S:
        raise Broken(
            f"Airflow did not become healthy afterwards. {' '.join(seen.reasons)}".strip(),
            code="act-unhealthy",
            hint="`aerodrome deployment logs` shows what Airflow says.",
        )
    raise NotYet


def keep(scene: Scene, kind: str) -> Mapping[str, Any]:
    """Take a snapshot of the metadata database as it is; kept 30 days. Nothing when there is no database yet."""
    row = _snapshot_row(scene, kind)
    folder = scene.context.home / row.place
    if scene.context.runtime.observe(scene.deployment.id).health == "missing":
        _forget(scene, row.id)
        return {"snapshot": None}
    taken = scene.context.runtime.snapshot(spec_of(scene), folder, scene.say)
    now = scene.context.clock.now()
    with scene.context.store.writing() as session:
        kept = session.get_one(SnapshotRow, row.id)
        kept.status = "kept"
        kept.airflow_version, kept.dialect = taken.airflow_version, taken.dialect
        kept.size_bytes, kept.digest = taken.size_bytes, taken.digest
        kept.row_counts = dict(taken.row_counts)
        kept.finished_at = now
        kept.expires_at = now + KEPT
    return {"snapshot": row.id, "size_bytes": taken.size_bytes}


def folder_of(scene: Scene, snapshot_id: str) -> Path:
    with scene.context.store.reading() as session:
        return scene.context.home / session.get_one(SnapshotRow, snapshot_id).place


def _snapshot_row(scene: Scene, kind: str) -> SnapshotRow:
    """Give the row of this act's snapshot: the one that an earlier attempt wrote, or a new one."""
    with scene.context.store.writing() as session:
        query = session.query(SnapshotRow).filter(SnapshotRow.deploy_id == scene.act.id, SnapshotRow.kind == kind)
        if (known := query.one_or_none()) is not None:
            return known
        snapshot_id = new_id("snp")
        row = SnapshotRow(
            id=snapshot_id,
            deployment_id=scene.deployment.id,
            kind=kind,
            status="taking",
            airflow_version=scene.deployment.airflow_version,
            dialect="sqlite" if scene.deployment.database_kind == "sqlite" else "postgresql",
            place=f"snapshots/{scene.deployment.id}/{snapshot_id}",
            deploy_id=scene.act.id,
            description=scene.act.title,
            actor=scene.act.actor,
            created_at=scene.context.clock.now(),
        )
        session.add(row)
        session.flush()
        return row


def _forget(scene: Scene, snapshot_id: str) -> None:
    with scene.context.store.writing() as session:
        session.delete(session.get_one(SnapshotRow, snapshot_id))


def _cut_off(scene: Scene) -> tuple[str, ...]:
    try:
        return scene.context.runtime.running_tasks(spec_of(scene))
    except Unavailable:
        return ()
