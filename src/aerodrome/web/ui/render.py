"""Draws pages: one Jinja environment, everything escaped, no page without its navigation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from aerodrome.kernel.amounts import size
from aerodrome.web.platform import platform_of
from aerodrome.web.ui import deploy_wording, wording

STATIC = Path(__file__).parent / "static"
NAVIGATION = (
    ("Deployments", "/deployments"),
    ("Environment", "/environment"),
    ("Secrets", "/secrets-backends"),
    ("Migrations", "/migrations"),
    ("Alerts", "/alerts"),
    ("Audit", "/audit"),
)
DEPLOYMENT_TABS = (
    ("Overview", ""),
    ("Deploys", "deploys"),
    ("Environment", "environment"),
    ("Usage", "usage"),
    ("Versions", "versions"),
    ("Health", "health"),
    ("Backups", "backups"),
    ("Settings", "settings"),
)  # title, last part of the address below /deployments/{id}


@dataclass(frozen=True)
class NavItem:
    """One entry of the main navigation."""

    title: str
    href: str
    is_current: bool


@cache
def static_version() -> str:
    """Give a digest over all static files; it stands in their addresses, so that they may be cached for ever."""
    hasher = sha256()
    for path in sorted(STATIC.iterdir()):
        hasher.update(path.name.encode() + path.read_bytes())
    return hasher.hexdigest()[:12]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("aerodrome.web.ui"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "tone": wording.tone,
        "took": wording.took,
        "plural": wording.plural,
        "track_title": wording.track_title,
        "diff_line": wording.diff_line,
        "interval": wording.interval,
        "log_lines": wording.log_lines,
        "with_code": wording.with_code,
        "deploy_kind": deploy_wording.deploy_kind,
        "checks_word": deploy_wording.checks_word,
        "step_took": deploy_wording.step_took,
        "size": size,
    }
    environment.globals["deployment_tabs"] = DEPLOYMENT_TABS
    environment.globals["static"] = lambda name: f"/static/{static_version()}/{name}"
    return environment


def draw(request: Request, template: str, values: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """Draw a template with the page's values and what every page has: navigation, actor, CSRF token."""
    path = request.url.path
    now = platform_of(request).clock.now()
    environment = _environment().overlay()
    environment.filters = {**environment.filters, "ago": lambda at: wording.ago(at, now)}
    shared = {
        "nav": [NavItem(title, href, path.startswith(href)) for title, href in NAVIGATION],
        "actor": getattr(request.state, "actor", None),
        "csrf": getattr(request.state, "csrf", ""),
    }
    return HTMLResponse(environment.get_template(template).render({**shared, **values}), status)
