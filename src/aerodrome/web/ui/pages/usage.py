"""The Usage tab of a deployment: which DAGs need which connections, variables, pools and environment variables."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from aerodrome.kernel.errors import AerodromeError
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import The, Visitor

router = APIRouter(include_in_schema=False)
_KINDS = (
    ("connection", "Connections"),
    ("variable", "Variables"),
    ("pool", "Pools"),
    ("env", "Environment variables"),
)


@router.get("/deployments/{ref}/usage")
def usage_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show what the live deploy needs."""
    item = the.fleet.get_deployment(visitor, ref)
    try:
        here = {(view.kind, view.name) for view in the.fleet.environment.effective(visitor, item.id).items}
    except AerodromeError:  # its database does not answer: the page tells what the check saw
        here = set()
    usage = the.fleet.usage(visitor, item.id)
    values = {"item": item, "tab": "usage", "usage": usage, "here": here, "kinds": _KINDS}
    return draw(request, "pages/usage.html", values)
