"""The Deploys tab of a deployment: its history, one deploy with its steps, and what lies between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import allows
from aerodrome.builds.git import GitSource
from aerodrome.fleet.views import DeployView
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
BUSY = frozenset({"queued", "building", "switching"})


@router.get("/deployments/{ref}/deploys")
def deploys_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show what was put there, newest first."""
    return draw(request, "pages/deploys.html", _history(the, visitor, ref))


@router.get("/parts/deployments/{ref}/deploys")
def deploys_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    return draw(request, "parts/deploy_rows.html", _history(the, visitor, ref))


@router.post("/deployments/{ref}/deploys")
def deploy_from_git(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Deploy a project that the server fetches from a repository."""
    source = GitSource(
        form.get("url", "").strip(),
        form.get("ref", "").strip() or None,
        form.get("folder", "").strip(),
        form.get("credentials", "").strip() or None,
    )
    name = form.get("bundle", "").strip() or None
    kind = "bundle" if name else "dags" if form.get("dags") else "full"
    view = the.fleet.deploy(
        visitor, ref, None, form.get("description", ""), "page", source=source, kind=kind, bundle_name=name
    )
    return RedirectResponse(f"/deployments/{view.deployment_id}/deploys/{view.number}", 303)


@router.get("/deployments/{ref}/deploys/{number}")
def deploy_page(request: Request, the: The, visitor: Visitor, ref: str, number: str) -> HTMLResponse:
    """Show one deploy: what it is, its steps with their logs, and the way back to it."""
    return draw(request, "pages/deploy.html", _one(the, visitor, ref, number))


@router.get("/parts/deployments/{ref}/deploys/{number}")
def deploy_part(request: Request, the: The, visitor: Visitor, ref: str, number: str, seen: str = "") -> HTMLResponse:
    """Give how far it is; when it is over the page loads anew with what can be done next."""
    values = _one(the, visitor, ref, number)
    answer = draw(request, "parts/deploy_live.html", values)
    if seen in BUSY and values["deploy"].status not in BUSY:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.get("/deployments/{ref}/deploys/{number}/diff")
def choose_diff(the: The, visitor: Visitor, ref: str, number: str, to: str = "") -> RedirectResponse:
    """Go to the comparison that was chosen; without a choice with the deploy before."""
    item = the.fleet.get_deployment(visitor, ref)
    deploys = the.fleet.list_deploys(visitor, item.id)
    this = the.fleet.get_deploy(visitor, item.id, number)
    other = to if to.isdecimal() else str(_before(deploys, this) or this.number)
    first, second = sorted((int(other), this.number))
    return RedirectResponse(f"/deployments/{item.id}/deploys/{first}/diff/{second}", 303)


@router.get("/deployments/{ref}/deploys/{before}/diff/{after}")
def diff_page(request: Request, the: The, visitor: Visitor, ref: str, before: str, after: str) -> HTMLResponse:
    """Show what differs between two deploys."""
    item = the.fleet.get_deployment(visitor, ref)
    found = the.fleet.diff_deploys(visitor, item.id, before, after)
    values = {"found": found, "numbers": [view.number for view in the.fleet.list_deploys(visitor, item.id)]}
    return draw(request, "pages/deploy_diff.html", {"item": item, "tab": "deploys", **values})


def _history(the: Platform, visitor: Actor, ref: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    deploys = the.fleet.list_deploys(visitor, item.id)
    return {
        "item": item,
        "tab": "deploys",
        "deploys": deploys,
        "is_busy": any(view.status in BUSY for view in deploys),
        "may_deploy": allows(visitor, "deploy.create", f"workspace/{item.workspace_id}/deployment/{item.id}"),
    }


def _one(the: Platform, visitor: Actor, ref: str, number: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    deploys = the.fleet.list_deploys(visitor, item.id)
    deploy = the.fleet.get_deploy(visitor, item.id, number)
    numbers = {view.id: view.number for view in deploys}
    return {
        "item": item,
        "tab": "deploys",
        "deploy": deploy,
        "is_busy": deploy.status in BUSY,
        "before": _before(deploys, deploy),
        "others": [view.number for view in deploys if view.number != deploy.number],
        "rolled_back_to": numbers.get(deploy.rollback_of or ""),
    }


def _before(deploys: Sequence[DeployView], deploy: DeployView) -> int | None:
    """Give the number of what was there before: the newest earlier deploy that went live, else the newest earlier one."""
    earlier = [view for view in deploys if view.number < deploy.number]
    live = [view.number for view in earlier if view.live_at is not None]
    return max(live, default=max((view.number for view in earlier), default=None))
