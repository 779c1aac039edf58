"""What people say of an estate of Oozie or Control-M definitions: what is held there, and which time ran last."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access.actor import Actor
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.migration.service.holds import Hold
from aerodrome.web.platform import Platform
from aerodrome.web.ui.pages.migrations import HOLDS
from aerodrome.web.ui.pages.migrations import frame as frame_of
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
SHOWN = 50
SHOWS = {"": "all", "missing": "what cannot move yet", "ready": "what can move"}


@router.get("/migrations/{ref}/holds")
def holds_page(
    request: Request, the: The, visitor: Visitor, ref: str, show: str = "", text: str = "", page: int = 1
) -> HTMLResponse:
    """Show where each DAG stands: what cannot move yet first, filtered and in pages."""
    return _page(request, the, visitor, ref, show=show, text=text.strip(), page=page)


@router.post("/migrations/{ref}/holds")
def confirm(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Write down what somebody confirms; the page again with its error when it cannot be so."""
    try:
        hold = Hold(
            dag_id=form.get("dag_id", ""),
            last_done=_moment(form.get("last_done", "").strip()),
            has_never_run=form.get("has_never_run") == "on",
            job=form.get("job", "").strip(),
            is_held=form.get("act") != "withdraw",
        )
        the.migrations.holds.say(visitor, ref, [hold])
    except AerodromeError as error:
        return _page(request, the, visitor, ref, error, first=form.get("dag_id", ""))
    return RedirectResponse(f"/migrations/{ref}{HOLDS}", 303)


def _page(
    request: Request,
    the: Platform,
    visitor: Actor,
    ref: str,
    error: AerodromeError | None = None,
    *,
    show: str = "",
    text: str = "",
    page: int = 1,
    first: str = "",
) -> HTMLResponse:
    """Draw it; the DAG `first` stands first, since a mistake is shown at the first field of its name."""
    known = the.migrations.holds.list(visitor, ref)
    fitting = [
        view
        for view in known
        if text.casefold() in view.dag_id.casefold()
        and (show not in ("missing", "ready") or bool(view.missing) == (show == "missing"))
    ]
    ordered = sorted(fitting, key=lambda view: (view.dag_id != first, not view.missing, view.dag_id))
    pages = max(1, -(-len(ordered) // SHOWN))
    page = min(max(1, page), pages)
    values: dict[str, Any] = {
        "holds": ordered[(page - 1) * SHOWN : page * SHOWN],
        "total": len(known),
        "found": len(ordered),
        "missing": sum(bool(view.missing) for view in known),
        "error": error,
        "shows": SHOWS,
        "show": show,
        "text": text,
        "page": page,
        "pages": pages,
        "query": lambda number: "?" + urlencode({"show": show, "text": text, "page": number}),
    }
    frame = frame_of(the, visitor, ref, HOLDS)
    return draw(request, "pages/migration_holds.html", {**frame, **values}, 200 if error is None else 422)


def _moment(text: str) -> datetime | None:
    """Read a time that somebody wrote; without a zone it is UTC."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid(
            f"{text} is not a time.",
            code="field-invalid",
            hint="Write it as 2026-03-01T02:00Z.",
            details={"field": "last_done"},
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
