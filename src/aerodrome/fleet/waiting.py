"""Waits for the reconciler from outside, by reading the store. For the CLI, the migration and tests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from aerodrome.access.actor import Actor
from aerodrome.fleet import deployments, deploys
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.machine import UNFINISHED
from aerodrome.fleet.views import DeploymentView, DeployView
from aerodrome.kernel.errors import AerodromeError, Broken, Conflict, Denied, Invalid, NotFound, Stale, Unavailable
from aerodrome.store.tables.deploy import DeployRow

POLL_S = 0.2
_KINDS: Mapping[str, type[AerodromeError]] = {
    error.kind: error for error in (Invalid, NotFound, Denied, Conflict, Stale, Unavailable, Broken)
}


def live(context: FleetContext, actor: Actor, deploy_id: str, timeout_s: float) -> DeployView:
    end = time.monotonic() + timeout_s
    while True:
        view = deploys.get_by_id(context, actor, deploy_id)
        if view.status in ("live", "superseded"):
            return view
        if view.status == "failed":
            raise error_of(view.error or {})
        if time.monotonic() >= end:
            raise Unavailable(
                f"Deploy {view.number} is still {view.status} after {timeout_s:.0f} s.",
                code="deploy-not-live",
                hint="It goes on by itself; `aerodrome deploy show` tells its steps.",
            )
        time.sleep(POLL_S)


def healthy(context: FleetContext, actor: Actor, ref: str, timeout_s: float) -> DeploymentView:
    end = time.monotonic() + timeout_s
    while True:
        view = deployments.get(context, actor, ref)
        is_current = view.observed_generation == view.generation and not _has_unfinished(context, view.id)
        if view.status == "healthy" and is_current:
            return view
        if view.status == "failed":
            raise error_of(view.error or {})
        if view.desired != "running":
            raise Conflict(
                f"The deployment {view.name!r} is to be {view.desired}, so it will not become healthy.",
                code="deployment-not-wanted",
                hint=f"`aerodrome deployment wake {view.name}` starts a hibernated one.",
            )
        if time.monotonic() >= end:
            raise Unavailable(
                f"The deployment {view.name!r} is still {view.status} after {timeout_s:.0f} s. {' '.join(view.reasons)}",
                code="deployment-not-healthy",
                hint=f"`aerodrome deployment logs {view.name}` shows what Airflow says.",
            )
        time.sleep(POLL_S)


def error_of(data: Mapping[str, Any]) -> AerodromeError:
    """Make the error again from its data."""
    kind = _KINDS.get(data.get("kind", ""), Broken)
    return kind(
        data.get("message", "It failed without a reason."),
        code=data.get("code", "unknown"),
        hint=data.get("hint", ""),
        details=dict(data.get("details", {})),
    )


def _has_unfinished(context: FleetContext, deployment_id: str) -> bool:
    with context.store.reading() as session:
        query = select(DeployRow.id).where(DeployRow.deployment_id == deployment_id, DeployRow.status.in_(UNFINISHED))
        return session.scalars(query).first() is not None
