"""The facade of fleet: what the API, the pages and the migration call.

Every command checks the actor's permission and the input, then writes the wish, an audit row, an event and a job in one
transaction. The reconciler makes it true afterwards; `wait_live` and `wait_healthy` watch it from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from aerodrome.access.actor import Actor
from aerodrome.builds.contract import Bundle
from aerodrome.fleet import (
    clusters,
    databases,
    deployments,
    deploys,
    diff,
    looking,
    usage,
    variables,
    versions,
    waiting,
    workspaces,
)
from aerodrome.fleet.acts.queries import ActView
from aerodrome.fleet.backends import SecretsBackends
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.database_urls import new_password
from aerodrome.fleet.diff import DeployDiff
from aerodrome.fleet.environment import EnvironmentManager
from aerodrome.fleet.incidents import reading as incidents
from aerodrome.fleet.incidents import vitals
from aerodrome.fleet.incidents.contract import IncidentView
from aerodrome.fleet.incidents.vitals import VitalsView
from aerodrome.fleet.keeping import Keeping
from aerodrome.fleet.requests import DeploymentChanges, NewDeploy, NewDeployment
from aerodrome.fleet.usage import UsageView
from aerodrome.fleet.versions import Change
from aerodrome.fleet.views import (
    ClusterView,
    DeploymentView,
    DeployView,
    RehearsalView,
    VersionChoice,
    WorkspaceView,
)
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import AirflowAccess

__all__ = ["Change", "DeploymentChanges", "Fleet", "NewDeploy", "NewDeployment"]


class Fleet:
    """Workspaces, clusters, deployments and deploys. A `ref` is an id or a name; `workspace/name` names one of several."""

    def __init__(self, context: FleetContext) -> None:
        self._context = context
        self.keeping = Keeping(context)  # backups, schedules, cleaning
        self.backends = SecretsBackends(context)
        self.environment = EnvironmentManager(context)

    def create_workspace(self, actor: Actor, name: str, description: str = "") -> WorkspaceView:
        """Make a workspace. Invalid name, Conflict when the name is taken."""
        return workspaces.create(self._context, actor, name, description)

    def list_workspaces(self, actor: Actor) -> list[WorkspaceView]:
        """Give the workspaces that the actor may see, by name."""
        return workspaces.list_all(self._context, actor)

    def get_workspace(self, actor: Actor, ref: str) -> WorkspaceView:
        return workspaces.get(self._context, actor, ref)

    def update_workspace(
        self, actor: Actor, ref: str, *, name: str | None = None, description: str | None = None
    ) -> WorkspaceView:
        """Rename a workspace or describe it anew. Conflict when the name is taken."""
        return workspaces.update(self._context, actor, ref, name=name, description=description)

    def delete_workspace(self, actor: Actor, ref: str) -> None:
        """Remove an empty workspace. Conflict while it has deployments."""
        workspaces.delete(self._context, actor, ref)

    def list_clusters(self, actor: Actor) -> list[ClusterView]:
        return clusters.list_all(self._context, actor)

    def create_deployment(self, actor: Actor, wish: NewDeployment) -> DeploymentView:
        """Make a deployment with its own keys; Airflow starts soon after. Invalid names the field, Conflict a taken name."""
        return deployments.create(self._context, actor, wish)

    def list_deployments(
        self, actor: Actor, workspace: str | None = None, status: str | None = None
    ) -> list[DeploymentView]:
        """Give the deployments that the actor may see, by workspace and name; only those in a status when it is given."""
        return deployments.list_all(self._context, actor, workspace, status)

    def get_deployment(self, actor: Actor, ref: str) -> DeploymentView:
        return deployments.get(self._context, actor, ref)

    def update_deployment(self, actor: Actor, ref: str, changes: DeploymentChanges) -> DeploymentView:
        """Change what is wanted; fields that are None stay. Nothing is written when nothing differs.

        Another Airflow or Python version is an upgrade: a deploy of its own, which goes live when it is shown to work.
        """
        return versions.update(self._context, actor, ref, changes)

    def upgrade(self, actor: Actor, ref: str, change: Change) -> DeployView:
        """Queue an upgrade to `change.to`. Conflict when it has that version, Invalid when that is older."""
        return versions.upgrade(self._context, actor, ref, change)

    def roll_back(self, actor: Actor, ref: str, change: Change) -> DeployView:
        """Queue the deploy `change.deploy` again. Conflict when it cannot come back."""
        return versions.roll_back(self._context, actor, ref, change)

    def rehearse(self, actor: Actor, ref: str, change: Change) -> RehearsalView:
        """Queue a try of an upgrade or of a rollback across versions on a copy."""
        return versions.rehearse(self._context, actor, ref, change)

    def list_rehearsals(self, actor: Actor, ref: str) -> list[RehearsalView]:
        """Give the rehearsals of a deployment, newest first."""
        return versions.rehearsals(self._context, actor, ref)

    def get_rehearsal(self, actor: Actor, ref: str, rehearsal_id: str) -> RehearsalView:
        return versions.rehearsal(self._context, actor, ref, rehearsal_id)

    def list_versions(self, actor: Actor, ref: str) -> list[VersionChoice]:
        """Give every Airflow version, newest first, and whether the deployment can get there."""
        return versions.choices(self._context, actor, ref)

    def set_env(
        self,
        actor: Actor,
        ref: str,
        values: Mapping[str, str | Secret | None],
        secret_names: frozenset[str] = frozenset(),
    ) -> DeploymentView:
        """Set environment variables; None removes one. A Secret, or a name in `secret_names`, is kept in the secret store."""
        return variables.set_env(self._context, actor, ref, values, secret_names)

    def delete_deployment(self, actor: Actor, ref: str) -> DeploymentView:
        """Ask for the removal of the deployment, its data and its secrets. Asking again changes nothing."""
        return deployments.set_desired(self._context, actor, ref, "deleted")

    def hibernate(self, actor: Actor, ref: str) -> DeploymentView:
        """Stop its processes, keep its data."""
        return deployments.set_desired(self._context, actor, ref, "hibernated")

    def wake(self, actor: Actor, ref: str) -> DeploymentView:
        """Start a hibernated deployment again."""
        return deployments.set_desired(self._context, actor, ref, "running")

    def deployment_logs(self, actor: Actor, ref: str, component: str, tail: int = 200) -> list[str]:
        """Give the last lines of a component's log, oldest first."""
        return looking.logs(self._context, actor, ref, component, tail)

    def list_incidents(
        self,
        actor: Actor,
        *,
        is_open: bool | None = None,
        limit: int = 200,
        before: tuple[datetime, str] | None = None,
    ) -> list[IncidentView]:
        """Give incidents of the platform and of all deployments that the actor may see, newest first; `before` pages on."""
        return incidents.everywhere(self._context, actor, is_open=is_open, limit=limit, before=before)

    def deployment_incidents(
        self,
        actor: Actor,
        ref: str,
        *,
        is_open: bool | None = None,
        limit: int = 200,
        before: tuple[datetime, str] | None = None,
    ) -> list[IncidentView]:
        """Give the incidents of a deployment, newest first."""
        return incidents.of_deployment(self._context, actor, ref, is_open=is_open, limit=limit, before=before)

    def deployment_vitals(self, actor: Actor, ref: str) -> VitalsView | None:
        """Give what was last measured of a deployment; None before the first look."""
        return vitals.of_deployment(self._context, actor, ref)

    def move_database(self, actor: Actor, ref: str, kind: str, url: Secret | None = None) -> ActView:
        """Move a deployment to sqlite, postgresql (the managed server) or existing (with its URL), by a proved copy."""
        return databases.move(self._context, actor, ref, kind, url)

    def list_acts(self, actor: Actor, ref: str) -> list[ActView]:
        """Give the moves and restores of a deployment with their steps, newest first."""
        return databases.list_acts(self._context, actor, ref)

    def get_act(self, actor: Actor, act_id: str) -> ActView:
        return databases.get_act(self._context, actor, act_id)

    def access(self, actor: Actor, ref: str) -> AirflowAccess:
        """Tell how to reach the deployment's Airflow and metadata database. Unavailable before its first start."""
        return looking.access(self._context, actor, ref)

    def ask(self, actor: Actor, ref: str, module: str, question: Mapping[str, Any], timeout_s: float) -> Any:
        """Run a module of `aerodrome_airflow` where the deployment's tasks run and give its answer (JSON)."""
        return looking.ask(self._context, actor, ref, module, question, timeout_s)

    @contextmanager
    def scratch_database(self, name: str) -> Iterator[Secret]:
        """Give the URL of an empty database on the platform's own PostgreSQL, dropped afterwards.

        Unavailable says which package to install when the machine has no PostgreSQL.
        """
        made = self._context.runtime.databases
        try:
            yield made.create(name, new_password())
        finally:
            made.drop(name)

    def hide(self, actor: Actor, ref: str, data: Any) -> Any:
        """Mask every secret value of a deployment in the texts of JSON-like data."""
        return looking.hide(self._context, actor, ref, data)

    def deploy(
        self, actor: Actor, ref: str, bundle: Bundle | None, description: str = "", origin: str = "api", **more: Any
    ) -> DeployView:
        """Queue a bundle as the next version of a deployment; `more` are the further fields of `NewDeploy`."""
        wish = NewDeploy(bundle=bundle, description=description, origin=origin, **more)
        return deploys.create(self._context, actor, ref, wish)

    def check(self, actor: Actor, ref: str, bundle: Bundle, **more: Any) -> Mapping[str, Any]:
        """Check a project as a deploy of it would be, under its exact target; nothing is queued. See fleet/checks."""
        return usage.check(self._context, actor, ref, NewDeploy(bundle=bundle, **more))

    def usage(self, actor: Actor, ref: str) -> UsageView:
        """Give what the DAGs of the live deploy need: connections, variables, pools, environment variables."""
        return usage.of_deployment(self._context, actor, ref)

    def usage_of(self, actor: Actor, kind: str, name: str) -> list[UsageView]:
        """Give the deployments whose DAGs name an object (connection, variable, pool, env), with its places."""
        return usage.of_object(self._context, actor, kind, name)

    def list_deploys(
        self, actor: Actor, ref: str, *, limit: int | None = None, below: int | None = None
    ) -> list[DeployView]:
        """Give the deploys of a deployment, newest first: at most `limit`, and only those with a number below `below`."""
        return deploys.list_all(self._context, actor, ref, limit=limit, below=below)

    def get_deploy(self, actor: Actor, ref: str, deploy: int | str) -> DeployView:
        """Give one deploy of a deployment by number or id."""
        return deploys.get(self._context, actor, ref, deploy)

    def diff_deploys(self, actor: Actor, ref: str, before: int | str, after: int | str) -> DeployDiff:
        """Say what differs between two deploys of a deployment: code, requirements, versions, settings, environment."""
        return diff.compare(self._context, actor, ref, before, after)

    def wait_live(self, actor: Actor, deploy_id: str, timeout_s: float = 300.0) -> DeployView:
        """Wait until a deploy is live (or was, and is superseded). Raises its error when it failed, Unavailable in the end."""
        return waiting.live(self._context, actor, deploy_id, timeout_s)

    def wait_healthy(self, actor: Actor, ref: str, timeout_s: float = 300.0) -> DeploymentView:
        """Wait until a deployment is healthy in its present generation. Raises its error when it failed."""
        return waiting.healthy(self._context, actor, ref, timeout_s)
