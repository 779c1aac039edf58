"""The Deploys tab of a deployment: its history, one deploy with its steps, and what lies between two."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, BinaryIO

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import allows
from aerodrome.builds.contract import Bundle
from aerodrome.builds.git import GitSource
from aerodrome.builds.trees import MAX_FILES
from aerodrome.fleet.composing import TAKEN
from aerodrome.fleet.requests import DeployKind
from aerodrome.fleet.views import DeployView
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.web.credentials import SESSION_COOKIE, check_csrf
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor
from aerodrome.web.uploads import check_may_deploy

router = APIRouter(include_in_schema=False)
BUSY = frozenset({"queued", "building", "switching"})
_ROWS = 50  # deploys on a page
_CHOICES = 200  # deploys that a comparison offers


@router.get("/deployments/{ref}/deploys")
def deploys_page(request: Request, the: The, visitor: Visitor, ref: str, below: int | None = None) -> HTMLResponse:
    """Show what was put there, newest first: fifty at a time, those with a number below `below`."""
    return draw(request, "pages/deploys.html", _history(the, visitor, ref, below=below))


@router.get("/parts/deployments/{ref}/deploys")
def deploys_part(request: Request, the: The, visitor: Visitor, ref: str, below: int | None = None) -> HTMLResponse:
    return draw(request, "parts/deploy_rows.html", _history(the, visitor, ref, below=below))


@router.post("/deployments/{ref}/uploads")
async def deploy_upload(request: Request, the: The, visitor: Visitor, ref: str) -> Response:
    """Deploy a project folder or an archive that the browser sends; the tab again when something is wrong with it."""
    await run_in_threadpool(check_may_deploy, the, visitor, ref)  # before reading hundreds of MB
    async with request.form(max_files=MAX_FILES, max_fields=20) as sent:
        form = {name: value for name, value in sent.items() if isinstance(value, str)}
        check_csrf(request.cookies.get(SESSION_COOKIE, ""), form.pop("csrf", ""))
        uploads = [(value.filename, value.file) for _, value in sent.multi_items() if not isinstance(value, str)]
        files = [(name, file) for name, file in uploads if name]
        return await run_in_threadpool(_deploy_files, request, the, visitor, ref, form, files)


@router.post("/deployments/{ref}/deploys")
def deploy_from_git(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Deploy a project that the server fetches from a repository."""
    source = GitSource(
        form.get("url", "").strip(),
        form.get("ref", "").strip() or None,
        form.get("folder", "").strip(),
        form.get("credentials", "").strip() or None,
    )
    name = form.get("bundle", "").strip() or None
    kind = "bundle" if name else "dags" if form.get("dags") else "full"
    more = {"kind": kind, "bundle_name": name, "is_forced": bool(form.get("forced"))}
    try:
        view = the.fleet.deploy(visitor, ref, None, form.get("description", ""), "page", source=source, **more)
    except AerodromeError as error:
        return draw(request, "pages/deploys.html", _history(the, visitor, ref, form, error), 422)
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
    this = the.fleet.get_deploy(visitor, item.id, number)
    other = to if to.isdecimal() else str(_before(the, visitor, this) or this.number)
    first, second = sorted((int(other), this.number))
    return RedirectResponse(f"/deployments/{item.id}/deploys/{first}/diff/{second}", 303)


@router.get("/deployments/{ref}/deploys/{before}/diff/{after}")
def diff_page(request: Request, the: The, visitor: Visitor, ref: str, before: str, after: str) -> HTMLResponse:
    """Show what differs between two deploys."""
    item = the.fleet.get_deployment(visitor, ref)
    found = the.fleet.diff_deploys(visitor, item.id, before, after)
    values = {"found": found, "numbers": _choices(the, visitor, item.id)}
    return draw(request, "pages/deploy_diff.html", {"item": item, "tab": "deploys", **values})


def _deploy_files(
    request: Request,
    the: Platform,
    visitor: Actor,
    ref: str,
    form: dict[str, str],
    files: Sequence[tuple[str, BinaryIO]],
) -> Response:
    bundle = form.get("upload_bundle", "").strip() or None
    kind: DeployKind = "bundle" if bundle else "dags" if form.get("part") == "dags" else "full"
    more = {"kind": kind, "bundle_name": bundle, "is_forced": bool(form.get("forced"))}
    try:
        kept = _keep(the, files, TAKEN[kind])
        view = the.fleet.deploy(visitor, ref, kept, form.get("description", ""), "page", **more)
    except AerodromeError as error:
        return draw(request, "pages/deploys.html", _history(the, visitor, ref, form, error), 422)
    return RedirectResponse(f"/deployments/{view.deployment_id}/deploys/{view.number}", 303)


def _keep(the: Platform, files: Sequence[tuple[str, BinaryIO]], only: AbstractSet[str] | None) -> Bundle:
    """Freeze what was sent: one archive, or the files of a folder."""
    if not files:
        raise Invalid(
            "Nothing was sent.",
            code="upload-missing",
            hint="Choose the project folder or an archive of it.",
            details={"field": "folder"},
        )
    name, content = files[0]
    if len(files) == 1 and "/" not in name:
        return the.bundles.put_archive(content, only)
    return the.bundles.put_files(files, only)


def _history(
    the: Platform,
    visitor: Actor,
    ref: str,
    form: dict[str, str] | None = None,
    error: AerodromeError | None = None,
    below: int | None = None,
) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    found = the.fleet.list_deploys(visitor, item.id, limit=_ROWS + 1, below=below)
    deploys = found[:_ROWS]
    return {
        "item": item,
        "tab": "deploys",
        "deploys": deploys,
        "below": below,
        "older": deploys[-1].number if len(found) > _ROWS else None,
        "is_busy": any(view.status in BUSY for view in deploys),
        "form": form or {},
        "error": error,
        "may_deploy": allows(visitor, "deploy.create", f"workspace/{item.workspace_id}/deployment/{item.id}"),
    }


def _one(the: Platform, visitor: Actor, ref: str, number: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    deploy = the.fleet.get_deploy(visitor, item.id, number)
    brought_back = deploy.rollback_of and the.fleet.get_deploy(visitor, item.id, deploy.rollback_of).number
    return {
        "item": item,
        "tab": "deploys",
        "deploy": deploy,
        "is_busy": deploy.status in BUSY,
        "before": _before(the, visitor, deploy),
        "others": [number for number in _choices(the, visitor, item.id) if number != deploy.number],
        "rolled_back_to": brought_back,
    }


def _choices(the: Platform, visitor: Actor, deployment_id: str) -> list[int]:
    """Give the numbers of the newest deploys, which a comparison offers; any other can be written into the address."""
    return [view.number for view in the.fleet.list_deploys(visitor, deployment_id, limit=_CHOICES)]


def _before(the: Platform, visitor: Actor, deploy: DeployView) -> int | None:
    """Give the number of what was there before: the newest earlier deploy that went live, else the newest earlier one."""
    earlier = the.fleet.list_deploys(visitor, deploy.deployment_id, limit=_ROWS, below=deploy.number)
    live = [view.number for view in earlier if view.live_at is not None]
    return max(live, default=max((view.number for view in earlier), default=None))
