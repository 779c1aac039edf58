"""Turns environment variables of deployments from before there were environment objects into objects; called at start.

The values of secret ones stay where they are in the secret store: the object's first version names that path.
"""

from __future__ import annotations

from sqlalchemy import select

from aerodrome.access.actor import SYSTEM
from aerodrome.environments import versions
from aerodrome.environments.contract import Content
from aerodrome.fleet.context import FleetContext
from aerodrome.kernel.ids import new_id
from aerodrome.store.tables.deployment import DeploymentRow


def adopt(context: FleetContext) -> int:
    """Make the objects and empty the old columns, one transaction per deployment; give how many deployments had any."""
    with context.store.reading() as session:
        ids = [row.id for row in session.scalars(select(DeploymentRow)) if row.env or row.secret_env]
    for deployment_id in ids:
        with context.store.writing() as session:
            row = session.get(DeploymentRow, deployment_id, with_for_update=True)
            if row is None:
                continue
            contents = {name: Content(fields={"value": str(value)}) for name, value in row.env.items()}
            for name in row.secret_env:
                path = f"deployment/{row.id}/env/{name}"
                contents[name] = Content(secrets={"value": path}, is_secret=True)
            wanted = [versions.NewContent("env", name, content, new_id("env")) for name, content in contents.items()]
            versions.put_all(session, SYSTEM, row.workspace_id, row.id, wanted, note="set before there were versions")
            row.env, row.secret_env = {}, []
    return len(ids)
