"""The waves of a migration: the board, and how one wave's DAGs cross over, live."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import allows
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.migration.service.boards import DagMoved, WaveView
from aerodrome.migration.service.proofs.contract import CompareWish, PromoteWish
from aerodrome.migration.service.tracks import BUSY
from aerodrome.web.platform import Platform
from aerodrome.web.ui.pages.migrations import frame as frame_of
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
SHOWN_DAGS = 300
TAB = "/waves"


@router.get("/migrations/{ref}/waves")
def waves_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show the board."""
    return draw(request, "pages/migration_waves.html", _board(the, visitor, ref))


@router.get("/parts/migrations/{ref}/waves")
def waves_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Give the board as it is now."""
    return draw(request, "parts/migration_waves.html", _board(the, visitor, ref))


@router.get("/migrations/{ref}/waves/{wave}")
def wave_page(request: Request, the: The, visitor: Visitor, ref: str, wave: str) -> HTMLResponse:
    """Show how a wave's DAGs cross over."""
    return draw(request, "pages/migration_wave.html", _timeline(the, visitor, ref, wave))


@router.get("/parts/migrations/{ref}/waves/{wave}")
def wave_part(request: Request, the: The, visitor: Visitor, ref: str, wave: str) -> HTMLResponse:
    """Give the timeline as it is now."""
    return draw(request, "parts/migration_wave.html", _timeline(the, visitor, ref, wave))


@router.post("/migrations/{ref}/waves/{wave}/halt")
def halt(the: The, visitor: Visitor, ref: str, wave: str, _form: Form) -> RedirectResponse:
    """Let no more DAGs in."""
    item = the.migrations.waves.halt(visitor, ref, wave)
    return RedirectResponse(f"/migrations/{item.id}{TAB}", 303)


@router.post("/migrations/{ref}/waves/{wave}/run")
def run(the: The, visitor: Visitor, ref: str, wave: str, _form: Form) -> RedirectResponse:
    """Hand the wave over, or go on."""
    item = the.migrations.waves.cut_over(visitor, ref, wave)
    return RedirectResponse(f"/migrations/{item.id}{TAB}/{wave}", 303)


@router.post("/migrations/{ref}/waves/{wave}/promote", response_model=None)
def promote(
    request: Request, the: The, visitor: Visitor, ref: str, wave: str, form: Form
) -> HTMLResponse | RedirectResponse:
    """Take the wave through development to production; a mistake is shown again."""
    name = form.get("deployment", "").strip() or f"{the.migrations.get(visitor, ref).name}-dev"
    wish = PromoteWish(CompareWish(deployment=name, file=form.get("file") or None), at_once="at_once" in form)
    try:
        the.migrations.proofs.promote(visitor, ref, wave, wish)
    except Invalid as error:
        values = {**_timeline(the, visitor, ref, wave), "error": error, "form": form}
        return draw(request, "pages/migration_wave.html", values, 422)
    return RedirectResponse(f"/migrations/{ref}{TAB}/{wave}", 303)


def _board(the: Platform, visitor: Actor, ref: str) -> dict[str, Any]:
    frame = frame_of(the, visitor, ref, TAB)
    try:
        waves: tuple[WaveView, ...] = the.migrations.waves.list(visitor, ref)
    except Conflict:  # no plan yet
        waves = ()
    promotions = the.migrations.proofs.promotions(visitor, ref)
    split_brains = the.migrations.waves.split_brains(visitor, ref)
    may_ask = allows(visitor, "migration.apply", f"workspace/{frame['item'].workspace_id}")
    told = {"waves": waves, "split_brains": split_brains, "promotions": promotions, "may_ask": may_ask}
    is_live = frame["item"].status in BUSY or any(proof.is_busy for proof in promotions.values())
    return {**frame, **told, "is_live": is_live, "error": None, "form": {}}


def _timeline(the: Platform, visitor: Actor, ref: str, wave: str) -> dict[str, Any]:
    board = _board(the, visitor, ref)
    dags = the.migrations.waves.timeline(visitor, ref, wave)
    ordered = sorted(dags, key=_urgency)
    return {
        **board,
        "wave": next(item for item in board["waves"] if item.name == wave),
        "bars": [bar_of(dag, dags) for dag in ordered[:SHOWN_DAGS]],
        "left_out": max(len(dags) - SHOWN_DAGS, 0),
        "largest_gap_s": max((dag.gap_s for dag in dags if dag.gap_s is not None), default=None),
    }


def _urgency(dag: DagMoved) -> tuple[int, str]:
    """What failed comes first, then what goes on, then the rest."""
    return (0 if dag.error else 1 if dag.act else 2, dag.dag_id)


def bar_of(dag: DagMoved, dags: tuple[DagMoved, ...]) -> dict[str, Any]:
    """Give a DAG with its place on the line of time: per cent of the wave's span, where it was held."""
    began = [one.paused_at for one in dags if one.paused_at]
    ended = [one.live_at for one in dags if one.live_at] or began
    if not began or dag.paused_at is None:
        return {"dag": dag, "left": 0.0, "width": 0.0, "is_open": False}
    first, last = min(began), max(*ended, *began)
    span = max((last - first).total_seconds(), 1.0)
    left = (dag.paused_at - first).total_seconds() / span * 100
    width = ((dag.live_at or last) - dag.paused_at).total_seconds() / span * 100
    return {
        "dag": dag,
        "left": round(min(left, 99.0), 2),
        "width": round(max(width, 1.0), 2),
        "is_open": dag.live_at is None,
    }
