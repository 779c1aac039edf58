"""The part of a deploy that is not code: settings of its deployment and versions of environment objects.

`take` is called in the transaction that queues a deploy; `put_back` when somebody asks for the configuration of an older one.
A revision is JSON without any secret value: environment objects stand in it by id and version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.environments import revisions as environments
from aerodrome.store.tables.deployment import DeploymentRow

SETTINGS = ("parallelism", "config")  # columns of the deployment that go back with a rollback


def take(session: Session, deployment: DeploymentRow) -> dict[str, Any]:
    """Give what the deployment is set to now."""
    settings = {name: getattr(deployment, name) for name in SETTINGS}
    return {"settings": settings, "environment": environments.revision(session, deployment.id)}


def put_back(session: Session, actor: Actor, deployment: DeploymentRow, revision: Mapping[str, Any]) -> list[str]:
    """Set the deployment to an earlier revision, within the caller's transaction; give the names of what changed.

    The caller raises the generation. A revision taken before something existed leaves that as it is.
    """
    changed = []
    for name in SETTINGS:
        value = revision.get("settings", {}).get(name, getattr(deployment, name))
        if value != getattr(deployment, name):
            setattr(deployment, name, value)
            changed.append(name)
    if "environment" in revision:
        session.flush()
        changed += environments.restore_revision(session, actor, deployment.id, dict(revision["environment"]))
    return changed
