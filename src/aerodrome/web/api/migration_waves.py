"""Waves of a migration: how far each is, cut over, halt, and give back to the source. Long work answers at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from aerodrome.web.api.edge import NAMED, Body, Caller, The, View, problems
from aerodrome.web.api.migrations import DryRunStep, Migration

router = APIRouter(tags=["migrations"])


class Wave(View):
    """How far a wave is."""

    name: str
    criticality: str
    dags: int
    canary: int
    error_budget: int
    status: Annotated[str, Field(description="`waiting`, `running`, `halted`, `stopped`, `failed` or `done`.")]
    live: int
    watched: int
    held: Annotated[int, Field(description="DAGs that stand between the sides now.")]
    failed: int
    halted_by: str
    halted_reason: str
    owners: Annotated[list[str], Field(description="Of its DAGs in the source, who has most of them first.")]
    window: Annotated[str, Field(description="When a promotion may cut it over, each day in UTC; empty: at any time.")]
    quiet: Annotated[str, Field(description="When no run of its DAGs is due, in UTC and on the DAGs' own clock.")]


class MovedDag(View):
    """How far a DAG is."""

    dag_id: str
    state: str
    act: str
    progress: str
    paused_at: datetime | None
    busy_until: datetime | None
    live_at: datetime | None
    gap_s: Annotated[float | None, Field(description="Seconds in which neither side would have scheduled it.")]
    first_run: str
    error: Mapping[str, Any] | None


class SplitBrain(View):
    """A time in which a DAG was active on both sides: it began after `seen_whole_at`, and was noticed at `noticed_at`."""

    id: str
    dag_id: str
    wave: str
    seen_whole_at: datetime
    noticed_at: datetime
    ended_at: datetime | None
    action: Annotated[str, Field(description="`paused-again` or `alarm`, as the plan's policy `fence` says.")]
    source_runs: list[Mapping[str, Any]]
    doubled: Annotated[list[Mapping[str, Any]], Field(description="Those of them that the target ran as well.")]


class HaltWish(Body):
    """Why a wave is to let no more DAGs in."""

    reason: Annotated[str, Field(max_length=500)] = ""


class CutoverWish(Body):
    """Which wave to hand over."""

    wave: Annotated[str, Field(min_length=1, examples=["wave-1"])]


class RollbackWish(Body):
    """Which wave goes back to the source, or which DAGs of it."""

    wave: Annotated[str, Field(min_length=1, examples=["wave-1"])]
    dag_ids: Annotated[list[str] | None, Field(min_length=1, description="Only these DAGs; without: all of them.")] = (
        None
    )


@router.post("/migrations/{ref}/cutover", status_code=202, responses=NAMED | problems(409))
def cut_over_migration(the: The, actor: Caller, ref: str, body: CutoverWish) -> Migration:
    """Hand the DAGs of a wave over, or go on where it stopped."""
    return Migration.model_validate(the.migrations.waves.cut_over(actor, ref, body.wave))


@router.get("/migrations/{ref}/waves", responses=NAMED | problems(409))
def list_migration_waves(the: The, actor: Caller, ref: str) -> list[Wave]:
    """Give how far each wave is, in the order of the plan."""
    return [Wave.model_validate(wave) for wave in the.migrations.waves.list(actor, ref)]


@router.get("/migrations/{ref}/waves/{wave}", responses=NAMED | problems(409))
def get_migration_wave(the: The, actor: Caller, ref: str, wave: str) -> list[MovedDag]:
    """Give how far each DAG of a wave is: when it was paused, when it was live, how long it stood between the sides."""
    return [MovedDag.model_validate(dag) for dag in the.migrations.waves.timeline(actor, ref, wave)]


@router.post("/migrations/{ref}/waves/{wave}/halt", status_code=202, responses=NAMED | problems(409))
def halt_migration_wave(the: The, actor: Caller, ref: str, wave: str, body: HaltWish) -> Migration:
    """Let no more DAGs of a wave in; those that are held are still started. Cutting the wave over again goes on."""
    return Migration.model_validate(the.migrations.waves.halt(actor, ref, wave, body.reason))


@router.get("/migrations/{ref}/split-brains", responses=NAMED)
def list_migration_split_brains(the: The, actor: Caller, ref: str) -> list[SplitBrain]:
    """Give the times in which a DAG was active on both sides, as the fence saw them, the newest first."""
    return [SplitBrain.model_validate(item) for item in the.migrations.waves.split_brains(actor, ref)]


@router.post("/migrations/{ref}/rollback", status_code=202, responses=NAMED | problems(409))
def roll_back_migration(the: The, actor: Caller, ref: str, body: RollbackWish) -> Migration:
    """Give the DAGs of a wave back to the source, what the target ran meanwhile counts as done there."""
    return Migration.model_validate(the.migrations.waves.roll_back(actor, ref, body.wave, body.dag_ids))


@router.get("/migrations/{ref}/rollback", responses=NAMED | problems(409))
def dry_run_rollback(
    the: The,
    actor: Caller,
    ref: str,
    wave: str,
    dag_id: Annotated[list[str] | None, Query(description="Only this DAG; may stand several times.")] = None,
) -> list[DryRunStep]:
    """Give the very steps that a rollback would run now."""
    return [DryRunStep.model_validate(row) for row in the.migrations.waves.roll_back_steps(actor, ref, wave, dag_id)]
