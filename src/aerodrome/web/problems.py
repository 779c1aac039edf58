"""Turns errors into RFC 9457 problem documents. The only place that knows HTTP statuses of our errors.

Unexpected exceptions become 500 with an incident id; their text goes to the log, never to the caller.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import anyio
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aerodrome.kernel.errors import (
    AerodromeError,
    Broken,
    Conflict,
    Denied,
    Invalid,
    NotFound,
    Stale,
    Unavailable,
)
from aerodrome.kernel.secret import masked

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:aerodrome:problem:"
log = structlog.get_logger(__name__)


class Unauthenticated(Denied):
    """The request carries no valid credential (401, where a plain Denied is 403)."""


class TooLarge(Invalid):
    """The request body is larger than the route takes (413)."""


STATUS: dict[type[AerodromeError], int] = {
    Unauthenticated: 401,
    TooLarge: 413,
    Invalid: 422,
    NotFound: 404,
    Denied: 403,
    Conflict: 409,
    Stale: 409,
    Unavailable: 503,
    Broken: 500,
}
TITLES: dict[int, str] = {
    400: "The request is malformed",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict with the present state",
    413: "Too large",
    421: "Wrong host",
    422: "The input is wrong",
    500: "Something is broken on our side",
    503: "Not available now",
}
_HTTP_CODES = {400: "request-malformed", 404: "route-unknown", 405: "method-not-allowed"}


@dataclass(frozen=True)
class Problem:
    """One problem document and the headers that belong to it."""

    status: int
    code: str
    detail: str
    hint: str = ""
    kind: str = "invalid"
    details: dict[str, Any] = field(default_factory=dict)
    request_id: str | None = None
    incident_id: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return TITLES.get(self.status, "Error")

    def as_data(self) -> dict[str, Any]:
        """Give the members of the document; empty ones are left out, secrets are masked."""
        data = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "kind": self.kind,
            "code": self.code,
            "hint": self.hint,
            "details": masked(self.details),
            "request_id": self.request_id,
            "incident_id": self.incident_id,
        }
        return {key: value for key, value in data.items() if value not in (None, "", {})}

    def response(self) -> Response:
        body = json.dumps(self.as_data(), ensure_ascii=False, default=str).encode("utf-8", "replace")
        return Response(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


def status_of(error: AerodromeError) -> int:
    """Give the HTTP status of an error by the nearest class in the table."""
    return next(STATUS[cls] for cls in type(error).__mro__ if cls in STATUS)


def problem_of(error: Exception, request_id: str | None = None) -> Problem:
    """Describe any exception; one that is not ours is logged under a fresh incident id and told without its text."""
    if isinstance(error, AerodromeError):
        headers: dict[str, str] = {}
        if isinstance(error, Unauthenticated):
            headers["WWW-Authenticate"] = 'Bearer realm="aerodrome"'
        if isinstance(error, Unavailable):
            headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
        status = status_of(error)
        if status >= 500:
            log.warning("request.failed", code=error.code, detail=error.message, request_id=request_id)
        return Problem(
            status, error.code, error.message, error.hint, error.kind, dict(error.details), request_id, headers=headers
        )
    if isinstance(error, RequestValidationError):
        return Problem(
            422,
            "request-invalid",
            "The request does not fit the API's description.",
            "See details.fields; the description is at /api/v1/openapi.json.",
            details={"fields": [_field(item) for item in error.errors()]},
            request_id=request_id,
        )
    if isinstance(error, HTTPException):
        if isinstance(error.__cause__, AerodromeError):  # FastAPI wraps what our guards raise while it reads a body
            return problem_of(error.__cause__, request_id)
        code = _HTTP_CODES.get(error.status_code, f"http-{error.status_code}")
        kind = "not-found" if error.status_code == 404 else "invalid"
        detail = {404: "There is nothing at this address.", 405: "This address does not take that method."}
        text = detail.get(error.status_code, str(error.detail))
        return Problem(
            error.status_code, code, text, kind=kind, request_id=request_id, headers=dict(error.headers or {})
        )
    incident = f"inc_{uuid.uuid4().hex[:20]}"
    log.error("request.crashed", incident=incident, request_id=request_id, exc_info=error)
    return Problem(
        500,
        "internal-error",
        "The server failed in a way that nobody foresaw.",
        f"Look for {incident} in the server's log.",
        "broken",
        request_id=request_id,
        incident_id=incident,
    )


class Edge:
    """The last net: answers what no handler caught. Sits inside the other guards, so its answers carry their headers."""

    def __init__(self, app: ASGIApp, answer: Callable[[Request, Exception], Response]) -> None:
        self.app = app
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_started = False

        async def sending(message: Message) -> None:
            nonlocal is_started
            is_started = is_started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception as error:  # one of the four edges
            if is_started and _has_left(error):
                return
            if scope["type"] != "http" or is_started:
                raise
            await self.answer(Request(scope), error)(scope, receive, send)


def _has_left(error: BaseException) -> bool:
    """Tell whether nothing else happened than that the reader of a stream went away.

    FastAPI (0.165) feeds server-sent events through memory streams in a task group; when the reader goes while an event is
    handed over, the writing end breaks and the group raises (fastapi/routing.py, _keepalive_inserter).
    """
    if isinstance(error, BaseExceptionGroup):
        return all(_has_left(each) for each in error.exceptions)
    return isinstance(error, anyio.BrokenResourceError | anyio.ClosedResourceError)


def install(web: FastAPI, render_page: Callable[[Request, Problem], Response] | None = None) -> None:
    """Make every error of the application a problem document, or what `render_page` makes of it outside /api/."""

    def answer(request: Request, error: Exception) -> Response:
        problem = problem_of(error, request.scope.get("aerodrome.request_id"))
        if render_page is not None and not request.url.path.startswith("/api/"):
            return render_page(request, problem)
        return problem.response()

    for kind in (AerodromeError, RequestValidationError, HTTPException):
        web.add_exception_handler(kind, answer)
    web.add_middleware(Edge, answer=answer)


def _field(item: Any) -> dict[str, str]:
    # The offending input is not repeated: it may be a secret.
    return {"field": ".".join(str(part) for part in item["loc"]), "message": str(item["msg"])}
