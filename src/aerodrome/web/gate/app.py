"""The gate: a reverse proxy on its own port that opens each deployment's Airflow UI, signed in by the platform.

`/<deployment id>/…` goes to that Airflow with the path unchanged (Airflow is configured with this prefix) and with a
short-lived token of the deployment in the Authorization header. Who comes is told by the platform's session cookie, which
never travels further. Airflow's own session cookies are narrowed to the deployment's path, so that two do not overwrite each other.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

import httpx2
from fastapi.concurrency import run_in_threadpool
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from aerodrome.access.actor import SYSTEM, Actor
from aerodrome.access.permissions import allows
from aerodrome.airflowkit.tokens import Role, mint
from aerodrome.kernel.errors import AerodromeError, Denied, NotFound
from aerodrome.web import guards
from aerodrome.web.credentials import SESSION_COOKIE
from aerodrome.web.hosts import hosts_of
from aerodrome.web.platform import Platform
from aerodrome.web.problems import status_of

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
TOKEN_TTL_S = 300
PASS_TTL_S = 10.0  # how long a checked session may go on without being looked up again
UPSTREAM_TIMEOUT_S = 60.0
_HOP = frozenset(
    (
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_DROPPED = _HOP | {"host", "cookie", "authorization", "content-length", "forwarded", "x-forwarded-for"}
_AIRFLOW_TOKEN_COOKIE = "_token"  # noqa: S105 - a name; Airflow 3's own sign-in, which nobody needs here
_ROLES: tuple[tuple[str, Role], ...] = (
    ("airflow.admin", "admin"),
    ("airflow.edit", "user"),
    ("airflow.view", "viewer"),
)


@dataclass(frozen=True)
class Pass:
    """What one session may do in one deployment, for a few seconds."""

    upstream: str  # scheme://host:port
    authorization: str
    until: float  # time.monotonic()

    def __repr__(self) -> str:
        return f"Pass({self.upstream})"


class Gate:
    """Checks who comes and passes requests on. Holds passes in memory only; several processes may run side by side."""

    def __init__(self, platform: Platform, http: httpx2.AsyncClient) -> None:
        self.platform = platform
        self.http = http
        self._passes: dict[tuple[str, str], Pass] = {}

    async def serve(self, request: Request) -> Response:
        """Pass one request on; redirect to the sign-in page, or a sentence with the fitting status, otherwise."""
        deployment_id = request.path_params["deployment_id"]
        cookie = request.cookies.get(SESSION_COOKIE, "")
        try:
            granted = await run_in_threadpool(self._pass, cookie, deployment_id)
        except Denied as error:
            if error.code in {"session-ended", "session-missing"} and request.method == "GET":
                return RedirectResponse(f"{self._platform_url(request)}/login", 303)
            return _sentence(error)
        except AerodromeError as error:
            return _sentence(error)
        return await self._forward(request, deployment_id, granted)

    def _pass(self, cookie: str, deployment_id: str) -> Pass:
        key = (cookie, deployment_id)
        now = time.monotonic()
        if (known := self._passes.get(key)) and known.until > now:
            return known
        if not cookie:
            raise Denied("Sign in first.", code="session-missing")
        actor = self.platform.access.authenticate_session(cookie)
        view = self.platform.fleet.get_deployment(actor, deployment_id)
        if view.id != deployment_id:
            raise NotFound("Name a deployment by its id here.", code="deployment-unknown")
        role = _role(actor, f"workspace/{view.workspace_id}/deployment/{view.id}")
        access = self.platform.fleet.access(SYSTEM, view.id)
        parts = urlsplit(access.base_url)
        token = mint(access.signing_key, actor.name, role, TOKEN_TTL_S)
        granted = Pass(f"{parts.scheme}://{parts.netloc}", f"Bearer {token.reveal()}", now + PASS_TTL_S)
        self._passes = {name: item for name, item in self._passes.items() if item.until > now}
        self._passes[key] = granted
        return granted

    async def _forward(self, request: Request, deployment_id: str, granted: Pass) -> Response:
        dropped = _DROPPED | _named_in(request.headers.getlist("connection"))
        headers = [
            (name, value)
            for name, value in request.headers.items()
            if name not in dropped and not name.startswith("x-forwarded-")
        ]
        headers += [
            ("authorization", granted.authorization),
            ("host", request.headers.get("host", "")),
            ("x-forwarded-proto", request.url.scheme),
            ("x-forwarded-host", request.headers.get("host", "")),
        ]
        if cookies := _cookies_for_airflow(request.cookies):
            headers.append(("cookie", cookies))
        target = granted.upstream + request.scope["raw_path"].decode("ascii")
        if request.url.query:
            target += f"?{request.url.query}"
        body = request.stream() if _has_body(request) else None
        sent = self.http.build_request(request.method, target, headers=headers, content=body)
        try:
            answer = await self.http.send(sent, stream=True)
        except httpx2.HTTPError:
            return PlainTextResponse(
                "This Airflow does not answer now. It may be starting: look at its page in Aerodrome.\n", 503
            )
        response = StreamingResponse(answer.aiter_raw(), answer.status_code, background=BackgroundTask(answer.aclose))
        response.raw_headers = _answer_headers(answer.headers.raw, deployment_id)
        return response

    def _platform_url(self, request: Request) -> str:
        settings = self.platform.settings
        if settings.public_url:
            return settings.public_url.rstrip("/")
        return f"{request.url.scheme}://{request.url.hostname}:{settings.port}"


def create_gate(platform: Platform) -> Starlette:
    """Give the gate as an ASGI application."""
    http = httpx2.AsyncClient(timeout=UPSTREAM_TIMEOUT_S, follow_redirects=False, trust_env=False)
    gate = Gate(platform, http)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await http.aclose()

    routes = [
        Route("/{deployment_id}", lambda request: RedirectResponse(f"{request.url.path}/", 308)),
        Route("/{deployment_id}/{path:path}", gate.serve, methods=METHODS),
    ]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.add_middleware(guards.SameOrigin, public_url=platform.settings.gate_public_url)
    app.add_middleware(guards.KnownHosts, hosts=hosts_of(platform))
    app.add_middleware(guards.RequestLog)
    return app


def _role(actor: Actor, scope: str) -> Role:
    for permission, role in _ROLES:
        if allows(actor, permission, scope):
            return role
    raise Denied("You may not open this Airflow.", code="permission-missing", hint="Ask an admin for a role there.")


def _has_body(request: Request) -> bool:
    return "content-length" in request.headers or "transfer-encoding" in request.headers


def _cookies_for_airflow(cookies: dict[str, str]) -> str:
    kept = {name: value for name, value in cookies.items() if name not in {SESSION_COOKIE, _AIRFLOW_TOKEN_COOKIE}}
    return "; ".join(f"{name}={value}" for name, value in kept.items())


def _named_in(connection: Iterable[str]) -> frozenset[str]:
    """Give the header names that a Connection header keeps to this hop (RFC 9110, 7.6.1)."""
    return frozenset(name.strip().lower() for value in connection for name in value.split(","))


def _answer_headers(raw: Sequence[tuple[bytes, bytes]], deployment_id: str) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    dropped = _HOP | _named_in(value.decode("latin-1") for name, value in raw if name.lower() == b"connection")
    for name, value in raw:
        lower = name.lower()
        if lower.decode("latin-1") in dropped:
            continue
        if lower == b"set-cookie":
            narrowed = _narrowed(value.decode("latin-1"), deployment_id)
            if narrowed is not None:
                headers.append((lower, narrowed.encode("latin-1")))
            continue
        headers.append((lower, value))
    return headers


def _narrowed(cookie: str, deployment_id: str) -> str | None:
    """Give the cookie limited to the deployment's path; None for one that must not reach the browser."""
    parsed: SimpleCookie = SimpleCookie()
    try:
        parsed.load(cookie)
    except CookieError:
        return None
    for name, morsel in parsed.items():
        if name in {SESSION_COOKIE, _AIRFLOW_TOKEN_COOKIE}:
            return None
        morsel["path"] = f"/{deployment_id}/"
        return morsel.OutputString()
    return None


def _sentence(error: AerodromeError) -> Response:
    return PlainTextResponse(f"{error}\n", status_of(error))
