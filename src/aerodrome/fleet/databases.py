"""Which metadata database a deployment has: chosen when it is made, changed by a proved copy.

`sqlite` is a file in the deployment's folder, for development. `postgresql` is a database of the managed server on the machine.
`existing` is a PostgreSQL database that a person names; its URL is a secret and never stands in a row, a log or an event.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypeAlias, get_args

from sqlalchemy import select

from aerodrome.access import permissions
from aerodrome.access.actor import SYSTEM, Actor
from aerodrome.databases import probing
from aerodrome.fleet import lookup, wishes
from aerodrome.fleet.acts import queries as acts
from aerodrome.fleet.acts.queries import ActView
from aerodrome.fleet.acts.walk import queue
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.database_urls import CURRENT, DatabaseUrls, new_password, next_of
from aerodrome.fleet.vault import DeploymentVault
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.ids import made_at, new_id
from aerodrome.kernel.secret import Secret
from aerodrome.store.tables.act import ActRow
from aerodrome.store.tables.deployment import DeploymentRow

DatabaseKind: TypeAlias = Literal["sqlite", "postgresql", "existing"]
KINDS: tuple[str, ...] = get_args(DatabaseKind)
_ORPHAN_AGE = timedelta(hours=1)
_WORDS = {"sqlite": "SQLite", "postgresql": "the managed PostgreSQL", "existing": "an existing PostgreSQL"}


def check_kind(kind: str, url: Secret | None) -> None:
    """Raise Invalid for a kind that there is not, or a URL that is missing or not wanted."""
    if kind not in KINDS:
        raise Invalid(
            f"{kind[:40]!r} is no kind of metadata database.",
            code="database-kind-unknown",
            hint=f"Choose one of {', '.join(KINDS)}.",
            details={"field": "database"},
        )
    if (kind == "existing") != (url is not None):
        raise Invalid(
            "An existing database needs its URL." if url is None else f"The kind {kind} takes no URL.",
            code="database-url-missing" if url is None else "database-url-unwanted",
            hint="Choose the kind existing and give postgresql://user:password@host:5432/name.",
            details={"field": "database_url"},
        )


def make(context: FleetContext, deployment_id: str, kind: str, url: Secret | None) -> None:
    """Make or probe the database of a new deployment and keep its URL. Raises what exactly is wrong, and leaves nothing."""
    check_kind(kind, url)
    urls = DatabaseUrls(context.secrets, deployment_id)
    if kind == "postgresql":
        urls.put(CURRENT, context.runtime.databases.create(deployment_id, new_password()))
    if url is not None:
        context.runtime.databases.probe(url)
        urls.put(CURRENT, probing.normalised(url))


def unmake(context: FleetContext, deployment_id: str, kind: str) -> None:
    """Drop the managed database of a deployment that is gone, also one to or from which it was just moving.

    A database of somebody else stays as it is.
    """
    with context.store.reading() as session:
        moves = session.scalars(select(ActRow).where(ActRow.deployment_id == deployment_id, ActRow.kind == "move"))
        was_moving = any("postgresql" in act.params.values() for act in moves if act.status in acts.UNFINISHED)
    if kind == "postgresql" or was_moving:
        context.runtime.databases.drop(deployment_id)


def drop_orphans(context: FleetContext) -> list[str]:
    """Drop managed databases that a death between their making and the deployment's row left behind; gives their names.

    Only what nobody ever used: no row, no table, and made more than an hour ago. Whatever holds data is left to people.
    """
    names = [name for name in sorted(context.runtime.databases.names()) if name.startswith("dep_")]
    with context.store.reading() as session:
        known = set(session.scalars(select(DeploymentRow.id).where(DeploymentRow.id.in_(names))))
    before = context.clock.now() - _ORPHAN_AGE
    dropped = []
    for name in names:
        if name not in known and made_at(name) < before and context.runtime.databases.is_empty(name):
            context.runtime.databases.drop(name)
            DeploymentVault(context.secrets, name).clear()
            dropped.append(name)
    return dropped


def make_missing(context: FleetContext) -> list[str]:
    """Make the managed databases that are not there: the platform was restored on another machine. Gives the deployments.

    They begin empty; a backup that came along is put back by a restore. Called at start, when nothing walks yet.
    """
    with context.store.reading() as session:
        query = select(DeploymentRow.id).where(
            DeploymentRow.database_kind == "postgresql", DeploymentRow.desired != "deleted"
        )
        wanted = list(session.scalars(query))
        wanted = [deployment_id for deployment_id in wanted if not acts.is_held(session, deployment_id)]
    missing = sorted(set(wanted) - context.runtime.databases.names()) if wanted else []
    for deployment_id in missing:
        url = context.runtime.databases.create(deployment_id, new_password())
        DatabaseUrls(context.secrets, deployment_id).put(CURRENT, url)
        with wishes.writing(context) as session:
            row = session.get_one(DeploymentRow, deployment_id, with_for_update=True)
            row.generation += 1
            wishes.record(session, SYSTEM, row, "database_made_anew", {})
            wishes.ask_to_look(session, deployment_id)
    return missing


def move(context: FleetContext, actor: Actor, ref: str, kind: str, url: Secret | None = None) -> ActView:
    """Ask for a move to another metadata database; the walk is in acts/moving.py."""
    check_kind(kind, url)
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.database")
        _check_move(row, kind)
        if acts.unfinished(session, row.id) is not None:
            raise Conflict("Something else is under way.", code="act-under-way", hint="Wait until it has ended.")
    urls = DatabaseUrls(context.secrets, row.id)
    act_id = new_id("act")
    if url is not None:
        context.runtime.databases.probe(url)
        urls.put(next_of(act_id), probing.normalised(url))
    try:
        with wishes.writing(context) as session:
            row = lookup.deployment_to_change(session, actor, row.id, "deployment.database")
            _check_move(row, kind)
            title = f"Move from {_WORDS[row.database_kind]} to {_WORDS[kind]}"
            params = {"from": row.database_kind, "to": kind}
            view = acts.view(session, queue(context, session, actor, row, "move", title, params, act_id=act_id))
    except BaseException:
        urls.put(next_of(act_id), None)
        raise
    context.ring()
    return view


def list_acts(context: FleetContext, actor: Actor, ref: str) -> list[ActView]:
    with context.store.reading() as session:
        row = lookup.deployment(session, actor, ref, "deployment.read")
        return acts.views(session, row.id)


def get_act(context: FleetContext, actor: Actor, act_id: str) -> ActView:
    with context.store.reading() as session:
        row = session.scalars(select(ActRow).where(ActRow.id == act_id)).one_or_none()
        home = session.get(DeploymentRow, row.deployment_id) if row is not None else None
        is_seen = home is not None and permissions.allows(actor, "deployment.read", lookup.deployment_scope(home))
        if row is None or not is_seen:
            raise NotFound(f"There is no act {act_id!r}.", code="act-not-found")
        return acts.view(session, row)


def _check_move(row: DeploymentRow, kind: str) -> None:
    if row.desired == "deleted":
        raise Conflict(f"The deployment {row.name!r} is being deleted.", code="deployment-deleting")
    if row.database_kind == kind:
        raise Conflict(
            f"{row.name} uses {_WORDS[kind]} already.",
            code="database-same-kind",
            hint="From one PostgreSQL to another: take a backup, or move over sqlite.",
            details={"field": "database"},
        )
