"""Deployments: the list, one with its deploys, and its logs. Each has a part that the page asks for again while open."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from aerodrome.access.actor import Actor
from aerodrome.fleet.incidents.contract import IncidentView
from aerodrome.fleet.incidents.reading import by_urgency
from aerodrome.kernel.errors import Conflict
from aerodrome.web.platform import Platform
from aerodrome.web.ui.pages.deployment_new import may_create
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import The, Visitor

router = APIRouter(include_in_schema=False)
TAIL = 400


@router.get("/")
def home(_visitor: Visitor) -> RedirectResponse:
    """Begin with the deployments."""
    return RedirectResponse("/deployments", 303)


@router.get("/deployments")
def deployments_page(request: Request, the: The, visitor: Visitor) -> HTMLResponse:
    """List what runs."""
    return draw(request, "pages/deployments.html", _list(the, visitor))


@router.get("/parts/deployments")
def deployments_part(request: Request, the: The, visitor: Visitor) -> HTMLResponse:
    return draw(request, "parts/deployment_rows.html", _list(the, visitor))


@router.get("/deployments/{ref}")
def deployment_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show one deployment."""
    return draw(request, "pages/deployment.html", _one(the, visitor, ref))


@router.get("/parts/deployments/{ref}")
def deployment_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    return draw(request, "parts/deployment_live.html", _one(the, visitor, ref))


@router.get("/deployments/{ref}/logs/{component}")
def log_page(request: Request, the: The, visitor: Visitor, ref: str, component: str) -> HTMLResponse:
    """Show the end of a component's log."""
    return draw(request, "pages/log.html", _log(the, visitor, ref, component))


@router.get("/parts/deployments/{ref}/logs/{component}")
def log_part(request: Request, the: The, visitor: Visitor, ref: str, component: str) -> HTMLResponse:
    return draw(request, "parts/log_lines.html", _log(the, visitor, ref, component))


@router.get("/deployments/{ref}/airflow")
def open_airflow(request: Request, the: The, visitor: Visitor, ref: str) -> RedirectResponse:
    """Go to the deployment's own Airflow pages through the gate, signed in with the role that the visitor has there."""
    item = the.fleet.get_deployment(visitor, ref)
    if item.airflow_url is None:
        raise Conflict(f"{item.name} is not up.", code="deployment-not-up", hint="Its page says what it waits for.")
    base = the.settings.gate_public_url or f"{request.url.scheme}://{request.url.hostname}:{the.settings.gate_port}"
    return RedirectResponse(base.rstrip("/") + item.airflow_url, 303)


def _list(the: Platform, visitor: Actor) -> dict[str, Any]:
    items = the.fleet.list_deployments(visitor)
    numbers = {
        item.current_deploy_id: the.fleet.get_deploy(visitor, item.id, item.current_deploy_id).number
        for item in items
        if item.current_deploy_id
    }
    return {
        "deployments": items,
        "numbers": numbers,
        "incidents": _open_incidents(the, visitor),
        "may_create": may_create(visitor, the.fleet.list_workspaces(visitor)),
    }


def _one(the: Platform, visitor: Actor, ref: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    return {
        "item": item,
        "tab": "",
        "incidents": by_urgency(the.fleet.deployment_incidents(visitor, item.id, is_open=True)),
        "deploys": the.fleet.list_deploys(visitor, item.id, limit=5),
    }


def _log(the: Platform, visitor: Actor, ref: str, component: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    lines = the.fleet.deployment_logs(visitor, item.id, component, TAIL)
    return {"item": item, "component": component, "lines": lines}


def _open_incidents(the: Platform, visitor: Actor) -> dict[str | None, list[IncidentView]]:
    """Give the open incidents by deployment (None: the platform), the worst first."""
    found: dict[str | None, list[IncidentView]] = {}
    for incident in by_urgency(the.fleet.list_incidents(visitor, is_open=True, limit=500)):
        found.setdefault(incident.deployment_id, []).append(incident)
    return found
