"""The facade of the environment manager: what the API and the pages call. Scopes are a workspace or a deployment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aerodrome.access.actor import Actor
from aerodrome.environments.contract import ObjectView, VersionView, Wish
from aerodrome.fleet import object_files, object_looks, objects
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.object_files import ImportReport, ImportWish
from aerodrome.fleet.object_looks import ConnectionTest, Effective
from aerodrome.kernel.secret import Secret

__all__ = ["EnvironmentManager", "ImportWish", "Wish"]


class EnvironmentManager:
    """Connections, variables and environment variables. Every change is a version; secret values are shown to nobody."""

    def __init__(self, context: FleetContext) -> None:
        self._context = context

    def list_all(
        self,
        actor: Actor,
        *,
        workspace: str | None = None,
        deployment: str | None = None,
        kind: str | None = None,
        with_deleted: bool = False,
    ) -> list[ObjectView]:
        """Give the objects of a scope, or all that the actor may see, by kind and name."""
        return objects.list_all(
            self._context, actor, workspace=workspace, deployment=deployment, kind=kind, with_deleted=with_deleted
        )

    def get(self, actor: Actor, object_id: str) -> ObjectView:
        return objects.get(self._context, actor, object_id)

    def find(self, actor: Actor, kind: str, name: str, *, workspace: str | None, deployment: str | None) -> ObjectView:
        """Give the object of a scope by kind and name, a deleted one included."""
        return objects.find(self._context, actor, workspace, deployment, kind, name)

    def put(
        self, actor: Actor, wish: Wish, *, workspace: str | None = None, deployment: str | None = None
    ) -> ObjectView:
        """Make an object or change it. Invalid names the field."""
        (view,) = objects.put(self._context, actor, [wish], workspace=workspace, deployment=deployment)
        return view

    def delete(self, actor: Actor, object_id: str) -> ObjectView:
        return objects.delete(self._context, actor, object_id)

    def history(self, actor: Actor, object_id: str) -> list[VersionView]:
        """Give an object's versions, newest first."""
        return objects.history(self._context, actor, object_id)

    def restore(self, actor: Actor, object_id: str, number: int) -> ObjectView:
        """Bring an older version back as a new one, secret values included; nobody sees them."""
        return objects.restore(self._context, actor, object_id, number)

    def link(
        self, actor: Actor, object_id: str, deployment: str, overrides: Mapping[str, Any] | None = None
    ) -> ObjectView:
        """Let a deployment get a workspace's object, with other fields when given."""
        return objects.link(self._context, actor, object_id, deployment, overrides)

    def exclude(self, actor: Actor, object_id: str, deployment: str) -> ObjectView:
        """Keep a workspace's object away from a deployment."""
        return objects.link(self._context, actor, object_id, deployment, None, is_excluded=True)

    def unlink(self, actor: Actor, object_id: str, deployment: str) -> ObjectView:
        """Forget overrides and exclusion for a deployment."""
        return objects.unlink(self._context, actor, object_id, deployment)

    def link_all(self, actor: Actor, object_id: str, *, is_auto_linked: bool) -> ObjectView:
        """Let all deployments of the workspace get the object, or only those that are linked."""
        return objects.link_all(self._context, actor, object_id, is_auto_linked=is_auto_linked)

    def effective(self, actor: Actor, deployment: str, kind: str | None = None) -> Effective:
        """Give what a deployment's Airflow finds, from where, and what hides what."""
        return object_looks.effective(self._context, actor, deployment, kind)

    def test(self, actor: Actor, deployment: str, conn_id: str, timeout_s: float = 30.0) -> ConnectionTest:
        """Test a connection inside a deployment."""
        return object_looks.try_connection(self._context, actor, deployment, conn_id, timeout_s)

    def import_file(
        self, actor: Actor, wish: ImportWish, *, workspace: str | None = None, deployment: str | None = None
    ) -> ImportReport:
        """Import connections, variables or environment variables from a file in Airflow's formats."""
        return object_files.import_file(self._context, actor, wish, workspace=workspace, deployment=deployment)

    def export(
        self,
        actor: Actor,
        kind: str,
        format_: str,
        *,
        workspace: str | None = None,
        deployment: str | None = None,
        with_secrets: bool = False,
    ) -> Secret:
        """Export the objects of a scope; secret values only with `environment.reveal`."""
        return object_files.export(
            self._context, actor, kind, format_, workspace=workspace, deployment=deployment, with_secrets=with_secrets
        )
