"""The review of a migration's code upgrade: what would change, file by file, and which files people keep as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from aerodrome.web.api.edge import NAMED, Body, Caller, The, View, problems
from aerodrome.web.api.migrations import Plan

router = APIRouter(tags=["migrations"])


class CodeReview(View):
    """How far the review of the code upgrade is."""

    status: Annotated[str, Field(description="`none`, `asked`, `done` or `failed`.")]
    error: Mapping[str, Any] | None


class CodeDecisions(Body):
    """The files that are to stay as the source has them; all others are upgraded."""

    rejected: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=1000)]],
        Field(max_length=100_000, examples=[["dags/sales.py"]]),
    ]


@router.get("/migrations/{ref}/code", responses=NAMED)
def get_migration_code(the: The, actor: Caller, ref: str) -> Mapping[str, Any]:
    """Give the code upgrade, or a review that is newer: per file its diff, applied rules, open findings, `is_rejected` and `is_raising`."""
    return the.migrations.code_review.changes(actor, ref)


@router.post("/migrations/{ref}/code/review", status_code=202, responses=NAMED | problems(409))
def review_migration_code(the: The, actor: Caller, ref: str) -> CodeReview:
    """Ask for what the code step would change, before it runs."""
    return CodeReview.model_validate(the.migrations.code_review.ask(actor, ref))


@router.get("/migrations/{ref}/code/review", responses=NAMED)
def get_migration_code_review(the: The, actor: Caller, ref: str) -> CodeReview:
    """Tell how far the review is; its changes are those of `GET …/code`."""
    return CodeReview.model_validate(the.migrations.code_review.state(actor, ref))


@router.put("/migrations/{ref}/code/decisions", responses=NAMED | problems(409))
def decide_migration_code(the: The, actor: Caller, ref: str, body: CodeDecisions) -> Plan:
    """Reject the upgrade of some files and accept all others; the plan keeps it, and gets another digest."""
    return Plan.model_validate(the.migrations.code_review.decide(actor, ref, body.rejected))
