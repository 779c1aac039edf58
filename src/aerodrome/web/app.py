"""Assembles the web application: guards, problem documents, the API and the pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from aerodrome.kernel.version import version
from aerodrome.web import guards, metrics, problems
from aerodrome.web.api import router as api
from aerodrome.web.api.edge import ProblemDocument
from aerodrome.web.hosts import hosts_of
from aerodrome.web.platform import Platform
from aerodrome.web.ui.router import pages as all_pages
from aerodrome.web.ui.router import render_problem

MIB = 1 << 20
PLAN_LIMIT = 24 * MIB  # a plan of some thousand DAGs, as people edit it
IMPORT_LIMIT = 32 * MIB
API = "/api/v1"
DESCRIPTION = """The REST interface of Aerodrome. Every route but `health` and `auth/exchange` wants
`Authorization: Bearer <API token>`; errors are problem documents (RFC 9457); lists come in pages (`next_cursor`)."""


def create_app(platform: Platform) -> FastAPI:
    """Give the application that serves `platform`: the API under /api/v1, the pages beside it."""
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
    web.state.metric_rows = metrics.Rows(platform)
    web.include_router(metrics.router)
    web.include_router(all_pages)
    problems.install(web, render_page=render_problem)
    web.add_middleware(guards.BodyLimit, limit_of=_limit_of(platform))
    web.add_middleware(guards.NoNul)
    web.add_middleware(guards.SameOrigin, public_url=platform.settings.public_url)
    web.add_middleware(guards.KnownHosts, hosts=hosts_of(platform))
    web.add_middleware(guards.SecurityHeaders)
    web.add_middleware(guards.RequestLog, observe=platform.instruments.request)
    web.openapi = lambda: _describe_once(web)  # type: ignore[method-assign]
    return web


def _limit_of(platform: Platform) -> Callable[[str], int]:
    upload = platform.settings.max_upload_mb * MIB

    def limit_of(path: str) -> int:
        if (path.startswith(API) and path.endswith("/deploys")) or path.endswith("/uploads"):
            return upload
        if path.startswith(API) and path.endswith("/environment-objects/import"):
            return IMPORT_LIMIT
        return PLAN_LIMIT if path.endswith("/plan") else MIB

    return limit_of


def _operation_id(route: APIRoute) -> str:
    return route.name


def describe(routes: Sequence[BaseRoute]) -> dict[str, Any]:
    """Give the OpenAPI document of the API among these routes (pages are not in the schema)."""
    schema = get_openapi(title="Aerodrome", version=version(), description=DESCRIPTION, routes=routes, tags=api.TAGS)
    components = schema.setdefault("components", {})
    components.setdefault("schemas", {})["ProblemDocument"] = ProblemDocument.model_json_schema()
    components["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "An API token: `aero_pat_…`."}
    }
    schema["security"] = [{"token": []}]
    return schema


def describe_api() -> dict[str, Any]:
    """Give the OpenAPI document without a platform; the reference is generated from it."""
    web = FastAPI(generate_unique_id_function=_operation_id)
    web.include_router(api.everything(), prefix=API)
    return describe(web.routes)


def _describe_once(web: FastAPI) -> dict[str, Any]:
    if web.openapi_schema is None:
        web.openapi_schema = describe(web.routes)
    return web.openapi_schema
