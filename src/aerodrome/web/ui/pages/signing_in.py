"""Signing in with a one-time link, and out."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi import Form as Field
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.kernel.errors import Denied
from aerodrome.web.credentials import SESSION_COOKIE
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)


@router.get("/login")
def login_page(request: Request, code: Annotated[str, Query(max_length=200)] = "") -> HTMLResponse:
    """Ask to confirm, so that a mail scanner that follows the link does not use it up."""
    return draw(request, "pages/login.html", {"code": code, "error": None})


@router.post("/login")
def login(request: Request, the: The, code: Annotated[str, Field(max_length=400)]) -> Response:
    """Use the link up and start a session. Takes the bare code or the whole link."""
    bare = code.strip().rsplit("code=", 1)[-1]
    try:
        view, cookie = the.access.redeem_login_link(bare)
    except Denied as error:
        return draw(request, "pages/login.html", {"code": "", "error": error}, 403)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        SESSION_COOKIE,
        cookie.reveal(),
        expires=view.expires_at,
        httponly=True,
        samesite="lax",
        secure=(the.settings.public_url or "").startswith("https:"),
    )
    return answer


@router.post("/logout")
def logout(request: Request, the: The, _visitor: Visitor, _form: Form) -> RedirectResponse:
    """End the session."""
    the.access.log_out(request.cookies[SESSION_COOKIE])
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(SESSION_COOKIE)
    return answer
