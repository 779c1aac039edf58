"""The Code changes tab of a migration: each changed file as a diff, fifty on a page, to accept or reject; the plan keeps the choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from aerodrome.access.permissions import allows
from aerodrome.migration.service.tracks import UPDATE
from aerodrome.web.ui.pages.migrations import frame, or_none
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
FILES = 50
TAB = "/code"
KINDS = {
    "": "all files",
    "rejected": "rejected ones",
    "look": "those with something to look at",
    "raising": "those whose tasks raise",
}


@router.get("/migrations/{ref}/code")
def code_page(
    request: Request, the: The, visitor: Visitor, ref: str, text: str = "", kind: str = "", page: int = 1
) -> HTMLResponse:
    """Show the changes that fit a choice."""
    values = frame(the, visitor, ref, TAB)
    code = or_none(the.migrations.code_review.changes, visitor, ref)
    may_decide = allows(visitor, UPDATE, f"workspace/{values['item'].workspace_id}") and values["item"].plan_digest
    return draw(
        request,
        "pages/migration_code.html",
        {
            **values,
            "code": code,
            "review": the.migrations.code_review.state(visitor, ref),
            "may_decide": bool(may_decide),
            "kinds": KINDS,
            **(shown(code, text.strip(), kind, page) if code else {}),
        },
    )


@router.get("/parts/migrations/{ref}/code")
def code_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Tell that a review is being made; once it is not any more, the page loads anew."""
    review = the.migrations.code_review.state(visitor, ref)
    answer = draw(
        request, "parts/migration_code_review.html", {"item": the.migrations.get(visitor, ref), "review": review}
    )
    if review["status"] != "asked":
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/migrations/{ref}/code/review")
def review(the: The, visitor: Visitor, ref: str, _form: Form) -> RedirectResponse:
    """Ask for what the code step would change."""
    the.migrations.code_review.ask(visitor, ref)
    return RedirectResponse(f"/migrations/{ref}{TAB}", 303)


@router.post("/migrations/{ref}/code/decisions")
def decide(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Keep what was accepted of the files that the page showed; what it did not show stays as it was."""
    shown_files = {value for name, value in form.items() if name.startswith("shown.")}
    accepted = {value for name, value in form.items() if name.startswith("accept.")}
    before = set(the.migrations.code_review.changes(visitor, ref)["rejected"])
    present = {file["path"] for file in the.migrations.code_review.changes(visitor, ref)["files"] if file["diff"]}
    the.migrations.code_review.decide(visitor, ref, ((before - shown_files) | (shown_files - accepted)) & present)
    query = urlencode({name: form[name] for name in ("text", "kind", "page") if form.get(name)})
    return RedirectResponse(f"/migrations/{ref}{TAB}" + (f"?{query}" if query else ""), 303)


def shown(code: Mapping[str, Any], text: str, kind: str, page: int) -> dict[str, Any]:
    """Give what the page draws of the files. Linear in their number."""
    fitting = [file for file in code["files"] if _fits(file, text, kind)]
    pages = max(1, -(-len(fitting) // FILES))
    page = min(max(1, page), pages)
    changed = [file for file in code["files"] if file["diff"]]

    def query(**changes: Any) -> str:
        fields = {"text": text, "kind": kind, "page": page, **changes}
        kept = {name: value for name, value in fields.items() if value and (name, value) != ("page", 1)}
        return f"?{urlencode(kept)}" if kept else "?"

    return {
        "files": fitting[(page - 1) * FILES : page * FILES],
        "found": len(fitting),
        "changed": len(changed),
        "accepted": sum(not file["is_rejected"] for file in changed),
        "raising": sum(file["is_raising"] for file in code["files"]),
        "spots": sum(len(file["findings"]) for file in code["files"]),
        "text": text,
        "kind": kind,
        "page": page,
        "pages": pages,
        "query": query,
    }


def _fits(file: Mapping[str, Any], text: str, kind: str) -> bool:
    if kind == "rejected" and not file["is_rejected"]:
        return False
    if kind == "raising" and not file["is_raising"]:
        return False
    if kind == "look" and not file["findings"]:
        return False
    return text.casefold() in f"{file['path']} {' '.join(file['rules'])}".casefold()
