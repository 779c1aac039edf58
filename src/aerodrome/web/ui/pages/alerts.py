"""Alert channels: who is told what, a form for another one, and what each was told."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.alerts.contract import EVENTS, AlertChannelView
from aerodrome.kernel.errors import AerodromeError, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
DELIVERIES_SHOWN = 100
PURPOSES = {
    "incident": "Incidents of deployments",
    "migration": "What migrations meet",
}  # the first part of an event's name


@router.get("/alerts")
def alerts_page(request: Request, the: The, visitor: Visitor) -> HTMLResponse:
    """List the channels, with a form for another one."""
    return _list(request, the, visitor)


@router.post("/alerts")
def make(request: Request, the: The, visitor: Visitor, form: Form) -> Response:
    """Make a channel and send it a test; the form again when something is wrong with it. Its address is never drawn."""
    is_chosen = form.get("scope") == "chosen"
    wanted = [name for name in EVENTS if f"event.{name}" in form]
    try:
        if is_chosen and not wanted:
            raise Invalid("events: choose at least one.", code="alert-event-unknown", details={"field": "events"})
        made = the.alerts.create(
            visitor,
            form.get("workspace", ""),
            form.get("name", "").strip(),
            Secret(form.get("url", "").strip()),
            wanted if is_chosen else (),
        )
        the.alerts.test(visitor, made.id)
    except AerodromeError as error:
        return _list(request, the, visitor, form, error)
    return RedirectResponse(f"/alerts/{made.id}", 303)


@router.get("/alerts/{ref}")
def alert_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show a channel and what it was told."""
    return _page(request, the, visitor, ref)


@router.get("/parts/alerts/{ref}/deliveries")
def deliveries_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    return draw(request, "parts/alert_deliveries.html", _deliveries(the, visitor, ref))


@router.post("/alerts/{ref}/test")
def test(request: Request, the: The, visitor: Visitor, ref: str, _form: Form) -> Response:
    """Send a test event."""
    try:
        the.alerts.test(visitor, ref)
    except AerodromeError as error:
        return _page(request, the, visitor, ref, error)
    return RedirectResponse(f"/alerts/{ref}", 303)


@router.post("/alerts/{ref}/delete")
def delete(request: Request, the: The, visitor: Visitor, ref: str, _form: Form) -> Response:
    """Forget a channel."""
    try:
        the.alerts.delete(visitor, ref)
    except AerodromeError as error:
        return _page(request, the, visitor, ref, error)
    return RedirectResponse("/alerts", 303)


def _list(
    request: Request,
    the: Platform,
    visitor: Actor,
    form: Mapping[str, str] | None = None,
    error: AerodromeError | None = None,
) -> HTMLResponse:
    items = the.alerts.list(visitor)
    workspaces = [item for item in the.fleet.list_workspaces(visitor) if _may_manage(visitor, item.id)]
    values = {
        "items": items,
        "workspaces": workspaces,
        "groups": [
            (title, [name for name in EVENTS if name.startswith(f"{part}.")]) for part, title in PURPOSES.items()
        ],
        "form": form or {},
        "error": error,
    }
    return draw(request, "pages/alerts.html", values, 422 if error else 200)


def _page(
    request: Request, the: Platform, visitor: Actor, ref: str, error: AerodromeError | None = None
) -> HTMLResponse:
    values = _deliveries(the, visitor, ref)
    item = values["item"]
    assert isinstance(item, AlertChannelView)  # noqa: S101 - what _deliveries gives
    values |= {"error": error, "may_manage": _may_manage(visitor, item.workspace_id)}
    return draw(request, "pages/alert.html", values, 422 if error else 200)


def _deliveries(the: Platform, visitor: Actor, ref: str) -> dict[str, object]:
    item = next((each for each in the.alerts.list(visitor) if ref in (each.id, each.name)), None)
    if item is None:
        raise NotFound("There is no such alert channel.", code="alert-channel-unknown", hint="/alerts lists them.")
    told = the.alerts.deliveries(visitor, item.id)[:DELIVERIES_SHOWN]
    return {"item": item, "deliveries": told, "is_waiting": any(each.status == "waiting" for each in told)}


def _may_manage(visitor: Actor, workspace_id: str) -> bool:
    return permissions.allows(visitor, "alert.manage", f"workspace/{workspace_id}")
