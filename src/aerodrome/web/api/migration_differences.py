"""Comparisons of a migration's source and target, table by table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from aerodrome.web.api.edge import NAMED, Body, Caller, The, problems

router = APIRouter(tags=["migrations"])


class DiffWish(Body):
    """Which DAGs are to be compared."""

    dag_ids: Annotated[list[str] | None, Field(description="Only these; all that the plan moves otherwise.")] = None


@router.post("/migrations/{ref}/diff", status_code=202, responses=NAMED | problems(409))
def ask_migration_diff(the: The, actor: Caller, ref: str, body: DiffWish) -> Mapping[str, Any]:
    """Ask for a comparison of source and target. It writes on neither side; look at it again until its status is `done`."""
    return the.migrations.differences.ask(actor, ref, body.dag_ids)


@router.get("/migrations/{ref}/diff", responses=NAMED)
def get_migration_diff(the: The, actor: Caller, ref: str) -> Mapping[str, Any]:
    """Give the newest comparison: per DAG and table the rows that are missing, same, different and extra, with samples.

    `objects` compares connections, variables and pools, their values by keyed hash. `status`: running, done or failed.
    """
    return the.migrations.differences.get(actor, ref)
