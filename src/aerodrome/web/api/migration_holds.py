"""What people say of an estate of Oozie or Control-M definitions: what is held, and which time ran last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from aerodrome.migration.service import holds
from aerodrome.web.api.edge import NAMED, Body, Caller, The, View, problems

router = APIRouter(tags=["migrations"])


class Hold(View):
    """Where one DAG stands in a source of definitions."""

    dag_id: str
    is_scheduled: bool
    held_by: Annotated[
        str, Field(description="Who confirmed that it is held; `oozie` where the running job is suspended.")
    ]
    held_at: str | None
    last_done: Annotated[
        str | None, Field(description="The time that ran last in the source; the target goes on after it.")
    ]
    has_never_run: bool
    next_time: str | None
    job: str
    missing: Annotated[str, Field(description="What people still have to say before it can move; empty: nothing.")]
    told: Annotated[str, Field(description="What people must do in the source after a way back.")]


class HoldWish(Body):
    """A person's word on one DAG."""

    dag_id: Annotated[str, Field(min_length=1)]
    last_done: Annotated[
        datetime | None,
        Field(description="The nominal time (Oozie) or scheduled time of the order (Control-M) that was done last."),
    ] = None
    has_never_run: Annotated[
        bool, Field(description="Nothing of it ever ran: the target begins with the first time.")
    ] = False
    job: Annotated[
        str, Field(max_length=200, description="Oozie: the coordinator job, where its name does not tell.")
    ] = ""
    is_held: Annotated[bool, Field(description="False takes a confirmation back.")] = True


class HoldWishes(Body):
    """What is said, all of it or none."""

    holds: Annotated[list[HoldWish], Field(min_length=1, max_length=10_000)]


@router.get("/migrations/{ref}/holds", responses=NAMED | problems(409))
def list_migration_holds(the: The, actor: Caller, ref: str) -> list[Hold]:
    """Give where each DAG of an Oozie or Control-M source stands, and what people still have to say; of an Airflow: nothing."""
    return [Hold.model_validate(view) for view in the.migrations.holds.list(actor, ref)]


@router.post("/migrations/{ref}/holds", responses=NAMED | problems(409))
def confirm_migration_holds(the: The, actor: Caller, ref: str, body: HoldWishes) -> list[Hold]:
    """Confirm that DAGs are held in the source, with the time that ran there last. Name and time are kept in the audit trail."""
    said = [holds.Hold(**{**dict(wish), "last_done": aware(wish.last_done)}) for wish in body.holds]
    return [Hold.model_validate(view) for view in the.migrations.holds.say(actor, ref, said)]


def aware(moment: datetime | None) -> datetime | None:
    """Read a time without a zone as UTC."""
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)
