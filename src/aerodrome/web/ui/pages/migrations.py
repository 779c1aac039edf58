"""Migrations: the list; one with live progress, findings, plan, code changes and report; the buttons that move it on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from aerodrome.access.actor import Actor
from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.migration.service.tracks import BUSY
from aerodrome.migration.service.views import MigrationView, PlanView, TrackView
from aerodrome.migration.sources.contract import DEFINITION_KINDS, DEFINITION_NAMES
from aerodrome.web.platform import Platform
from aerodrome.web.ui.pages import migration_findings
from aerodrome.web.ui.pages.migration_new import may_connect
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
TABS = (
    ("Progress", ""),
    ("Findings", "/findings"),
    ("Plan", "/plan"),
    ("Holds", "/holds"),
    ("Waves", "/waves"),
    ("Code changes", "/code"),
    ("Parity", "/parity"),
    ("Checklist", "/checklist"),
    ("Decommission", "/decommission"),
    ("Report", "/report"),
)
DIFFERENCES_SHOWN = 100
STEPS_SHOWN = 200
HOLDS = "/holds"
"""Only where people hold what has no scheduler that we can pause."""
PHASES = ("connect", "assess", "plan", "apply", "cutover")


@dataclass(frozen=True)
class Action:
    """A button."""

    title: str
    path: str
    tone: str = ""
    wave: str = ""
    question: str = ""  # asked before it is done


@router.get("/migrations")
def migrations_page(request: Request, the: The, visitor: Visitor) -> HTMLResponse:
    """List the migrations."""
    values = {
        "migrations": the.migrations.list(visitor),
        "may_connect": may_connect(visitor, the.fleet.list_workspaces(visitor)),
    }
    return draw(request, "pages/migrations.html", values)


@router.get("/migrations/{ref}")
def migration_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show how far a migration has come."""
    return draw(request, "pages/migration.html", _live(the, visitor, ref))


@router.get("/parts/migrations/{ref}")
def migration_part(request: Request, the: The, visitor: Visitor, ref: str, seen: str = "") -> HTMLResponse:
    """Give what goes on now; when the status that the page has seen is over, the page loads anew with its new buttons."""
    values = _live(the, visitor, ref)
    answer = draw(request, "parts/migration_live.html", values)
    if seen and seen != values["item"].status:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.get("/migrations/{ref}/findings")
def findings_page(
    request: Request,
    the: The,
    visitor: Visitor,
    ref: str,
    severity: str = "",
    code: str = "",
    text: str = "",
    page: int = 1,
) -> HTMLResponse:
    """Show what the assessment found, filtered and in pages: an estate may have a hundred thousand findings."""
    values = frame(the, visitor, ref, "/findings")
    assessment = or_none(the.migrations.assessment, visitor, ref)
    if assessment:
        wanted = migration_findings.Filter(severity, code, text.strip(), page)
        values |= migration_findings.shown(assessment["findings"], wanted)
    return draw(request, "pages/migration_findings.html", {**values, "assessment": assessment})


@router.get("/migrations/{ref}/plan")
def plan_page(request: Request, the: The, visitor: Visitor, ref: str, wave: str = "", page: int = 1) -> HTMLResponse:
    """Show the plan for editing, and the steps that it means; of the waves one at a time, in pages."""
    plan = or_none(the.migrations.plan, visitor, ref)
    values = {**frame(the, visitor, ref, "/plan"), "plan": plan, "error": None}
    return draw(request, "pages/migration_plan.html", {**values, **_steps_of(plan, wave, page)})


@router.post("/migrations/{ref}/plan")
def save_plan(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> HTMLResponse:
    """Check and keep an edited plan; a wrong one is shown again with its error."""
    text = form.get("text", "").replace("\r\n", "\n")
    try:
        plan = the.migrations.save_plan(visitor, ref, text)
    except Invalid as error:
        before = the.migrations.plan(visitor, ref)
        shown = {"text": text, "digest": before.digest, "steps": before.steps, "notes": ()}
        values = {**frame(the, visitor, ref, "/plan"), "plan": shown, "error": error}
        return draw(request, "pages/migration_plan.html", {**values, **_steps_of(before)}, 422)
    values = {**frame(the, visitor, ref, "/plan"), "plan": plan, "error": None}
    return draw(request, "pages/migration_plan.html", {**values, **_steps_of(plan)})


def _steps_of(plan: PlanView | None, wave: str = "", page: int = 1) -> dict[str, Any]:
    """Give the steps of one wave, a page of them: those of 4,000 DAGs would be megabytes."""
    if plan is None or not plan.waves:
        return {"waves": [], "wave": ""}
    chosen = wave if wave in plan.waves else next(iter(plan.waves))
    steps = plan.waves[chosen]
    pages = max(1, -(-len(steps) // STEPS_SHOWN))
    page = min(max(1, page), pages)
    return {
        "waves": [(name, len(found)) for name, found in plan.waves.items()],
        "wave": chosen,
        "shown": steps[(page - 1) * STEPS_SHOWN : page * STEPS_SHOWN],
        "total": len(steps),
        "page": page,
        "pages": pages,
    }


@router.get("/migrations/{ref}/report")
def report_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show the report."""
    values = frame(the, visitor, ref, "/report")
    values |= {"report": the.migrations.report(visitor, ref), "diff": _diff(the, visitor, ref)}
    return draw(request, "pages/migration_report.html", values)


@router.get("/parts/migrations/{ref}/diff")
def diff_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Give the newest comparison of source and target, or how far it is."""
    values = {"item": the.migrations.get(visitor, ref), "diff": _diff(the, visitor, ref)}
    return draw(request, "parts/migration_diff.html", values)


@router.post("/migrations/{ref}/diff")
def compare_sides(the: The, visitor: Visitor, ref: str, _form: Form) -> RedirectResponse:
    """Ask for a comparison of source and target."""
    the.migrations.differences.ask(visitor, ref)
    return RedirectResponse(f"/migrations/{the.migrations.get(visitor, ref).id}/report", 303)


def _diff(the: Platform, visitor: Actor, ref: str) -> dict[str, Any] | None:
    """Give the comparison with the first DAGs that differ; None before the first."""
    found = or_none(the.migrations.differences.get, visitor, ref)
    if not found:
        return None
    differing = [
        (dag["dag_id"], kind, table)
        for dag in found.get("dags", ())
        if isinstance(dag, dict)
        for kind, table in dag["tables"].items()
        if table["missing"] or table["different"] or table["extra"]
    ]
    return {**found, "rows": differing[:DIFFERENCES_SHOWN], "more": max(0, len(differing) - DIFFERENCES_SHOWN)}


@router.post("/migrations/{ref}/assess")
def assess(the: The, visitor: Visitor, ref: str, _form: Form) -> RedirectResponse:
    """Ask for a scan and an assessment."""
    return _back(the.migrations.assess(visitor, ref))


@router.post("/migrations/{ref}/apply")
def apply(the: The, visitor: Visitor, ref: str, _form: Form) -> RedirectResponse:
    """Walk the plan, or go on where it stopped."""
    return _back(the.migrations.apply(visitor, ref))


@router.post("/migrations/{ref}/cutover")
def cut_over(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Hand a wave over, or go on where it stopped."""
    return _back(the.migrations.waves.cut_over(visitor, ref, form.get("wave", "")))


@router.post("/migrations/{ref}/rollback")
def roll_back(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Give the DAGs of a wave back to the source."""
    return _back(the.migrations.waves.roll_back(visitor, ref, form.get("wave", "")))


def frame(the: Platform, visitor: Actor, ref: str, tab: str) -> dict[str, Any]:
    """Give what every page of a migration shows: itself, its buttons, its tabs."""
    item = the.migrations.get(visitor, ref)
    return {
        "item": item,
        "busy": BUSY,
        "names": DEFINITION_NAMES,
        "phases": phases_of(item),
        "actions": actions_of(item),
        "tabs": [
            {"title": title, "path": path, "is_current": path == tab}
            for title, path in TABS
            if path != HOLDS or item.source_kind in DEFINITION_KINDS
        ],
    }


def _live(the: Platform, visitor: Actor, ref: str) -> dict[str, Any]:
    return {**frame(the, visitor, ref, ""), "bridge": the.migrations.bridge(visitor, ref)}


def actions_of(item: MigrationView) -> list[Action]:
    """Give what can be done now."""
    if item.status in BUSY:
        return []
    tracks = {track.name: track for track in item.tracks}
    applied = tracks.get("apply")
    if item.estate_digest is None:
        return [Action("Assess the source", "assess", "primary")]
    if applied is None or applied.status != "done":
        return [
            Action("Assess again", "assess"),
            Action("Apply the plan" if applied is None else "Go on applying", "apply", "primary"),
        ]
    waiting = [
        wave for wave in item.waves if (track := tracks.get(f"cutover:{wave}")) is None or track.status != "done"
    ]
    forward = [Action(f"Cut over {waiting[0]}", "cutover", "primary", waiting[0])] if waiting else []
    return [*(_way_back(wave) for wave in waiting if _holds(tracks.get(f"cutover:{wave}"))), *forward]


def _holds(track: TrackView | None) -> bool:
    """Tell whether a cutover has paused something in the source."""
    return track is not None and any(step.kind == "cutover.pause" and step.status != "pending" for step in track.steps)


def _way_back(wave: str) -> Action:
    question = f"Roll back {wave}? Its DAGs are paused in the target and run in the source again."
    return Action(f"Roll back {wave}", "rollback", "danger", wave, question)


def phases_of(item: MigrationView) -> list[dict[str, str]]:
    """Give the phases with how far each is: done, now, failed or later."""
    tracks = {track.name: track.status for track in item.tracks}
    cutovers = [tracks.get(f"cutover:{wave}") for wave in item.waves]
    done = {
        "connect": True,
        "assess": item.estate_digest is not None,
        "plan": item.plan_digest is not None,
        "apply": tracks.get("apply") == "done",
        "cutover": bool(cutovers) and all(status == "done" for status in cutovers),
    }
    current = next((phase for phase in PHASES if not done[phase]), None)
    states = {phase: "done" if done[phase] else "now" if phase == current else "later" for phase in PHASES}
    if current and item.status == "failed":
        states[current] = "failed"
    return [{"title": phase.capitalize(), "state": states[phase]} for phase in PHASES]


def or_none(read: Any, visitor: Actor, ref: str) -> Any:
    """Give None for what is not there yet."""
    try:
        return read(visitor, ref)
    except NotFound as error:
        if error.code == "migration-unknown":
            raise
        return None


def _back(item: MigrationView) -> RedirectResponse:
    return RedirectResponse(f"/migrations/{item.id}", 303)
