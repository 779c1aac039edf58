"""The environment manager's pages: all objects, one object with its links and history, importing, and a deployment's tab."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.environments.contract import ObjectView, Wish
from aerodrome.environments.formats import fields_of_extra
from aerodrome.fleet.environment import ImportWish
from aerodrome.fleet.objects import check_kind
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.redaction import SENSITIVE_KEY
from aerodrome.kernel.secret import MASK, Secret
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
KINDS: Final = {"connection": "Connections", "variable": "Variables", "env": "Environment variables"}
NOUNS: Final = {"connection": "connection", "variable": "variable", "env": "environment variable"}
_MOST: Final = 300  # rows on one page
_SHORT: Final = ("conn_type", "host", "port", "schema", "login")


@router.get("/environment")
def environment_page(
    request: Request, the: The, visitor: Visitor, kind: str = "connection", workspace: str = "", q: str = ""
) -> HTMLResponse:
    """List the objects of one kind, of one workspace or of all, whose name or description holds `q`."""
    chosen = check_kind(kind)
    found = the.fleet.environment.list_all(visitor, kind=chosen)
    workspaces = the.fleet.list_workspaces(visitor)
    wanted = q.strip().lower()
    shown = [
        item
        for item in found
        if workspace in ("", item.workspace_name) and wanted in f"{item.name} {item.description}".lower()
    ]
    values = {
        "items": shown[:_MOST],
        "more": max(0, len(shown) - _MOST),
        "q": q,
        "kind": chosen,
        "kinds": KINDS,
        "workspaces": workspaces,
        "workspace": workspace,
    }
    return draw(request, "pages/environment.html", {**values, "may_change": _may_change(visitor, workspaces)})


@router.get("/environment/new")
def new_page(
    request: Request, the: The, visitor: Visitor, kind: str = "connection", workspace: str = "", deployment: str = ""
) -> HTMLResponse:
    """Show an empty form."""
    return _form_page(request, the, visitor, None, {"kind": check_kind(kind), "scope": _scope(workspace, deployment)})


@router.post("/environment/new")
def make(request: Request, the: The, visitor: Visitor, form: Form) -> Response:
    """Make an object; the form again when something is wrong with it."""
    try:
        wish = _wish(check_kind(form.get("kind", "")), form.get("name", "").strip(), form, None)
        item = the.fleet.environment.put(visitor, wish, **_place(form.get("scope", "")))
    except AerodromeError as error:
        return _form_page(request, the, visitor, None, form, error)
    return RedirectResponse(f"/environment/{item.id}", 303)


@router.get("/environment/import")
def import_page(request: Request, the: The, visitor: Visitor) -> HTMLResponse:
    """Show the form for importing a file of Airflow's command line."""
    return _import_page(request, the, visitor, {})


@router.post("/environment/import")
def import_file(request: Request, the: The, visitor: Visitor, form: Form) -> HTMLResponse:
    """Import, or show what an import would do."""
    try:
        wish = ImportWish(
            check_kind(form.get("kind", "")),
            form.get("format", "json"),
            Secret(form.get("text", "")),
            form.get("policy", "fail"),
            is_dry_run=form.get("act") != "import",
        )
        report = the.fleet.environment.import_file(visitor, wish, **_place(form.get("scope", "")))
    except AerodromeError as error:
        return _import_page(request, the, visitor, form, error=error)
    return _import_page(request, the, visitor, form, report=report)


@router.get("/environment/{object_id}")
def object_page(request: Request, the: The, visitor: Visitor, object_id: str) -> HTMLResponse:
    """Show one object: its fields, where it reaches, and who changed it."""
    return _object_page(request, the, visitor, object_id)


@router.post("/environment/{object_id}")
def change(request: Request, the: The, visitor: Visitor, object_id: str, form: Form) -> Response:
    """Change an object; fields of secrets that are left empty stay as they are."""
    item = the.fleet.environment.get(visitor, object_id)
    try:
        wish = _wish(item.kind, item.name, form, item)
        scope = {"deployment": item.deployment_id} if item.deployment_id else {"workspace": item.workspace_id}
        the.fleet.environment.put(visitor, wish, **scope)
    except AerodromeError as error:
        return _object_page(request, the, visitor, object_id, error)
    return RedirectResponse(f"/environment/{object_id}", 303)


@router.post("/environment/{object_id}/delete")
def delete(the: The, visitor: Visitor, object_id: str, _form: Form) -> RedirectResponse:
    """Delete an object; its page stays, to restore it."""
    the.fleet.environment.delete(visitor, object_id)
    return RedirectResponse(f"/environment/{object_id}", 303)


@router.post("/environment/{object_id}/restore")
def restore(the: The, visitor: Visitor, object_id: str, form: Form) -> RedirectResponse:
    """Bring a version back."""
    number = form.get("version", "")
    the.fleet.environment.restore(visitor, object_id, int(number) if number.isdecimal() else 0)
    return RedirectResponse(f"/environment/{object_id}", 303)


@router.post("/environment/{object_id}/links")
def link(request: Request, the: The, visitor: Visitor, object_id: str, form: Form) -> Response:
    """Link, override, exclude or forget a deployment; or all of them."""
    manager, deployment = the.fleet.environment, form.get("deployment", "")
    item = manager.get(visitor, object_id)
    try:
        match form.get("act"):
            case "all" | "single" as act:
                manager.link_all(visitor, object_id, is_auto_linked=act == "all")
            case "exclude":
                manager.exclude(visitor, object_id, deployment)
            case "unlink":
                manager.unlink(visitor, object_id, deployment)
            case _:
                manager.link(visitor, object_id, deployment, _overrides(item, form))
    except AerodromeError as error:
        return _object_page(request, the, visitor, object_id, error)
    return RedirectResponse(f"/environment/{object_id}#links", 303)


@router.get("/deployments/{ref}/environment")
def effective_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show what a deployment's Airflow finds, from where, and what hides what."""
    return _effective_page(request, the, visitor, ref, None)


@router.post("/deployments/{ref}/environment/test")
def try_page(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> HTMLResponse:
    """Test a connection where tasks run, and show the tab with the result."""
    connection = form.get("connection", "")
    try:
        result: Any = the.fleet.environment.test(visitor, ref, connection)
    except AerodromeError as error:
        result = {"outcome": "bad", "message": error.message, "hint": error.hint, "seconds": 0.0}
    return _effective_page(request, the, visitor, ref, {"connection": connection, "result": result})


def _effective_page(
    request: Request, the: Platform, visitor: Actor, ref: str, tested: Mapping[str, Any] | None
) -> HTMLResponse:
    item = the.fleet.get_deployment(visitor, ref)
    found = the.fleet.environment.effective(visitor, item.id)
    groups = [
        {"kind": kind, "title": title, "items": [each for each in found.items if each.kind == kind]}
        for kind, title in KINDS.items()
    ]
    scope = f"workspace/{item.workspace_id}/deployment/{item.id}"
    values = {"item": item, "tab": "environment", "groups": groups, "remark": found.remark, "tested": tested}
    may_change = permissions.allows(visitor, "environment.update", scope)
    return draw(request, "pages/deployment_environment.html", {**values, "nouns": NOUNS, "may_change": may_change})


def _object_page(
    request: Request, the: Platform, visitor: Actor, object_id: str, error: AerodromeError | None = None
) -> HTMLResponse:
    item = the.fleet.environment.get(visitor, object_id)
    links = {each.deployment_id: each for each in item.links}
    deployments = the.fleet.list_deployments(visitor, item.workspace_id) if item.deployment_id is None else []
    values = {
        "item": item,
        "form": _values(item),
        "noun": NOUNS[item.kind],
        "kinds": KINDS,
        "error": error,
        "history": the.fleet.environment.history(visitor, object_id),
        "uses": _uses(the, visitor, item),
        "reach": [{"deployment": each, "link": links.get(each.id)} for each in deployments],
        "may_change": permissions.allows(visitor, "environment.update", _scope_of(item)),
        "mask": MASK,
    }
    return draw(request, "pages/environment_object.html", values, 422 if error else 200)


def _uses(the: Platform, visitor: Actor, item: ObjectView) -> list[dict[str, Any]]:
    """Give the deployments that get the object and whose live DAGs name it."""
    views = {each.id: each for each in the.fleet.list_deployments(visitor, item.workspace_id)}
    return [
        {"deployment": views[found.deployment_id], "dags": found.objects[0].dag_ids, "places": found.objects[0].places}
        for found in the.fleet.usage_of(visitor, item.kind, item.name)
        if found.deployment_id in views and item.deployment_id in (None, found.deployment_id)
    ]


def _form_page(
    request: Request,
    the: Platform,
    visitor: Actor,
    item: ObjectView | None,
    form: Mapping[str, str],
    error: AerodromeError | None = None,
) -> HTMLResponse:
    kind = form.get("kind", "connection")
    kept = _without_secrets(form)
    values = {
        "item": item,
        "form": kept,
        "kind": kind,
        "noun": NOUNS.get(kind, "object"),
        "kinds": KINDS,
        "error": error,
    }
    return draw(
        request, "pages/environment_new.html", {**values, "scopes": _scopes(the, visitor)}, 422 if error else 200
    )


def _without_secrets(form: Mapping[str, str]) -> dict[str, str]:
    """Give what may stand in the form again when something is wrong with it: nothing that is, or looks, secret."""
    hidden = {"password", "secret_extra", "secret_value"}
    if "is_secret" in form or SENSITIVE_KEY.search(form.get("name", "")):
        hidden.add("value")
    if "is_secret" in form or SENSITIVE_KEY.search(form.get("extra", "")):
        hidden.add("extra")
    return {name: value for name, value in form.items() if name not in hidden}


def _import_page(
    request: Request,
    the: Platform,
    visitor: Actor,
    form: Mapping[str, str],
    *,
    report: Any = None,
    error: AerodromeError | None = None,
) -> HTMLResponse:
    kept = {name: value for name, value in form.items() if name != "text"}
    values = {"form": kept, "kinds": KINDS, "report": report, "error": error}
    status = 422 if error else 200
    return draw(request, "pages/environment_import.html", {**values, "scopes": _scopes(the, visitor)}, status)


def _scopes(the: Platform, visitor: Actor) -> list[tuple[str, str]]:
    """Give the scopes to choose from: workspaces, each with its deployments."""
    deployments = the.fleet.list_deployments(visitor)
    found: list[tuple[str, str]] = []
    for workspace in the.fleet.list_workspaces(visitor):
        found.append((f"workspace:{workspace.id}", f"Workspace {workspace.name}: all of its deployments"))
        found += [
            (f"deployment:{each.id}", f"Deployment {workspace.name}/{each.name} alone")
            for each in deployments
            if each.workspace_id == workspace.id
        ]
    return found


def _scope(workspace: str, deployment: str) -> str:
    return f"deployment:{deployment}" if deployment else f"workspace:{workspace}" if workspace else ""


def _place(scope: str) -> dict[str, str]:
    kind, _, ref = scope.partition(":")
    return {kind: ref} if kind in ("workspace", "deployment") and ref else {}


def _scope_of(item: ObjectView) -> str:
    path = f"workspace/{item.workspace_id}"
    return f"{path}/deployment/{item.deployment_id}" if item.deployment_id else path


def _may_change(visitor: Actor, workspaces: Sequence[Any]) -> bool:
    return any(permissions.allows(visitor, "environment.update", f"workspace/{each.id}") for each in workspaces)


def _values(item: ObjectView) -> dict[str, str]:
    """Give the form's texts of an object; secret fields are empty."""
    plain = {name: value for name, value in item.fields.items() if name not in item.secret_fields}
    extra = {name.removeprefix("extra."): value for name, value in plain.items() if name.startswith("extra.")}
    texts = {name: str(value) for name, value in plain.items() if not name.startswith("extra.")}
    return {**texts, "extra": json.dumps(extra, indent=2, ensure_ascii=False) if extra else ""}


def _wish(kind: Any, name: str, form: Mapping[str, str], before: ObjectView | None) -> Wish:
    """Read the form: empty secret fields stay, everything else is as it stands there."""
    is_secret = "is_secret" in form
    description = form.get("description", "")
    if kind != "connection":
        text = (form.get("secret_value") or None) if is_secret and before is not None and before.is_secret else None
        value: Any = text or form.get("value") or None
        if value is None and before is None:
            value = ""
        fields = {} if value is None else {"value": Secret(value) if is_secret else value}
        return Wish(kind, name, fields, is_secret, description)
    fields = {each: form.get(each, "").strip() or None for each in _SHORT}
    extra = fields_of_extra(form.get("extra", "").strip() or None)
    if before is not None:
        gone = {each for each in before.fields if each.startswith("extra.") and each not in before.secret_fields}
        extra = {**dict.fromkeys(gone - extra.keys()), **extra}
    hidden = fields_of_extra(form.get("secret_extra", "").strip() or None)
    secrets = {each: Secret(value) if isinstance(value, str) else value for each, value in hidden.items()}
    fields |= extra | secrets
    if form.get("password"):
        fields["password"] = Secret(form["password"])
    return Wish(kind, name, fields, is_secret, description)


def _overrides(item: ObjectView, form: Mapping[str, str]) -> dict[str, Any]:
    """Read the fields of a link that are filled in; empty ones are taken away, but for secret ones."""
    if item.kind != "connection":
        value = form.get("value", "")
        return {"value": Secret(value) if item.is_secret else value} if value else {}
    fields: dict[str, Any] = {each: form[each].strip() or None for each in _SHORT if each in form}
    if form.get("password"):
        fields["password"] = Secret(form["password"])
    return fields
