"""/auth: a one-time login code becomes an API token. The only route besides health that takes strangers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from aerodrome.web.api.edge import Body, The, problems
from aerodrome.web.api.tokens import NewToken, Token

router = APIRouter(tags=["auth"])


class ExchangeBody(Body):
    """A login code, and how the token is to be called."""

    code: Annotated[str, Field(min_length=1, max_length=200, description="`aero_link_…`, the `code` of a login link.")]
    name: Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x20-\x7e]+$", examples=["cli on laptop"])]


@router.post("/auth/exchange", status_code=201, responses=problems(403, 422, 500), openapi_extra={"security": []})
def exchange_login_code(the: The, body: ExchangeBody) -> NewToken:
    """Use a one-time login link up and get an API token for the command line."""
    _, cookie = the.access.redeem_login_link(body.code)
    try:
        actor = the.access.authenticate_session(cookie.reveal())
        view, text = the.access.create_token(actor, body.name)
    finally:
        the.access.log_out(cookie.reveal())  # the session was only the way to the token
    return NewToken(token=Token.model_validate(view), text=text.reveal())
