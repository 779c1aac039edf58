"""The drain policies of a plan: what becomes of runs under way at the cutover, for each DAG."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from aerodrome.web.api.edge import NAMED, Body, Caller, The, View, problems

router = APIRouter(tags=["migrations"])
OnDeadline = Literal["wait", "fail", "rerun"]
Accept = Literal["capacity", "change", "connection", "finding"]


class DagPolicy(View):
    """What counts for one DAG that moves."""

    dag_id: str
    wave: str
    drain_deadline: Annotated[int, Field(description="Seconds that runs under way may take to end after the pause.")]
    on_deadline: Annotated[OnDeadline, Field(description="What becomes then of runs that still go on.")]
    accept: Annotated[list[Accept], Field(description="What may stand against the DAG, and it moves all the same.")]
    own: Annotated[list[str], Field(description="Which of these are its own; the others count for all DAGs.")]


class PolicyWish(Body):
    """What is chosen; what is left out stays. Without DAGs and waves it is chosen for all DAGs that have nothing of their own."""

    dag_ids: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=100_000, default_factory=list)]
    waves: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=10_000, default_factory=list)]
    drain_deadline: Annotated[
        str | None, Field(max_length=20, description="90s, 15m, 2h or 1d; null takes the DAGs' own one away.")
    ] = None
    on_deadline: Annotated[OnDeadline | None, Field(description="Null takes the DAGs' own one away.")] = None
    accept: Annotated[list[Accept] | None, Field(description="Null takes the DAGs' own list away.")] = None

    def choices(self) -> dict[str, Any]:
        """Give what was named; null counts as named."""
        return {key: getattr(self, key) for key in sorted(self.model_fields_set - {"dag_ids", "waves"})}


@router.get("/migrations/{ref}/policies", responses=NAMED | problems(409))
def list_migration_policies(the: The, actor: Caller, ref: str) -> list[DagPolicy]:
    """Give what becomes of each DAG's runs at its cutover, in the order of the waves."""
    return [DagPolicy.model_validate(row) for row in the.migrations.policies.list(actor, ref)]


@router.patch("/migrations/{ref}/policies", responses=NAMED | problems(409))
def choose_migration_policies(the: The, actor: Caller, ref: str, body: PolicyWish) -> list[DagPolicy]:
    """Choose it for some DAGs, for waves or for all; the plan keeps it and gets another digest, what was done stays done."""
    found = the.migrations.policies.choose(actor, ref, body.choices(), dag_ids=body.dag_ids, waves=body.waves)
    return [DagPolicy.model_validate(row) for row in found]
