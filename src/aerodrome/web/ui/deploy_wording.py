"""How deploys read on pages. Pure functions, used as Jinja filters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from aerodrome.fleet.views import DeployView
from aerodrome.kernel.clock import from_text
from aerodrome.web.ui import wording

_KINDS: Final = {
    "full": "Whole project",
    "dags": "DAGs only, nothing restarts",
    "packages": "Packages and settings only",
    "bundle": "DAG bundles",
}


def deploy_kind(deploy: DeployView) -> str:
    """Say what a deploy is and what differs with it."""
    what = _KINDS.get(deploy.kind, deploy.kind)
    if deploy.cause == "deploy":
        return what
    word = what if what[:2].isupper() else what[0].lower() + what[1:]  # DAGs stay DAGs
    return f"{deploy.cause.capitalize()}: {word}"


def checks_word(checks: Mapping[str, Any]) -> str:
    """Say in one word what the checks before the switch found."""
    if checks.get("is_blocking"):
        return "failed"
    return "warning" if checks.get("counts", {}).get("warnings") else "ok"


def step_took(step: Mapping[str, Any]) -> str:
    """Say how long a step took, with a comma in front; nothing before its end."""
    if not step["started_at"] or not step["finished_at"]:
        return ""
    started, finished = from_text(step["started_at"]), from_text(step["finished_at"])
    return f", {wording.took(finished - started if finished and started else timedelta())}"
