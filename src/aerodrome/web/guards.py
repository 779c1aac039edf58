"""ASGI guards in front of every route: known hosts only, bounded bodies, security headers, request ids and the log.

Plain ASGI, so that streams pass through. None of them looks at a query string or a header that may hold a credential.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aerodrome.kernel.ids import new_id
from aerodrome.web.problems import Problem, TooLarge, problem_of

log = structlog.get_logger(__name__)
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class RequestLog:
    """Gives every request an id (header X-Request-Id, taken from the caller when it is well-formed) and a log line."""

    def __init__(
        self,
        app: ASGIApp,
        observe: Callable[[str, str, int, float], None] = lambda _method, _route, _status, _seconds: None,
    ) -> None:
        """`observe` is told of every answer: method, name of the route, status, seconds."""
        self.app = app
        self.observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else new_id("req")
        scope["aerodrome.request_id"] = request_id
        started, status = time.monotonic(), 500

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            with structlog.contextvars.bound_contextvars(request_id=request_id):
                await self.app(scope, receive, sending)
        finally:
            seconds = time.monotonic() - started
            # The name of the route, not the path: a path may hold what a person typed in the wrong place.
            route = getattr(scope.get("route"), "name", None) or "unmatched"
            self.observe(scope["method"], route, status, seconds)
            log.info(
                "request.answered",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 1),
                request_id=request_id,
            )


class SecurityHeaders:
    """Adds the security headers that a route has not set itself, and `no-store` to what is not static."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, receive, sending)


class KnownHosts:
    """Refuses requests whose Host header names another machine (protects against DNS rebinding)."""

    def __init__(self, app: ASGIApp, hosts: Iterable[str]) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"} or host_of(Headers(scope=scope).get("host", "")) in self.hosts:
            await self.app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        problem = Problem(
            421,
            "host-unknown",
            "This server does not answer to that host name.",
            "Open it by a configured name, or add the name to AERODROME_ALLOWED_HOSTS.",
            "denied",
            request_id=scope.get("aerodrome.request_id"),
        )
        await problem.response()(scope, receive, send)


class SameOrigin:
    """Refuses writes that a browser sends from another origin's page: another site, or another port of this host.

    Cookies ignore ports, so the Airflow pages behind the gate count as strangers too. Programs send neither header.
    """

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        self.app = app
        self.public = urlsplit(public_url or "").netloc.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in SAFE_METHODS or self._is_ours(Headers(scope=scope)):
            await self.app(scope, receive, send)
            return
        problem = Problem(
            403,
            "origin-foreign",
            "This request comes from a page of another origin.",
            "Use Aerodrome's own pages, its API, or the command line.",
            "denied",
            request_id=scope.get("aerodrome.request_id"),
        )
        await problem.response()(scope, receive, send)

    def _is_ours(self, headers: Headers) -> bool:
        if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return False
        origin = headers.get("origin")
        return origin is None or urlsplit(origin).netloc.lower() in {headers.get("host", "").lower(), self.public} - {
            ""
        }


class NoNul:
    """Refuses addresses with a NUL character: no name holds one, and PostgreSQL cannot even be asked for it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            problem = Problem(
                400,
                "address-malformed",
                "The address holds a NUL character.",
                "Leave it out.",
                request_id=scope.get("aerodrome.request_id"),
            )
            await problem.response()(scope, receive, send)
            return
        await self.app(scope, receive, send)


class BodyLimit:
    """Refuses bodies larger than `limit_of(path)` bytes, by Content-Length at once and by counting while they stream."""

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int]) -> None:
        self.app = app
        self.limit_of = limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit = self.limit_of(scope["path"])
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            problem = problem_of(too_large(limit), scope.get("aerodrome.request_id"))
            await problem.response()(scope, receive, send)
            return
        seen = 0

        async def receiving() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise too_large(limit)
            return message

        await self.app(scope, receiving, send)


def too_large(limit: int) -> TooLarge:
    """Give the error for a body over the limit."""
    return TooLarge(
        f"The request is larger than {limit:,} bytes.",
        code="body-too-large",
        hint="Send less, or raise the limit in the server's settings.",
        details={"limit_bytes": limit},
    )


def host_of(header: str) -> str:
    """Give the host part of a Host header, lower case, without port; brackets of IPv6 stay."""
    text = header.strip().lower()
    if text.startswith("["):
        return text.partition("]")[0] + "]"
    return text.partition(":")[0]
