"""Assembles the web application: guards, problem documents, the API and the pages."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from aerodrome.kernel.version import version
from aerodrome.web import guards, problems
from aerodrome.web.api import router as api
from aerodrome.web.api.edge import ProblemDocument
from aerodrome.web.platform import Platform

MIB = 1 << 20
API = "/api/v1"
DESCRIPTION = """The REST interface of Aerodrome. Every route but `health` and `auth/exchange` wants
`Authorization: Bearer <API token>`; errors are problem documents (RFC 9457); lists come in pages (`next_cursor`)."""


def create_app(platform: Platform, pages: APIRouter | None = None) -> FastAPI:
    """Give the application that serves `platform`; `pages` are mounted at the root, beside the API."""
    web = FastAPI(
        title="Aerodrome",
        version=version(),
        description=DESCRIPTION,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=_operation_id,
        redirect_slashes=False,
    )
    web.state.platform = platform
    web.include_router(api.everything(), prefix=API)
    # PAGES: the web.ui room plugs in here: from aerodrome.web.ui.router import pages, render_problem
    if pages is not None:
        web.include_router(pages)
    problems.install(web, render_page=None)
    web.add_middleware(guards.BodyLimit, limit_of=_limit_of(platform))
    web.add_middleware(guards.KnownHosts, hosts=hosts_of(platform))
    web.add_middleware(guards.SecurityHeaders)
    web.add_middleware(guards.RequestLog)
    web.openapi = lambda: _describe(web)  # type: ignore[method-assign]
    return web


def hosts_of(platform: Platform) -> set[str]:
    """Give the host names that the server answers to: its own, loopback's, and the configured ones."""
    settings = platform.settings
    hosts = {"localhost", "127.0.0.1", "[::1]", *settings.allowed_hosts}
    try:
        address = ipaddress.ip_address(settings.host)
        if not address.is_unspecified:
            hosts.add(f"[{address}]" if address.version == 6 else str(address))
    except ValueError:
        hosts.add(settings.host)
    for url in (settings.public_url, settings.gate_public_url):
        if url:
            hosts.add(guards.host_of(urlsplit(url).netloc))
    return hosts


def _limit_of(platform: Platform) -> Callable[[str], int]:
    upload = platform.settings.max_upload_mb * MIB
    return lambda path: upload if path.startswith(API) and path.endswith("/deploys") else MIB


def _operation_id(route: APIRoute) -> str:
    return route.name


def _describe(web: FastAPI) -> dict[str, Any]:
    if web.openapi_schema is None:
        schema = get_openapi(
            title=web.title,
            version=web.version,
            description=web.description,
            routes=[route for route in web.routes if getattr(route, "path", "").startswith(API)],
            tags=api.TAGS,
        )
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {})["ProblemDocument"] = ProblemDocument.model_json_schema()
        components["securitySchemes"] = {
            "token": {"type": "http", "scheme": "bearer", "description": "An API token: `aero_pat_…`."}
        }
        schema["security"] = [{"token": []}]
        web.openapi_schema = schema
    return web.openapi_schema
