"""The Health tab of a deployment: its open incidents, what was measured, and the incidents that are over."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from aerodrome.access.actor import Actor
from aerodrome.fleet.incidents.reading import by_urgency
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import The, Visitor

router = APIRouter(include_in_schema=False)
_HISTORY = 50


@router.get("/deployments/{ref}/health")
def health_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show what is wrong with a deployment, and what was."""
    return draw(request, "pages/health.html", _health(the, visitor, ref))


@router.get("/parts/deployments/{ref}/health")
def health_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    return draw(request, "parts/health_live.html", _health(the, visitor, ref))


def _health(the: Platform, visitor: Actor, ref: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    return {
        "item": item,
        "tab": "health",
        "incidents": by_urgency(the.fleet.deployment_incidents(visitor, item.id, is_open=True)),
        "over": the.fleet.deployment_incidents(visitor, item.id, is_open=False, limit=_HISTORY),
        "vitals": the.fleet.deployment_vitals(visitor, item.id),
    }
