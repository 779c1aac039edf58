"""/me: who the server takes you for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from aerodrome.web.api.edge import Caller, View, problems

router = APIRouter(tags=["me"])


class Role(View):
    """A role on a scope; the empty scope is everything."""

    role: Annotated[str, Field(max_length=20, examples=["operator"])]
    scope: Annotated[str, Field(max_length=200, examples=["workspace/ws_01k9zq3v5m8n2p4r6s8t0w2x4y"])] = ""


class Me(View):
    """Who you are, and what counts for you."""

    id: str
    name: str
    kind: Annotated[str, Field(description="user: signed in with a browser; token: with an API token.")]
    roles: list[Role]


def roles_of(pairs: tuple[tuple[str, str], ...]) -> list[Role]:
    """Give roles as documents."""
    return [Role(role=role, scope=scope) for role, scope in pairs]


@router.get("/me", responses=problems(401, 500))
def get_me(actor: Caller) -> Me:
    """Tell who you are."""
    return Me(id=actor.id, name=actor.name, kind=actor.kind, roles=roles_of(actor.roles))
