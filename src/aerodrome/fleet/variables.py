"""Environment variables of a deployment, the short way: by name and value. They are its own environment objects."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.environments import writing
from aerodrome.environments.contract import Wish
from aerodrome.environments.drafting import Draft
from aerodrome.environments.writing import Scope
from aerodrome.fleet import lookup, names, objects, queries, wishes
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.views import DeploymentView
from aerodrome.kernel.errors import Conflict, Stale
from aerodrome.kernel.secret import Secret
from aerodrome.store.tables.deployment import DeploymentRow

_ATTEMPTS = 12


def set_env(
    context: FleetContext,
    actor: Actor,
    ref: str,
    values: Mapping[str, str | Secret | None],
    secret_names: frozenset[str],
) -> DeploymentView:
    """Set variables and remove those whose value is None, in one transaction."""
    names.check_env(values)
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.env")
        _refuse_when_deleting(row)
    scope = Scope(row.workspace_id, row.id)
    wanted = [_wish(name, value, name in secret_names) for name, value in values.items() if value is not None]
    removed = [("env", name) for name, value in values.items() if value is None]
    for attempt in range(_ATTEMPTS):
        drafts = writing.prepare(context.store, context.secrets, scope, wanted)
        fresh = writing.keep_values(context.secrets, drafts)
        try:
            with wishes.writing(context) as session:
                # objects first, the deployment afterwards: everybody locks in this order
                objects.write_in(session, actor, scope, drafts, lookup.deployment_scope(row))
                objects.remove_all(session, actor, scope, removed)
                row = lookup.deployment_to_change(session, actor, row.id, "deployment.env")
                _refuse_when_deleting(row)
                row.updated_at = context.clock.now()
                wishes.record(session, actor, row, "updated", {"fields": [f"env.{name}" for name in sorted(values)]})
        except Stale:
            context.secrets.delete_many(fresh)
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        except BaseException:
            context.secrets.delete_many(fresh)
            raise
        break
    context.ring()
    with context.store.reading() as session:
        return queries.deployments(session, [session.get_one(DeploymentRow, row.id)])[0]


def first(context: FleetContext, scope: Scope, env: Mapping[str, str | Secret]) -> list[Draft]:
    """Draft the variables of a deployment that is about to be made, and keep their secret values."""
    drafts = writing.prepare(
        context.store, context.secrets, scope, [_wish(name, value, False) for name, value in env.items()]
    )
    writing.keep_values(context.secrets, drafts)
    return drafts


def write_first(session: Session, actor: Actor, scope: Scope, drafts: list[Draft]) -> None:
    """Write the variables of a deployment in the transaction that makes it."""
    writing.write(session, actor, scope, drafts)


def _wish(name: str, value: str | Secret, is_named_secret: bool) -> Wish:
    is_secret = is_named_secret or isinstance(value, Secret)
    return Wish("env", name, {"value": value}, is_secret=is_secret)


def _refuse_when_deleting(row: DeploymentRow) -> None:
    if row.desired == "deleted":
        raise Conflict(
            f"The deployment {row.name!r} is being deleted.",
            code="deployment-deleting",
            hint="Make a new one when it is gone.",
        )
