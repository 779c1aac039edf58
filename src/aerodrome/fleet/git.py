"""Deploys whose project is fetched from a repository: what is asked for, and the credentials that it takes.

The row of such a deploy has no bundle (an empty digest) until the step `fetch` has brought it; see rollout/fetch.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aerodrome.builds import git
from aerodrome.builds.git import GitLogin, GitSource
from aerodrome.environments import resolution
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.requests import NewDeploy
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow


def request(wish: NewDeploy, source: GitSource, *, may_change_version: bool) -> dict[str, Any]:
    """Give what stands in `DeployRow.git` until the project is there; it holds no secrets."""
    return {
        "remote": git.clean_url(source.url),
        "url": source.url,
        "ref": source.ref,
        "folder": source.folder,
        "credentials": source.credentials,
        "wanted_kind": wish.kind,
        "bundle_name": wish.bundle_name,
        "may_change_version": may_change_version,  # the right of who asked, when they asked
    }


def check(context: FleetContext, source: GitSource) -> None:
    """Refuse at once what the step would refuse later. Invalid names the field."""
    git.check_source(source, context.git_protocols)


def wish_of(row: DeployRow) -> tuple[NewDeploy, GitSource]:
    """Give back what was asked for."""
    asked: Mapping[str, Any] = row.git or {}
    source = GitSource(asked["url"], asked["ref"], asked["folder"], asked["credentials"])
    return NewDeploy(kind=asked["wanted_kind"], bundle_name=asked["bundle_name"]), source


def login(context: FleetContext, deployment: DeploymentRow, name: str | None) -> GitLogin | None:
    """Give the credentials of that name from the environment manager: a variable, an environment variable or a connection.

    Invalid (git-credentials-unknown) when the deployment gets none of that name, or one without a secret.
    """
    if name is None:
        return None
    with context.store.reading() as session:
        found = resolution.resolve(session, deployment)
    values = resolution.values(context.secrets, found)
    plain: str | Secret | None = values.variables.get(name) or values.env.get(name)
    if plain is not None:
        return GitLogin("x-access-token", plain if isinstance(plain, Secret) else Secret(plain))
    if (connection := values.connections.get(name)) is not None:
        fields = json.loads(connection.reveal())
        if fields.get("password"):
            return GitLogin(fields.get("login") or "x-access-token", Secret(fields["password"]))
    raise Invalid(
        f"The deployment {deployment.name!r} has no variable, environment variable or connection {name!r} with a secret.",
        code="git-credentials-unknown",
        hint=f"Keep the token or the private key there: `aerodrome env set --secret {name} --deployment {deployment.name}`.",
        details={"field": "credentials"},
    )
