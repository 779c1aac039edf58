"""Backups and settings of a deployment: two tabs with forms, and a part that shows acts and backups under way."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from aerodrome.access import permissions
from aerodrome.access.actor import Actor
from aerodrome.fleet import options
from aerodrome.fleet.backups import BackupSchedule
from aerodrome.fleet.requests import DeploymentChanges
from aerodrome.fleet.schedules import NewSchedule
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.web.platform import Platform
from aerodrome.web.ui.render import draw
from aerodrome.web.ui.visitor import Form, The, Visitor

router = APIRouter(include_in_schema=False)
DATABASES = {
    "sqlite": "SQLite file (development)",
    "postgresql": "Managed PostgreSQL",
    "existing": "Existing PostgreSQL",
}


@router.get("/deployments/{ref}/backups")
def backups_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """List the backups of a deployment, with what is under way."""
    return _backups(request, the, visitor, ref)


@router.get("/parts/deployments/{ref}/backups")
def backups_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    return draw(request, "parts/backups_live.html", _backup_values(the, visitor, ref))


@router.post("/deployments/{ref}/backups")
def create_backup(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Take a backup."""
    try:
        the.fleet.keeping.create_backup(visitor, ref, form.get("description", ""))
    except AerodromeError as error:
        return _backups(request, the, visitor, ref, error)
    return RedirectResponse(f"/deployments/{ref}/backups", 303)


@router.post("/deployments/{ref}/clones")
def clone_backup(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Make a new deployment out of a backup, and show it."""
    try:
        act = the.fleet.keeping.clone_backup(visitor, ref, form.get("backup", ""), form.get("name", "").strip())
    except AerodromeError as error:
        return _backups(request, the, visitor, ref, error)
    return RedirectResponse(f"/deployments/{act.deployment_id}/backups", 303)


@router.post("/deployments/{ref}/backups/{backup_id}/{verb}")
def act_on_backup(
    request: Request, the: The, visitor: Visitor, ref: str, backup_id: str, verb: str, _form: Form
) -> Response:
    """Verify, restore or delete a backup."""
    keeping = the.fleet.keeping
    verbs = {"verify": keeping.verify_backup, "restore": keeping.restore_backup, "delete": keeping.delete_backup}
    try:
        if verb not in verbs:
            raise Invalid("There is no such act.", code="verb-unknown")
        verbs[verb](visitor, ref, backup_id)
    except AerodromeError as error:
        return _backups(request, the, visitor, ref, error)
    return RedirectResponse(f"/deployments/{ref}/backups", 303)


@router.post("/deployments/{ref}/backup-schedule")
def set_backup_schedule(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Set when backups are taken; an empty expression switches them off."""
    try:
        wish = None
        if form.get("cron", "").strip():
            wish = BackupSchedule(
                form["cron"],
                form.get("timezone", "UTC").strip() or "UTC",
                whole_number(form, "keep", 14),
                whole_number(form, "days", 30),
                form.get("verify", "each"),
            )
        the.fleet.keeping.set_backup_schedule(visitor, ref, wish)
    except AerodromeError as error:
        return _backups(request, the, visitor, ref, error, form)
    return RedirectResponse(f"/deployments/{ref}/backups", 303)


@router.get("/deployments/{ref}/settings")
def settings_page(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    """Show the settings of a deployment as forms."""
    return _settings(request, the, visitor, ref)


@router.get("/parts/deployments/{ref}/acts")
def acts_part(request: Request, the: The, visitor: Visitor, ref: str) -> HTMLResponse:
    item = the.fleet.get_deployment(visitor, ref)
    return draw(request, "parts/acts.html", {"item": item, "acts": the.fleet.list_acts(visitor, item.id)[:3]})


@router.post("/deployments/{ref}/settings")
def save_settings(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Change the settings; the form again when something is wrong with it."""
    try:
        item = the.fleet.get_deployment(visitor, ref)
        known = {option.key for option in options.known(item.airflow_version)}
        config = {key: value for key, value in item.config.items() if key not in known}
        config |= {key: form[f"config.{key}"].strip() for key in known if form.get(f"config.{key}", "").strip()}
        changes = DeploymentChanges(
            name=form.get("name", "").strip() or None,
            description=form.get("description", ""),
            parallelism=whole_number(form, "parallelism", item.parallelism),
            config=config,
            drain_s=whole_number(form, "drain_s", item.drain_s),
            log_retention_days=whole_number(form, "log_retention_days", item.log_retention_days),
            pools=_pools(form.get("pools", "")),
            upkeep={"clean_days": whole_number(form, "clean_days", 0)},
        )
        the.fleet.update_deployment(visitor, item.id, changes)
    except AerodromeError as error:
        return _settings(request, the, visitor, ref, error, form)
    return RedirectResponse(f"/deployments/{item.id}/settings", 303)


@router.post("/deployments/{ref}/database")
def move_database(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Move to another metadata database."""
    try:
        kind = form.get("kind", "")
        url = Secret(form["url"]) if kind == "existing" and form.get("url", "").strip() else None
        the.fleet.move_database(visitor, ref, kind, url)
    except AerodromeError as error:
        return _settings(request, the, visitor, ref, error)
    return RedirectResponse(f"/deployments/{ref}/settings", 303)


@router.post("/deployments/{ref}/schedules")
def add_schedule(request: Request, the: The, visitor: Visitor, ref: str, form: Form) -> Response:
    """Add a hibernation schedule."""
    wish = NewSchedule(
        form.get("hibernate", "").strip() or None,
        form.get("wake", "").strip() or None,
        form.get("timezone", "").strip() or "UTC",
        form.get("description", ""),
    )
    try:
        the.fleet.keeping.add_schedule(visitor, ref, wish)
    except AerodromeError as error:
        return _settings(request, the, visitor, ref, error, form)
    return RedirectResponse(f"/deployments/{ref}/settings", 303)


@router.post("/deployments/{ref}/schedules/{schedule_id}/{verb}")
def act_on_schedule(the: The, visitor: Visitor, ref: str, schedule_id: str, verb: str, _form: Form) -> RedirectResponse:
    """Switch a schedule on or off, or remove it."""
    if verb == "remove":
        the.fleet.keeping.remove_schedule(visitor, ref, schedule_id)
    else:
        the.fleet.keeping.enable_schedule(visitor, ref, schedule_id, is_enabled=verb == "enable")
    return RedirectResponse(f"/deployments/{ref}/settings", 303)


@router.post("/deployments/{ref}/hibernate")
def hibernate(the: The, visitor: Visitor, ref: str, _form: Form) -> RedirectResponse:
    """Put it to sleep now."""
    the.fleet.keeping.set_life(visitor, ref, "hibernated")
    return RedirectResponse(f"/deployments/{ref}/settings", 303)


@router.post("/deployments/{ref}/wake")
def wake(the: The, visitor: Visitor, ref: str, _form: Form) -> RedirectResponse:
    """Wake it now."""
    the.fleet.keeping.set_life(visitor, ref, "running")
    return RedirectResponse(f"/deployments/{ref}/settings", 303)


def _backups(
    request: Request,
    the: Platform,
    visitor: Actor,
    ref: str,
    error: AerodromeError | None = None,
    form: dict[str, str] | None = None,
) -> HTMLResponse:
    values = _backup_values(the, visitor, ref)
    schedule = the.fleet.keeping.backup_schedule(visitor, ref)
    given = {"cron": "", "timezone": "UTC", "keep": 14, "days": 30, "verify": "each"}
    if schedule is not None:
        given |= {name: getattr(schedule, name) for name in given}
    extra = {"tab": "backups", "schedule": schedule, "form": given | (form or {}), "error": error}
    return draw(request, "pages/backups.html", {**values, **extra}, 200 if error is None else 422)


def _backup_values(the: Platform, visitor: Actor, ref: str) -> dict[str, Any]:
    item = the.fleet.get_deployment(visitor, ref)
    backups = the.fleet.keeping.list_backups(visitor, item.id)
    acts = the.fleet.list_acts(visitor, item.id)[:1]
    may = _may(visitor, item.workspace_id, item.id, "backup.create")
    return {"item": item, "backups": backups, "acts": acts, "may_change": may}


def _settings(
    request: Request,
    the: Platform,
    visitor: Actor,
    ref: str,
    error: AerodromeError | None = None,
    form: dict[str, str] | None = None,
) -> HTMLResponse:
    item = the.fleet.get_deployment(visitor, ref)
    given = {
        "name": item.name,
        "description": item.description,
        "parallelism": item.parallelism,
        "drain_s": item.drain_s,
        "log_retention_days": item.log_retention_days,
        "clean_days": item.upkeep.get("clean_days", 0),
        "pools": "\n".join(f"{name} = {slots}" for name, slots in item.pools.items()),
        **{f"config.{key}": value for key, value in item.config.items()},
        **(form or {}),
    }
    values = {
        "item": item,
        "tab": "settings",
        "form": given,
        "options": options.known(item.airflow_version),
        "databases": DATABASES,
        "life": the.fleet.keeping.life(visitor, item.id),
        "acts": the.fleet.list_acts(visitor, item.id)[:3],
        "may_change": _may(visitor, item.workspace_id, item.id, "deployment.update"),
        "may_delete": _may(visitor, item.workspace_id, item.id, "deployment.delete"),
        "error": error,
    }
    return draw(request, "pages/settings.html", values, 200 if error is None else 422)


def _may(visitor: Actor, workspace_id: str, deployment_id: str, permission: str) -> bool:
    return permissions.allows(visitor, permission, f"workspace/{workspace_id}/deployment/{deployment_id}")


def whole_number(form: dict[str, str], name: str, default: int) -> int:
    """Read a number of a form; `default` when it is empty."""
    text = form.get(name, "").strip()
    try:
        return int(text) if text else default
    except ValueError:
        raise Invalid(
            f"{text[:40]!r} is no whole number.", code="number-invalid", hint="Write digits.", details={"field": name}
        ) from None


def _pools(text: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, separator, slots = (part.strip() for part in line.rpartition("="))
        if not line.strip():
            continue
        try:
            found[name] = int(slots)
        except ValueError:
            separator = ""
        if not separator or not name:
            raise Invalid(
                f"{line.strip()[:60]!r} is no pool.",
                code="pool-malformed",
                hint="Write one pool a line: warehouse = 4",
                details={"field": "pools"},
            )
    return found
