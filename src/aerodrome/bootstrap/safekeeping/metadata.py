"""Metadata databases in a backup of the platform: taken before it is written, put back when a restored platform first starts."""

from __future__ import annotations

import json
from collections.abc import Callable

import structlog

from aerodrome.bootstrap.safekeeping.platform import BRING_BACK, SNAPSHOTS
from aerodrome.fleet import snapshots
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.errors import AerodromeError

_log = structlog.get_logger("aerodrome.bootstrap")


def take_all(context: FleetContext, say: Callable[[str], None]) -> dict[str, str]:
    """Take a snapshot of every deployment's metadata database; give deployment -> snapshot. What has none is told and left out."""
    taken = {}
    for deployment_id, name in snapshots.deployments(context):
        try:
            taken[deployment_id] = snapshots.take(context, deployment_id)
            say(f"{name}: snapshot taken")
        except AerodromeError as error:
            say(f"{name}: left out. {error.message}")
    return taken


def bring_back(context: FleetContext) -> None:
    """Let every deployment of a restored platform begin with its snapshot; called at start, does nothing at any other one."""
    list_ = context.home / SNAPSHOTS / BRING_BACK
    if not list_.exists():
        return
    for deployment_id, snapshot_id in json.loads(list_.read_text()).items():
        if snapshots.bring_back(context, deployment_id, snapshot_id):
            _log.info("deployment.brought_back", deployment=deployment_id, snapshot=snapshot_id)
    list_.unlink()
