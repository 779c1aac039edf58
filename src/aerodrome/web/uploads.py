"""What API and pages ask before they read a large upload."""

from __future__ import annotations

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import require
from aerodrome.web.platform import Platform


def check_may_deploy(the: Platform, actor: Actor, ref: str) -> None:
    """Raise NotFound or Denied unless the actor may deploy there."""
    view = the.fleet.get_deployment(actor, ref)
    require(actor, "deploy.create", f"workspace/{view.workspace_id}/deployment/{view.id}")
