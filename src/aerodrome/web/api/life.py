"""/deployments/{ref}/life, …/schedules, …/clean: when a deployment sleeps and wakes, and cleaning of old rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from aerodrome.fleet.schedules import NewSchedule
from aerodrome.web.api.edge import NAMED, Body, Caller, The, View, problems

router = APIRouter(tags=["life"])
Cron = Annotated[str | None, Field(max_length=100, examples=["0 19 * * 1-5"])]


class Schedule(View):
    """When a deployment hibernates and wakes by itself."""

    id: Annotated[str, Field(examples=["sch_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    hibernate: str | None
    wake: str | None
    timezone: str
    description: str
    is_enabled: bool
    next_hibernate_at: datetime | None
    next_wake_at: datetime | None


class Life(View):
    """The schedules of a deployment, what comes next, and what overrides them."""

    schedules: Sequence[Schedule]
    next_action: Literal["hibernate", "wake"] | None
    next_at: datetime | None
    override: Literal["running", "hibernated"] | None
    override_until: datetime | None
    drain_s: Annotated[int, Field(description="Seconds that running tasks get before it sleeps.")]


class NewScheduleBody(Body):
    """A wish for a schedule: five-part cron expressions on the wall clock of the time zone."""

    hibernate: Cron = None
    wake: Cron = None
    timezone: Annotated[str, Field(max_length=60, examples=["Europe/Berlin"])] = "UTC"
    description: Annotated[str, Field(max_length=200)] = ""
    is_enabled: bool = True


class EnabledBody(Body):
    """Switch a schedule on or off."""

    is_enabled: bool


class CleanBody(Body):
    """Which rows of the metadata database are removed."""

    days: Annotated[int, Field(ge=1, le=36_500, description="Rows older than so many days.")]
    is_dry_run: Annotated[bool, Field(description="Only count them.")] = True


class Cleaning(View):
    """What was removed, or would be."""

    before: datetime
    rows: Mapping[str, int]
    is_dry_run: bool
    held_by: Annotated[str | None, Field(description="An unfinished run for whose sake `before` is earlier.")]


@router.get("/deployments/{ref}/life", responses=NAMED)
def get_life(the: The, actor: Caller, ref: str) -> Life:
    """Show when a deployment sleeps and wakes."""
    return Life.model_validate(the.fleet.keeping.life(actor, ref))


@router.post("/deployments/{ref}/schedules", status_code=201, responses=NAMED | problems(409))
def add_schedule(the: The, actor: Caller, ref: str, body: NewScheduleBody) -> Schedule:
    """Add a hibernation schedule."""
    return Schedule.model_validate(the.fleet.keeping.add_schedule(actor, ref, NewSchedule(**body.model_dump())))


@router.patch("/deployments/{ref}/schedules/{schedule_id}", responses=NAMED | problems(409))
def enable_schedule(the: The, actor: Caller, ref: str, schedule_id: str, body: EnabledBody) -> Schedule:
    """Switch a schedule on or off."""
    found = the.fleet.keeping.enable_schedule(actor, ref, schedule_id, is_enabled=body.is_enabled)
    return Schedule.model_validate(found)


@router.delete("/deployments/{ref}/schedules/{schedule_id}", status_code=204, responses=NAMED | problems(409))
def remove_schedule(the: The, actor: Caller, ref: str, schedule_id: str) -> None:
    """Remove a schedule."""
    the.fleet.keeping.remove_schedule(actor, ref, schedule_id)


@router.post("/deployments/{ref}/clean", responses=NAMED | problems(409))
def clean_rows(the: The, actor: Caller, ref: str, body: CleanBody) -> Cleaning:
    """Remove old rows of the metadata database by `airflow db clean`, or count them; takes as long as Airflow takes."""
    return Cleaning.model_validate(the.fleet.keeping.clean(actor, ref, body.days, is_dry_run=body.is_dry_run))
