"""The bridge of a migration as the service uses it: opened from a walk's context, looked at by a job, shown to people.

Events of assets are carried by `migration.bridge`. What an ExternalTaskSensor waits for is a row of a run: rows of DAGs that others
wait for across the sides are carried with the tools of history (to the target) and of the way back (to the source).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import from_text, to_text
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.bridge import AssetLedger, Assets, Bridge, MemoryFile
from aerodrome.migration.cutover.hosted import HostedTarget
from aerodrome.migration.estate.dependencies import edges
from aerodrome.migration.estate.history import FINAL_RUN_STATES
from aerodrome.migration.service.context import StepContext
from aerodrome.migration.service.folder import MigrationFolder, read_json, write_json
from aerodrome.migration.service.syncing import OVERLAP, kinds_without
from aerodrome.migration.sources.airflow_db.states import event_position
from aerodrome.migration.sources.contract import SourceConfig
from aerodrome.migration.transfer import history
from aerodrome.migration.transfer.ownership import is_import

JOB = "migration.bridge"
EVERY = timedelta(seconds=5)
AGAIN_AFTER = timedelta(seconds=30)  # after a look that failed


@dataclass(frozen=True)
class Chains:
    """What ties DAGs of an estate together across the sides: assets, and sensors as (awaited, waiting)."""

    assets: Assets
    sensors: tuple[tuple[str, str], ...]

    @property
    def is_empty(self) -> bool:
        return not (self.assets.waits or self.sensors)


def chains_of(context: StepContext) -> Chains:
    """Read the chains of the estate; kept in the migration's folder, because a look every few seconds must not read it all."""
    place = context.folder.root / "chains.json"
    kept = read_json(place)
    if kept is None or kept["estate"] != context.estate_digest:
        dags = list(context.dags.values())
        assets = Assets.of(dags)
        sensors = sorted({(edge.leader, edge.follower) for edge in edges(dags) if edge.kind == "sensor"})
        kept = {
            "estate": context.estate_digest,
            "waits": {dag_id: sorted(uris) for dag_id, uris in assets.waits.items()},
            "makes": {dag_id: sorted(uris) for dag_id, uris in assets.makes.items()},
            "sensors": sensors,
        }
        write_json(place, kept)
    waits, makes = ({dag_id: frozenset(uris) for dag_id, uris in kept[name].items()} for name in ("waits", "makes"))
    return Chains(Assets(waits, makes), tuple((leader, follower) for leader, follower in kept["sensors"]))


def memory_of(folder: MigrationFolder) -> MemoryFile:
    return MemoryFile(folder.root / "bridge.json")


@contextmanager
def opened(context: StepContext) -> Iterator[Bridge | None]:
    """Give the bridge of a migration; None where nothing waits for assets, or the source's database is not at hand."""
    config = context.source_config
    chains = chains_of(context)
    if not isinstance(config, SourceConfig) or not chains.assets.waits:
        yield None
        return
    source, target = MetadataDatabase(config.database_url), MetadataDatabase(context.access.database_url)
    mark = f"aerodrome:{context.migration_id}"

    def held(dag_ids: Collection[str]) -> set[str]:
        states = context.source.dag_states(list(dag_ids)) if dag_ids else {}
        return {dag_id for dag_id, state in states.items() if state.is_paused and state.mark == mark}

    def floor(dag_id: str) -> int:
        position = event_position(source, dag_id)
        return AssetLedger(source).newest if position is None else position  # paused before we came: nothing was missed

    try:
        yield Bridge(
            context.migration_id,
            AssetLedger(source),
            AssetLedger(target),
            chains.assets,
            memory_of(context.folder),
            context.clock,
            held,
            floor,
        )
    finally:
        source.close()
        target.close()


def look(context: StepContext, moved: Collection[str]) -> bool:
    """Carry what is new once; tell whether there is anything to carry from now on. `moved`: the DAGs that live in the target."""
    chains = chains_of(context)
    crossing = [pair for pair in chains.sensors if (pair[0] in moved) != (pair[1] in moved)]
    is_needed = bool(crossing)
    with opened(context) as bridge:
        if bridge is not None:
            bridge.tick()
            is_needed = is_needed or bool(bridge.crossings())
    if isinstance(context.source_config, SourceConfig):
        _states_to_target(context, sorted({leader for leader, follower in crossing if follower in moved}))
        _states_to_source(context, sorted({leader for leader, follower in crossing if leader in moved}))
    with memory_of(context.folder).changing() as (memory, save):
        if memory.problem is not None:
            memory.problem = None
            save()
    return is_needed


def note_problem(folder: MigrationFolder, error: AerodromeError) -> None:
    """Remember why a look failed, until one succeeds."""
    with memory_of(folder).changing() as (memory, save):
        memory.problem = f"{error.message} {error.hint}".strip()
        save()


def _states_to_target(context: StepContext, leaders: list[str]) -> None:
    """Move the newly finished runs of DAGs of the source that DAGs of the target wait for."""
    known = memory_of(context.folder).read().states
    for dag_id in leaders:
        newest = to_text(context.source.history_watermark([dag_id]))
        before = from_text(known.get(dag_id))
        if newest is not None and newest != known.get(dag_id):
            left_out = context.settings.get("history", {}).get("leave_out", ())
            history.move_history(
                context.source,
                context.target,
                [dag_id],
                since=before - OVERLAP if before else None,
                without=kinds_without(left_out),
            )
            _remember(context, dag_id, newest)


def _states_to_source(context: StepContext, leaders: list[str]) -> None:
    """Write the newly finished runs of DAGs of the target into the source, where DAGs wait for them."""
    if not leaders:
        return
    known = memory_of(context.folder).read().states
    run = context.target.table("dag_run")
    finished = run.c.state.in_(FINAL_RUN_STATES) & ~is_import(context.target, run)
    query = select(run.c.dag_id, func.count(), func.max(run.c.id)).where(run.c.dag_id.in_(leaders), finished)
    with context.target.reading() as connection:
        found = {row[0]: f"{row[1]}/{row[2]}" for row in connection.execute(query.group_by(run.c.dag_id))}
    for dag_id, position in found.items():
        if position != known.get(dag_id):
            carried = HostedTarget(context.target, context.rest).carried(dag_id)
            done = [item for item in carried.runs if item["state"] in FINAL_RUN_STATES]
            ids = {item["run_id"] for item in done}
            tasks = [item for item in carried.tasks if item["run_id"] in ids]
            context.source.carry_runs(
                replace(carried, runs=done, tasks=tasks, next_interval=None, next_run_after=None),
                f"aerodrome:{context.migration_id}",
            )
            _remember(context, dag_id, position)


def _remember(context: StepContext, dag_id: str, position: str) -> None:
    with memory_of(context.folder).changing() as (memory, save):
        memory.states[dag_id] = position
        save()


def shown(folder: MigrationFolder, source_kind: str, moved: Collection[str]) -> dict[str, Any]:
    """Give what people are told: which chains cross the sides now, and what was carried. Reads two small files."""
    kept = read_json(folder.root / "chains.json") or {"waits": {}, "makes": {}, "sensors": []}
    memory = memory_of(folder).read()
    here = set(moved)
    crossings = [
        {"kind": "asset", "what": uri, "from": producer, "to": consumer, "direction": _way(consumer in here)}
        for consumer, uris in kept["waits"].items()
        for producer, made in kept["makes"].items()
        for uri in sorted(set(uris) & set(made))
        if (producer in here) != (consumer in here)
    ]
    crossings += [
        {"kind": "sensor", "what": "runs", "from": leader, "to": follower, "direction": _way(follower in here)}
        for leader, follower in kept["sensors"]
        if (leader in here) != (follower in here)
    ]
    carried: list[Mapping[str, Any]] = [
        {"direction": key.partition(" ")[0], "what": key.partition(" ")[2], "events": count, "is_known": is_known}
        for counts, is_known in ((memory.carried, True), (memory.unknown, False))
        for key, count in sorted(counts.items())
    ]
    return {
        "is_possible": source_kind == "airflow-db",
        "crossings": crossings,
        "carried": carried,
        "owed": {dag_id: list(uris) for dag_id, uris in sorted(memory.owed.items())},
        "runs": sorted(memory.states),
        "last_at": memory.last_at,
        "problem": memory.problem,
    }


def _way(is_to_target: bool) -> str:
    return "to-target" if is_to_target else "to-source"
