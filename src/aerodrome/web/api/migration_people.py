"""Who worked in the source, and their access here."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from aerodrome.web.api.edge import NAMED, Body, Caller, The, View, problems

router = APIRouter(tags=["migrations"])
Role = Literal["viewer", "author", "operator", "admin"]
Roles = Annotated[
    dict[Annotated[str, Field(max_length=200)], Role],
    Field(max_length=1000, description="Platform roles for roles of the source; without one a role of the source's own becomes viewer."),
]  # fmt: skip


class MigrationPerson(View):
    """A user of the source, and what becomes of the access."""

    username: str
    email: str
    source_roles: list[str]
    role: Annotated[Role, Field(description="The role on the migration's workspace.")]
    account: Annotated[str, Field(description="The account here, by name or e-mail address; empty: none yet.")]
    has_access: Annotated[bool, Field(description="Whether the account may do what the role allows.")]
    is_shut_out: Annotated[bool, Field(description="Whether the account is deactivated: no role helps.")]


class InviteWish(Body):
    """Whom to let in, and as what."""

    roles: Roles = Field(default_factory=dict)
    only: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=250)]],
        Field(max_length=10_000, default_factory=list, description="User names of the source; empty: everybody."),
    ]


@router.get("/migrations/{ref}/people", responses=NAMED | problems(409))
def list_migration_people(the: The, actor: Caller, ref: str) -> list[MigrationPerson]:
    """Give the active users of the source, the role of each, and whether they have it."""
    return [MigrationPerson.model_validate(person) for person in the.migrations.people.list(actor, ref)]


@router.post("/migrations/{ref}/people", responses=NAMED | problems(409))
def invite_migration_people(the: The, actor: Caller, ref: str, body: InviteWish) -> list[MigrationPerson]:
    """Make the accounts and give the roles that are missing; safe to repeat. Login links are made one by one."""
    found = the.migrations.people.invite(actor, ref, body.roles, only=body.only)
    return [MigrationPerson.model_validate(person) for person in found]
