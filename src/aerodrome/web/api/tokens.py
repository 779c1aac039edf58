"""/tokens: API tokens. A token acts as the person who made it; its text is shown once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from aerodrome.kernel.errors import NotFound
from aerodrome.web.api.edge import GUARDED, NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of

router = APIRouter(tags=["tokens"])


class Token(View):
    """An API token without its text."""

    id: Annotated[str, Field(examples=["tok_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    user_id: str
    user_name: str
    name: Annotated[str, Field(examples=["ci"])]
    hint: Annotated[str, Field(description="Its last four characters.")]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewToken(View):
    """A token just made."""

    token: Token
    text: Annotated[str, Field(description="The credential itself; shown here and never again.")]


class NewTokenBody(Body):
    """What a new token needs."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["ci"])]
    expires_at: Annotated[AwareDatetime | None, Field(description="None: until it is revoked.")] = None


@router.get("/tokens", responses=GUARDED)
def list_tokens(
    *,
    the: The,
    actor: Caller,
    everybody: Annotated[bool, Query(description="Also those of other people (for admins).")] = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[Token]:
    """List your API tokens, newest first."""
    views = the.access.list_tokens(actor, everybody=everybody)
    return page_of(views, Token, limit, cursor, lambda view: view.id, newest=True)


@router.post("/tokens", status_code=201, responses=GUARDED)
def create_token(the: The, actor: Caller, body: NewTokenBody) -> NewToken:
    """Make an API token that acts as you; keep its text, it is not shown again."""
    view, text = the.access.create_token(actor, body.name, body.expires_at)
    return NewToken(token=Token.model_validate(view), text=text.reveal())


@router.delete("/tokens/own", responses=NAMED)
def revoke_own_token(the: The, actor: Caller) -> Token:
    """Make the token of this very request worthless."""
    if actor.kind != "token" or actor.credential_id is None:
        raise NotFound("This request carries no API token.", code="token-unknown", hint="Name the token to revoke.")
    return Token.model_validate(the.access.revoke_token(actor, actor.credential_id))


@router.delete("/tokens/{token_id}", responses=NAMED)
def revoke_token(the: The, actor: Caller, token_id: str) -> Token:
    """Make a token worthless at once."""
    return Token.model_validate(the.access.revoke_token(actor, token_id))
