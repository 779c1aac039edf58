"""What is proved about a migration: parity reports side by side, the cutover checklist, the decommission with its evidence."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import allows
from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.proofs.contract import CompareWish, ProofKind
from aerodrome.web.platform import Platform
from aerodrome.web.ui.pages.migrations import frame
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
REPORTS_SHOWN = 100
ASPECTS = {
    "run": "Run",
    "structure": "Structure",
    "state": "States",
    "tries": "Tries",
    "duration": "Durations",
    "xcom": "XComs",
    "rendered": "Rendered templates",
    "logs": "Error patterns in logs",
    "data": "Data",
}
KINDS = {
    "machine": "Machines", "kubernetes": "Kubernetes", "database": "Databases", "broker": "Brokers", "storage": "Storage",
    "address": "Addresses", "service": "Services", "secret": "Secrets to revoke", "people": "People to tell",
}  # fmt: skip


@router.get("/migrations/{ref}/parity")
def parity_page(
    request: Request, the: The, visitor: Visitor, ref: str, verdict: str = "", text: str = "", page: int = 1
) -> HTMLResponse:
    """List the parity reports, what differs first, filtered and in pages; and the newest comparison."""
    values = _parity(the, visitor, ref, verdict=verdict, text=text.strip(), page=page)
    return draw(request, "pages/migration_parity.html", values)


@router.post("/migrations/{ref}/parity", response_model=None)
def compare(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> HTMLResponse | RedirectResponse:
    """Ask for a comparison; a mistake is shown again."""
    wish = CompareWish(
        deployment=form.get("deployment", "").strip() or f"{ref}-dev",
        wave=form.get("wave") or None,
        dag_ids=tuple(form.get("dag_ids", "").split()),
        file=form.get("file") or None,
        with_shadow="with_shadow" in form,
    )
    try:
        the.migrations.proofs.compare(visitor, ref, wish)
    except Invalid as error:
        return draw(
            request, "pages/migration_parity.html", {**_parity(the, visitor, ref), "error": error, "form": form}, 422
        )
    return RedirectResponse(f"/migrations/{ref}/parity", 303)


@router.get("/migrations/{ref}/parity/{dag_id}")
def report_page(request: Request, the: The, visitor: Visitor, ref: str, dag_id: str, show: str = "") -> HTMLResponse:
    """Show one DAG's report, both sides beside each other; `show=all` with what is equal."""
    report = the.migrations.proofs.parity_report(visitor, ref, dag_id)
    is_all = show == "all"
    groups = [
        {
            "title": title,
            "rows": [
                row for row in report["rows"] if row["aspect"] == aspect and (is_all or row["outcome"] != "equal")
            ],
            "counts": report["counts"].get(aspect, {}),
        }
        for aspect, title in ASPECTS.items()
        if aspect in report["counts"]
    ]
    values = {**frame(the, visitor, ref, "/parity"), "report": report, "groups": groups, "is_all": is_all}
    return draw(request, "pages/migration_parity_dag.html", values)


@router.get("/migrations/{ref}/checklist")
def checklist_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show the checklist as the platform last saw it."""
    values = {**frame(the, visitor, ref, "/checklist"), **_proof(the, visitor, ref, "checklist")}
    return draw(request, "pages/migration_checklist.html", values)


@router.post("/migrations/{ref}/checklist")
def check(the: The, visitor: Visitor, ref: str, _form: Form) -> RedirectResponse:
    """Look the checklist through anew."""
    the.migrations.proofs.check(visitor, ref)
    return RedirectResponse(f"/migrations/{ref}/checklist", 303)


@router.get("/migrations/{ref}/decommission")
def decommission_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show whether the source may go, what is kept of it and what is to be removed."""
    return draw(request, "pages/migration_decommission.html", _end(the, visitor, ref))


@router.post("/migrations/{ref}/decommission", response_model=None)
def decommission(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> HTMLResponse | RedirectResponse:
    """Ask for a look at the end of the source; a mistake is shown again, without the passphrase."""
    secret, days = form.get("passphrase", ""), form.get("days", "14").strip()
    try:
        the.migrations.proofs.decommission(
            visitor,
            ref,
            days=int(days) if days.isdecimal() else 0,
            passphrase=Secret(secret) if secret else None,
            logs=form.get("logs", "").strip() or None,
            access_log=form.get("access_log", "").strip() or None,
        )
    except Invalid as error:
        values = {**_end(the, visitor, ref), "error": error, "form": {**form, "passphrase": ""}}
        return draw(request, "pages/migration_decommission.html", values, 422)
    return RedirectResponse(f"/migrations/{ref}/decommission", 303)


@router.post("/migrations/{ref}/evidence")
def evidence(the: The, visitor: Visitor, ref: str, _form: Form) -> FileResponse:
    """Write the evidence bundle and give it."""
    made = the.migrations.proofs.create_evidence(visitor, ref)
    return FileResponse(made.path, media_type="application/x-tar", filename=f"evidence-{made.key_id}.tar")


@router.get("/parts/migrations/{ref}/proof/{proof_id}")
def proof_part(request: Request, the: The, visitor: Visitor, ref: str, proof_id: str) -> HTMLResponse:
    """Give how far a proof is; once it has ended the page loads anew with its result."""
    found = the.migrations.proofs.get(visitor, ref, proof_id)
    answer = draw(request, "parts/proof_live.html", {"proof": found, "item": the.migrations.get(visitor, ref)})
    if not found.is_busy:
        answer.headers["HX-Refresh"] = "true"
    return answer


def _parity(
    the: Platform, visitor: Actor, ref: str, *, verdict: str = "", text: str = "", page: int = 1
) -> dict[str, Any]:
    base = frame(the, visitor, ref, "/parity")
    reports = the.migrations.proofs.parity(visitor, ref)
    counts = {
        verdict: sum(item.verdict == verdict for item in reports)
        for verdict in ("match", "explained", "mismatch", "not-compared")
    }
    fitting = [
        item
        for item in reports
        if verdict in ("", item.verdict) and text.casefold() in f"{item.dag_id} {item.summary}".casefold()
    ]
    pages = max(1, -(-len(fitting) // REPORTS_SHOWN))
    page = min(max(1, page), pages)
    return {
        **base,
        **_proof(the, visitor, ref, "compare"),
        "is_compared": bool(reports),
        "reports": fitting[(page - 1) * REPORTS_SHOWN : page * REPORTS_SHOWN],
        "found": len(fitting),
        "verdict": verdict,
        "text": text,
        "page": page,
        "pages": pages,
        "query": lambda **changes: "?" + urlencode({"verdict": verdict, "text": text, "page": page, **changes}),
        "counts": counts,
        "error": None,
        "form": {},
    }


def _end(the: Platform, visitor: Actor, ref: str) -> dict[str, Any]:
    base = {**frame(the, visitor, ref, "/decommission"), **_proof(the, visitor, ref, "decommission")}
    items = base["proof"].result.get("items", []) if base["proof"] else []
    groups = [(title, [item for item in items if item["kind"] == kind]) for kind, title in KINDS.items()]
    try:
        has_runbook = bool(the.migrations.proofs.runbook(visitor, ref))
    except NotFound:
        has_runbook = False
    shown = [(title, rows) for title, rows in groups if rows]
    return {**base, "groups": shown, "has_runbook": has_runbook, "error": None, "form": {}}


def _proof(the: Platform, visitor: Actor, ref: str, kind: ProofKind) -> dict[str, Any]:
    item = the.migrations.get(visitor, ref)
    return {
        "proof": the.migrations.proofs.newest(visitor, ref, kind),
        "may_ask": allows(visitor, "migration.apply", f"workspace/{item.workspace_id}"),
        "is_planned": item.plan_digest is not None,
    }
