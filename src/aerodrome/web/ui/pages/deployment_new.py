"""Making a deployment, and deleting one: what people do by hand and seldom."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.airflowkit.versions import SUPPORTED, AirflowVersion
from aerodrome.fleet.requests import NewDeployment
from aerodrome.fleet.views import WorkspaceView
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.web.platform import Platform
from aerodrome.web.ui.pages.keeping import DATABASES, whole_number
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)


@router.get("/deployments/new")
def new_page(request: Request, the: The, visitor: Visitor, workspace: str = "") -> HTMLResponse:
    """Show an empty form."""
    return _form_page(request, the, visitor, {"workspace": workspace})


@router.post("/deployments/new")
def make(request: Request, the: The, visitor: Visitor, form: Form) -> Response:
    """Make a deployment, and its workspace when a new one is named; the form again when something is wrong with it."""
    try:
        made = the.fleet.create_deployment(visitor, _wish(the, visitor, form))
    except AerodromeError as error:
        return _form_page(request, the, visitor, form, error)
    return RedirectResponse(f"/deployments/{made.id}", 303)


@router.post("/deployments/{ref}/delete")
def delete(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Delete a deployment whose name was typed."""
    item = the.fleet.get_deployment(visitor, ref)
    if form.get("confirm", "").strip() != item.name:
        raise Invalid(
            "Nothing was deleted: that is not the name of the deployment.",
            code="confirmation-wrong",
            hint=f"Go back and type {item.name}.",
            details={"field": "confirm"},
        )
    the.fleet.delete_deployment(visitor, item.id)
    return RedirectResponse("/deployments", 303)


def may_create(visitor: Actor, workspaces: list[WorkspaceView]) -> bool:
    """Tell whether somebody may make a deployment in one of these workspaces, or a workspace for it."""
    return bool(_rooms(visitor, workspaces)) or permissions.allows(visitor, "workspace.create", "")


def _rooms(visitor: Actor, workspaces: list[WorkspaceView]) -> list[WorkspaceView]:
    return [each for each in workspaces if permissions.allows(visitor, "deployment.create", f"workspace/{each.id}")]


def _wish(the: Platform, visitor: Actor, form: dict[str, str]) -> NewDeployment:
    database, url = form.get("database", "sqlite"), form.get("database_url", "").strip()
    wish = NewDeployment(
        name=form.get("name", "").strip(),
        workspace=form.get("workspace", ""),
        airflow_version=form.get("airflow_version") or None,
        python_version=form.get("python_version") or None,
        parallelism=whole_number(form, "parallelism", 4),
        description=form.get("description", ""),
        database=database,
        database_url=Secret(url) if database == "existing" and url else None,
    )
    if not wish.workspace:
        room = the.fleet.create_workspace(visitor, form.get("new_workspace", "").strip())
        form["workspace"] = room.name
        return NewDeployment(**{**vars(wish), "workspace": room.id})
    return wish


def _form_page(
    request: Request, the: Platform, visitor: Actor, form: dict[str, str], error: AerodromeError | None = None
) -> HTMLResponse:
    versions = [AirflowVersion.parse(text) for text in reversed(SUPPORTED)]
    given = {name: value for name, value in form.items() if name != "database_url"}
    values: dict[str, Any] = {
        "form": {"parallelism": "4", "database": "sqlite", **given},
        "workspaces": _rooms(visitor, the.fleet.list_workspaces(visitor)),
        "may_make_workspace": permissions.allows(visitor, "workspace.create", ""),
        "versions": [str(version) for version in versions],
        "pythons": sorted(
            {python for version in versions for python in version.pythons}, key=lambda text: int(text[2:])
        ),
        "databases": DATABASES,
        "error": error,
    }
    return draw(request, "pages/deployment_new.html", values, 200 if error is None else 422)
