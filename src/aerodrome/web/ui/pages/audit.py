"""The audit trail."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import The, Visitor

router = APIRouter(include_in_schema=False)


@router.get("/audit")
def audit_page(request: Request, the: The, visitor: Visitor) -> HTMLResponse:
    """Show who did what, newest first."""
    return draw(request, "pages/audit.html", {"entries": the.access.list_audit(visitor, limit=200)})
