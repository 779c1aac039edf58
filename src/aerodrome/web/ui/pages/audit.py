"""The audit trail."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse

from aerodrome.access.audit import AuditView
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import The, Visitor

SHOWN = 200
router = APIRouter(include_in_schema=False)
_DIGEST = re.compile(r"([0-9a-f]{12})[0-9a-f]{28,}")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d)[\d:.]*(?:Z|\+00:00)")


@router.get("/audit")
def audit_page(
    request: Request,
    the: The,
    visitor: Visitor,
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
    action: Annotated[str, Query(max_length=80)] = "",
) -> HTMLResponse:
    """Show who did what, newest first, a page at a time; `action` leaves only acts of that name."""
    found = the.access.list_audit(visitor, before=before, limit=SHOWN + 1, action=action.strip() or None)
    entries = found[:SHOWN]
    names = {item.id: item.name for item in the.fleet.list_workspaces(visitor)}
    names |= {item.id: item.name for item in the.fleet.list_deployments(visitor)}
    names |= {item.id: item.name for item in the.migrations.list(visitor)}
    names |= {entry.actor_id: entry.actor_name for entry in entries}
    names |= {
        entry.target: entry.details["name"] for entry in entries if entry.action in {"user.create", "token.create"}
    }
    rows = [{"entry": entry, "target": _readable(entry.target, names), "what": _what(entry)} for entry in entries]
    older = f"?{urlencode({'before': entries[-1].seq, 'action': action})}" if len(found) > SHOWN else ""
    return draw(
        request, "pages/audit.html", {"rows": rows, "older": older, "action": action, "is_newest": before is None}
    )


def _readable(target: str, names: Mapping[str, str]) -> str:
    """Write a scope with the names that its ids have now: `workspace sales, deployment shop`."""
    parts = target.split("/")
    if len(parts) % 2:
        return " ".join(names.get(part, part) for part in parts)
    return ", ".join(f"{kind} {names.get(ref, ref)}" for kind, ref in zip(parts[::2], parts[1::2], strict=True))


def _what(entry: AuditView) -> str:
    """Write the plain details in short; ids that the target names already are left away."""
    plain = {key: value for key, value in entry.details.items() if isinstance(value, str | int) and value != ""}
    text = ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in plain.items() if not key.endswith("_id"))
    return _MOMENT.sub(r"\1 \2", _DIGEST.sub(r"\1", text))[:200]
