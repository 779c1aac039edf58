"""All pages as one router, and the page that problems become."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import FileResponse, RedirectResponse, Response

from aerodrome.kernel.errors import NotFound
from aerodrome.web.credentials import SESSION_COOKIE
from aerodrome.web.problems import Problem
from aerodrome.web.ui.pages import (
    alerts,
    audit,
    deployment_new,
    deployments,
    deploys,
    environment,
    health,
    keeping,
    migration_code,
    migration_holds,
    migration_new,
    migration_policies,
    migration_proofs,
    migration_waves,
    migrations,
    secrets_backends,
    signing_in,
    usage,
    versions,
)
from aerodrome.web.ui.render import STATIC, draw
from aerodrome.web.ui.visitor import visitor

pages = APIRouter(include_in_schema=False)
for noun in (
    signing_in,
    deployment_new,
    deployments,
    deploys,
    usage,
    health,
    versions,
    environment,
    keeping,
    secrets_backends,
    migration_code,
    migration_new,
    migration_holds,
    migration_policies,
    migration_proofs,
    migration_waves,
    migrations,
    alerts,
    audit,
):
    pages.include_router(noun.router)


@pages.get("/static/{version}/{name}")
def static_file(version: str, name: Annotated[str, Path(pattern=r"^[\w.-]+$")]) -> FileResponse:  # noqa: ARG001
    """Give a static file; its address holds a digest of the content, so it may be cached for ever."""
    path = STATIC / name
    if not path.is_file():
        raise NotFound("There is no such file.", code="static-unknown")
    return FileResponse(path, headers={"Cache-Control": "public, max-age=31536000, immutable"})


def render_problem(request: Request, problem: Problem) -> Response:
    """Show a problem as a page; who is not signed in is sent to the sign-in page."""
    if problem.status == 401:
        answer = RedirectResponse("/login", 303)
        if request.headers.get("hx-request"):
            answer = RedirectResponse("/login", 200)
            answer.headers["HX-Redirect"] = "/login"
        if request.cookies.get(SESSION_COOKIE):
            answer.delete_cookie(SESSION_COOKIE)
        return answer
    if not hasattr(request.state, "actor"):
        try:
            visitor(request)
        except Exception:  # noqa: BLE001 - the web edge: a stranger gets the bare problem
            return problem.response()
    error = {"message": problem.detail, "hint": problem.hint, "code": problem.code}
    return draw(request, "pages/problem.html", {"title": problem.title, "error": error, "back": "/"}, problem.status)
