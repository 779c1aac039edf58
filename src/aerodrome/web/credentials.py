"""Who sends this request: an API token in the Authorization header, or a session cookie with a CSRF token.

Both faces (API and pages) use it. It never logs or repeats what it was given.
"""

from __future__ import annotations

import hmac

from fastapi import Request

from aerodrome.access.actor import Actor
from aerodrome.access.credentials import csrf_token
from aerodrome.kernel.errors import Denied
from aerodrome.web.guards import SAFE_METHODS
from aerodrome.web.platform import platform_of
from aerodrome.web.problems import Unauthenticated

SESSION_COOKIE = "aerodrome_session"
CSRF_HEADER = "X-CSRF-Token"
_HINT = (
    "Send `Authorization: Bearer <API token>`; `aerodrome login LINK` gets one, `aerodrome login-link` makes a link."
)


def authenticate(request: Request) -> Actor:
    """Give the actor of a request; Unauthenticated without a valid credential, Denied when a CSRF token is missing.

    A token wins over a cookie. A cookie counts for unsafe methods only together with the session's CSRF token in
    the header, so that another site's form cannot act for a signed-in person.
    """
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise _unknown("The Authorization header is not `Bearer <API token>`.", "credential-malformed")
        try:
            return platform_of(request).access.authenticate_token(text.strip())
        except Denied as error:
            raise _unknown("This API token is unknown, expired or revoked.", "credential-invalid") from error
    cookie = request.cookies.get(SESSION_COOKIE)
    if not cookie:
        raise _unknown("This needs a credential.", "credential-missing")
    actor = authenticate_cookie(request, cookie)
    if request.method not in SAFE_METHODS:
        check_csrf(cookie, request.headers.get(CSRF_HEADER, ""))
    return actor


def authenticate_cookie(request: Request, cookie: str) -> Actor:
    """Give the actor of a session; Unauthenticated when the session is unknown, ended or expired."""
    try:
        return platform_of(request).access.authenticate_session(cookie)
    except Denied as error:
        raise _unknown("This session has ended.", "session-ended") from error


def check_csrf(cookie: str, given: str) -> None:
    """Raise Denied unless `given` is the CSRF token of the session."""
    if not hmac.compare_digest(csrf_token(cookie).encode(), given.encode()):
        raise Denied(
            "The request lacks the session's CSRF token.",
            code="csrf-token-wrong",
            hint="Reload the page and try again.",
        )


def _unknown(message: str, code: str) -> Unauthenticated:
    return Unauthenticated(message, code=code, hint=_HINT)
