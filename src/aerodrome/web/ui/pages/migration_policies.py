"""What becomes of each DAG's runs at its cutover: seen in pages, chosen for some DAGs, for a wave or for all."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import allows
from aerodrome.kernel.errors import AerodromeError, Conflict, Invalid
from aerodrome.migration.plan.fields import ACCEPTABLE, duration_text
from aerodrome.migration.plan.policy_choices import KEYS
from aerodrome.migration.service.tracks import UPDATE
from aerodrome.web.platform import Platform
from aerodrome.web.problems import status_of
from aerodrome.web.ui.pages.migrations import frame as frame_of
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
SHOWN = 50
TICKED, WAVE, ALL = "ticked", "wave:", "all"
ON_DEADLINE = {
    "wait": "wait, and look again later",
    "fail": "stop the wave; nothing is lost",
    "rerun": "stop what runs; the target runs it again",
}


@router.get("/migrations/{ref}/policies")
def policies_page(
    request: Request, the: The, visitor: Visitor, ref: str, wave: str = "", text: str = "", page: int = 1
) -> HTMLResponse:
    """Show what counts for each DAG, in the order of the waves, filtered and in pages."""
    return _page(request, the, visitor, ref, wave=wave, text=text.strip(), page=page)


@router.post("/migrations/{ref}/policies")
def choose(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Let the plan keep a choice; the page again with its error when it cannot be so."""
    seen = {"wave": form.get("shown_wave", ""), "text": form.get("shown_text", "")}
    page = int(form.get("shown_page", "1")) if form.get("shown_page", "1").isdecimal() else 1
    try:
        dag_ids, waves = _scope(form)
        the.migrations.policies.choose(visitor, ref, _choices(form), dag_ids=dag_ids, waves=waves)
    except (Invalid, Conflict) as error:
        return _page(request, the, visitor, ref, error, form, page=page, **seen)
    return RedirectResponse(f"/migrations/{ref}/policies?{urlencode({**seen, 'page': page})}", 303)


def _scope(form: Form) -> tuple[list[str], list[str]]:
    """Give the DAGs and waves that are meant, none when all are; Invalid when no DAG is ticked where some should be."""
    scope = form.get("scope", TICKED)
    if scope == ALL:
        return [], []
    if scope.startswith(WAVE):
        return [], [scope.removeprefix(WAVE)]
    dag_ids = [name.removeprefix("dag/") for name in form if name.startswith("dag/")]
    if not dag_ids:
        raise Invalid("No DAG is ticked.", code="policy-no-dag", hint="Tick DAGs in the table, or choose a wave.")
    return dag_ids, []


def _choices(form: Form) -> dict[str, Any]:
    """Give what was chosen; a field that says 'as it is' is left out."""
    if form.get("act") == "as-all":
        return dict.fromkeys(KEYS)
    choices: dict[str, Any] = {key: form[key].strip() for key in KEYS[:2] if form.get(key, "").strip()}
    if form.get("accepts") == "these":
        choices["accept"] = [name for name in ACCEPTABLE if form.get(f"accept/{name}")]
    return choices


def _page(
    request: Request,
    the: Platform,
    visitor: Actor,
    ref: str,
    error: AerodromeError | None = None,
    form: Form | None = None,
    *,
    wave: str = "",
    text: str = "",
    page: int = 1,
) -> HTMLResponse:
    frame = frame_of(the, visitor, ref, "/plan")
    known = the.migrations.policies.list(visitor, ref) if frame["item"].plan_digest else ()
    fitting = [row for row in known if wave in ("", row["wave"]) and text.casefold() in row["dag_id"].casefold()]
    pages = max(1, -(-len(fitting) // SHOWN))
    page = min(max(1, page), pages)
    values: dict[str, Any] = {
        "rows": fitting[(page - 1) * SHOWN : page * SHOWN],
        "total": len(known),
        "found": len(fitting),
        "own": sum(bool(row["own"]) for row in known),
        "waves": list(dict.fromkeys(row["wave"] for row in known)),
        "wave": wave,
        "text": text,
        "page": page,
        "pages": pages,
        "query": lambda number: "?" + urlencode({"wave": wave, "text": text, "page": number}),
        "may_choose": allows(visitor, UPDATE, f"workspace/{frame['item'].workspace_id}"),
        "on_deadline": ON_DEADLINE,
        "acceptable": ACCEPTABLE,
        "duration": duration_text,
        "form": form or {},
        "error": error,
    }
    return draw(
        request, "pages/migration_policies.html", {**frame, **values}, 200 if error is None else status_of(error)
    )
