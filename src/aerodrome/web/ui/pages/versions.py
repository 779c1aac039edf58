"""The Versions tab of a deployment: where it could go, rehearsals with their reports, and the buttons of the real step."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from aerodrome.access.actor import Actor
from aerodrome.fleet.versions import Change
from aerodrome.fleet.views import DeployView, RehearsalView, VersionChoice
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
BUSY = frozenset({"queued", "running"})


@router.get("/deployments/{ref}/versions")
def versions_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show which versions there are, and what was rehearsed."""
    return draw(request, "pages/versions.html", _frame(the, visitor, ref))


@router.get("/deployments/{ref}/rehearsals/{rehearsal_id}")
def rehearsal_page(request: Request, the: The, visitor: Visitor, ref: str, rehearsal_id: str) -> HTMLResponse:
    """Show a rehearsal: its log while it runs, then its report and the button of the real step."""
    return draw(request, "pages/rehearsal.html", _rehearsal(the, visitor, ref, rehearsal_id))


@router.get("/parts/deployments/{ref}/rehearsals/{rehearsal_id}")
def rehearsal_part(
    request: Request, the: The, visitor: Visitor, ref: str, rehearsal_id: str, seen: str = ""
) -> HTMLResponse:
    """Give how far it is; when it is over the page loads anew with its report."""
    values = _rehearsal(the, visitor, ref, rehearsal_id)
    answer = draw(request, "parts/rehearsal_live.html", values)
    if seen in BUSY and values["rehearsal"].status not in BUSY:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/deployments/{ref}/rehearse")
def rehearse(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Ask for a try on a copy: of an upgrade, or of the way back to a deploy."""
    change = Change(to=form.get("to") or None, python=form.get("python") or None, deploy=form.get("deploy") or None)
    view = the.fleet.rehearse(visitor, ref, change)
    return RedirectResponse(f"/deployments/{view.deployment_id}/rehearsals/{view.id}", 303)


@router.post("/deployments/{ref}/upgrade")
def upgrade(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Take the version that was rehearsed."""
    tried = the.fleet.get_rehearsal(visitor, ref, form.get("rehearsal", ""))
    change = Change(
        to=tried.to_version,
        python=tried.python_version,
        rehearsal_id=tried.id,
        origin="page",
        is_forced=tried.status != "passed",
    )
    return _to_deploy(the.fleet.upgrade(visitor, ref, change))


@router.post("/deployments/{ref}/rollback")
def roll_back(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Bring a deploy back, rehearsed or on the same Airflow."""
    tried = the.fleet.get_rehearsal(visitor, ref, form["rehearsal"]) if form.get("rehearsal") else None
    change = Change(
        deploy=tried.rollback_of if tried is not None else form.get("deploy", ""),
        with_configuration=form.get("with_configuration") == "yes",
        rehearsal_id=tried.id if tried is not None else None,
        origin="page",
        is_forced=tried is not None and tried.status != "passed",
    )
    return _to_deploy(the.fleet.roll_back(visitor, ref, change))


def _to_deploy(deploy: DeployView) -> RedirectResponse:
    return RedirectResponse(f"/deployments/{deploy.deployment_id}/deploys/{deploy.number}", 303)


def _frame(the: Platform, visitor: Actor, ref: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    choices = the.fleet.list_versions(visitor, item.id)
    deploys = the.fleet.list_deploys(visitor, item.id)
    return {
        "item": item,
        "tab": "versions",
        "upgrades": [choice for choice in choices if choice.way == "forward"],
        "ways_back": [
            (choice, _newest_on(deploys, choice.airflow_version)) for choice in choices if _is_way_back(choice)
        ],
        "pythons": sorted({python for choice in choices for python in choice.pythons}, key=_by_number),
        "rehearsals": the.fleet.list_rehearsals(visitor, item.id),
        "changes": [deploy for deploy in deploys if deploy.conversion],
    }


def _rehearsal(the: Platform, visitor: Actor, ref: str, rehearsal_id: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    found = the.fleet.get_rehearsal(visitor, item.id, rehearsal_id)
    target = the.fleet.get_deploy(visitor, item.id, found.rollback_of) if found.rollback_of else None
    return {
        "item": item,
        "tab": "versions",
        "rehearsal": found,
        "report": found.report or {},
        "target": target,
        "lines": [line.partition(" ")[2] for line in found.log.splitlines()],
        "is_busy": found.status in BUSY,
        "is_current": _still_fits(found, item.airflow_version),
    }


def _still_fits(found: RehearsalView, airflow_version: str) -> bool:
    return found.from_version == airflow_version and found.status in ("passed", "refused")


def _is_way_back(choice: VersionChoice) -> bool:
    return choice.way == "back" and choice.is_possible


def _newest_on(deploys: list[DeployView], airflow_version: str) -> DeployView | None:
    fits = (deploy for deploy in deploys if deploy.airflow_version == airflow_version and deploy.live_at is not None)
    return next(fits, None)


def _by_number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))
