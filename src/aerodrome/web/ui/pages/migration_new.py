"""Connecting a source: the form that begins a migration."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.fleet.views import WorkspaceView
from aerodrome.kernel.errors import AerodromeError
from aerodrome.migration.service.source_kinds import from_fields
from aerodrome.migration.sources.registry import unknown_kind
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
KINDS = {
    "airflow-db": "Metadata database",
    "airflow-archive": "Archive",
    "airflow-rest": "REST API",
    "starship": "Starship",
    "mwaa": "Amazon MWAA",
    "composer": "Cloud Composer",
    "oozie": "Oozie",
    "controlm": "Control-M",
}
SECRETS = (
    "database_url", "fernet_keys", "archive_key", "password", "token", "secret_access_key",
    "session_token", "service_account_key",
)  # fmt: skip


@router.get("/migrations/new")
def new_page(request: Request, the: The, visitor: Visitor, kind: str = "airflow-db") -> HTMLResponse:
    """Show an empty form with the fields of one kind of source."""
    if kind not in KINDS:
        raise unknown_kind(kind)
    return _form_page(request, the, visitor, {"kind": kind})


@router.post("/migrations/new")
def connect(request: Request, the: The, visitor: Visitor, form: Form) -> Response:
    """Probe the source and register it; the form again, without its secrets, when something is wrong."""
    fields = {name: value.replace("\r\n", "\n").strip() for name, value in form.items()}
    if fields.get("kind") not in KINDS:
        raise unknown_kind(fields.get("kind", ""))
    try:
        source = from_fields(fields.get("kind", ""), fields)
        made = the.migrations.connect(visitor, fields.get("name", ""), fields.get("workspace", ""), source)
    except AerodromeError as error:
        return _form_page(request, the, visitor, fields, error)
    return RedirectResponse(f"/migrations/{made.id}", 303)


def may_connect(visitor: Actor, workspaces: list[WorkspaceView]) -> bool:
    """Tell whether somebody may begin a migration in one of these workspaces."""
    return bool(_rooms(visitor, workspaces))


def _rooms(visitor: Actor, workspaces: list[WorkspaceView]) -> list[WorkspaceView]:
    return [each for each in workspaces if permissions.allows(visitor, "migration.create", f"workspace/{each.id}")]


def _form_page(
    request: Request, the: Platform, visitor: Actor, form: dict[str, str], error: AerodromeError | None = None
) -> HTMLResponse:
    values: dict[str, Any] = {
        "form": {name: value for name, value in form.items() if name not in SECRETS},
        "workspaces": _rooms(visitor, the.fleet.list_workspaces(visitor)),
        "kinds": KINDS,
        "archive_key_id": the.migrations.archive_key().key_id,
        "error": error,
    }
    return draw(request, "pages/migration_new.html", values, 200 if error is None else 422)
