"""Who looks at a page: the session cookie, checked; forms also carry the session's CSRF token."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from aerodrome.access.actor import Actor
from aerodrome.web.credentials import SESSION_COOKIE, authenticate_cookie, check_csrf
from aerodrome.web.platform import Platform, platform_of
from aerodrome.web.problems import Unauthenticated


def visitor(request: Request) -> Actor:
    """Give the signed-in person; Unauthenticated (the page answers with the sign-in page) otherwise."""
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        raise Unauthenticated("Sign in first.", code="session-missing")
    actor = authenticate_cookie(request, cookie)
    request.state.actor = actor
    request.state.csrf = platform_of(request).access.csrf_token(cookie)
    return actor


async def form_of(request: Request) -> dict[str, str]:
    """Give the fields of a form whose CSRF token is right; Denied otherwise."""
    fields = {name: value for name, value in (await request.form()).items() if isinstance(value, str)}
    check_csrf(request.cookies.get(SESSION_COOKIE, ""), fields.pop("csrf", ""))
    return fields


Visitor = Annotated[Actor, Depends(visitor)]
Form = Annotated[dict[str, str], Depends(form_of)]
The = Annotated[Platform, Depends(platform_of)]
