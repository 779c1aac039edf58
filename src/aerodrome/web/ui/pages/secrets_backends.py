"""Secrets backends: the list, a form with only the fields of one kind, and one backend with what its probe found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.kernel.errors import AerodromeError
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.kinds import BackendKind, Field, kind_of
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)


@router.get("/secrets-backends")
def backends_page(request: Request, the: The, visitor: Visitor) -> HTMLResponse:
    """List the backends, and the kinds that can be added."""
    values = {
        "items": the.fleet.backends.list(visitor),
        "kinds": the.fleet.backends.kinds(),
        "may_manage": any(_may_manage(visitor, item.id) for item in the.fleet.list_workspaces(visitor)),
    }
    return draw(request, "pages/secrets_backends.html", values)


@router.get("/secrets-backends/new")
def new_page(request: Request, the: The, visitor: Visitor, kind: str = "vault") -> HTMLResponse:
    """Show the form of one kind; fields that depend on a choice follow the choice in the address."""
    return _form_page(request, the, visitor, kind_of(kind), dict(request.query_params))


@router.post("/secrets-backends/new")
def make(request: Request, the: The, visitor: Visitor, form: Form) -> Response:
    """Register a backend and probe it; the form again when something is wrong with it. Credentials are never drawn."""
    kind = kind_of(form.get("kind", ""))
    settings, credentials = _given(kind, form)
    try:
        made = the.fleet.backends.create(
            visitor, form.get("workspace", ""), form.get("name", "").strip(), kind.name, settings, credentials
        )
        the.fleet.backends.probe(visitor, made.id)
    except AerodromeError as error:
        return _form_page(request, the, visitor, kind, form, error)
    return RedirectResponse(f"/secrets-backends/{made.id}", 303)


@router.get("/secrets-backends/{ref}")
def backend_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show a backend: settings, probe, who asks it. A choice in the address shows the fields that go with it."""
    return _page(request, the, visitor, ref, choices=dict(request.query_params))


@router.get("/secrets-backends/{ref}/names")
def names_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show it with the names that are there now."""
    try:
        return _page(request, the, visitor, ref, names=the.fleet.backends.names(visitor, ref))
    except AerodromeError as error:
        return _page(request, the, visitor, ref, error=error)


@router.post("/secrets-backends/{ref}")
def change(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Change settings; credentials that are left empty stay."""
    item = the.fleet.backends.get(visitor, ref)
    kind = kind_of(item.kind)
    settings, credentials = _given(kind, form)
    cleared = {field.name: settings.get(field.name) for field in kind.fields if field.name in form}
    plain = {name: value for name, value in cleared.items() if not _is_secret(kind, name)}
    try:
        the.fleet.backends.update(visitor, item.id, plain, dict(credentials))
        the.fleet.backends.probe(visitor, item.id)
    except AerodromeError as error:
        return _page(request, the, visitor, item.id, error=error)
    return RedirectResponse(f"/secrets-backends/{item.id}", 303)


@router.post("/secrets-backends/{ref}/probe")
def probe(request: Request, the: The, visitor: Visitor, ref: str, _form: Form) -> Response:
    """Try it now."""
    try:
        the.fleet.backends.probe(visitor, ref)
    except AerodromeError as error:
        return _page(request, the, visitor, ref, error=error)
    return RedirectResponse(f"/secrets-backends/{ref}", 303)


@router.post("/secrets-backends/{ref}/values")
def put(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Write one value."""
    try:
        name, value = form.get("name", "").strip(), form.get("value", "").replace("\r\n", "\n")
        the.fleet.backends.put(visitor, ref, form.get("kind", ""), name, Secret(value))
    except AerodromeError as error:
        return _page(request, the, visitor, ref, error=error)
    return RedirectResponse(f"/secrets-backends/{ref}/names", 303)


@router.post("/secrets-backends/{ref}/attach")
def attach(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Let a deployment ask it first."""
    try:
        the.fleet.backends.attach(visitor, form.get("deployment", ""), ref)
    except AerodromeError as error:
        return _page(request, the, visitor, ref, error=error)
    return RedirectResponse(f"/secrets-backends/{ref}", 303)


@router.post("/secrets-backends/{ref}/detach")
def detach(the: The, visitor: Visitor, ref: str, form: Form) -> RedirectResponse:
    """Let a deployment ask it no more."""
    the.fleet.backends.detach(visitor, form.get("deployment", ""))
    return RedirectResponse(f"/secrets-backends/{ref}", 303)


@router.post("/secrets-backends/{ref}/delete")
def delete(request: Request, the: The, visitor: Visitor, ref: str, _form: Form) -> Response:
    """Forget it."""
    try:
        the.fleet.backends.delete(visitor, ref)
    except AerodromeError as error:
        return _page(request, the, visitor, ref, error=error)
    return RedirectResponse("/secrets-backends", 303)


def _form_page(
    request: Request,
    the: Platform,
    visitor: Actor,
    kind: BackendKind,
    form: Mapping[str, str],
    error: AerodromeError | None = None,
) -> HTMLResponse:
    workspaces = [item for item in the.fleet.list_workspaces(visitor) if _may_manage(visitor, item.id)]
    values = {
        "kind": kind,
        "kinds": the.fleet.backends.kinds(),
        "fields": _fields(kind, form),
        "form": form,
        "workspaces": workspaces,
        "error": error,
    }
    return draw(request, "pages/secrets_backend_new.html", values, 422 if error else 200)


def _page(
    request: Request,
    the: Platform,
    visitor: Actor,
    ref: str,
    *,
    names: Any = None,
    error: AerodromeError | None = None,
    choices: Mapping[str, str] | None = None,
) -> HTMLResponse:
    item = the.fleet.backends.get(visitor, ref)
    deployments = the.fleet.list_deployments(visitor, item.workspace_id)
    kind = kind_of(item.kind)
    held = {**item.settings, **{name: text for name, text in (choices or {}).items() if name == "auth"}}
    values = {
        "item": item,
        "held": held,
        "fields": _fields(kind, held),
        "kind": kind,
        "users": [each for each in deployments if each.name in item.deployments],
        "others": [each for each in deployments if each.name not in item.deployments and each.desired != "deleted"],
        "names": names,
        "error": error,
        "may_manage": _may_manage(visitor, item.workspace_id),
    }
    return draw(request, "pages/secrets_backend.html", values, 422 if error else 200)


def _fields(kind: BackendKind, form: Mapping[str, str]) -> list[Field]:
    """Give the fields that mean something with the choices made."""

    def matters(field: Field) -> bool:
        name, _, wanted = field.when.partition("=")
        chooser = kind.field(name)
        return not field.when or (form.get(name) or (chooser.default if chooser else "")) == wanted

    return [field for field in kind.fields if matters(field)]


def _given(kind: BackendKind, form: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Secret]]:
    given = {field.name: form[field.name] for field in kind.fields if form.get(field.name, "").strip()}
    plain = {name: value for name, value in given.items() if not _is_secret(kind, name)}
    return plain, {name: Secret(value.strip()) for name, value in given.items() if _is_secret(kind, name)}


def _is_secret(kind: BackendKind, name: str) -> bool:
    field = kind.field(name)
    return field is not None and field.is_secret


def _may_manage(visitor: Actor, workspace_id: str) -> bool:
    return permissions.allows(visitor, "backend.manage", f"workspace/{workspace_id}")
