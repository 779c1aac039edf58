"""Who worked in the source, and the access that each needs here: the same answer for the checklist and for inviting them.

The stock roles of Airflow's FAB auth manager (Admin, Op, User, Viewer, Public; airflow/www/security_manager.py of 2.11.2) become the
platform's; a role of the source's own becomes `viewer` unless somebody says otherwise. Called by web and cli through `Migrations.people`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

from aerodrome.access import audit, users
from aerodrome.access.actor import Actor
from aerodrome.access.permissions import ROLES, allows, require
from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.migration.estate.records import UserRecord
from aerodrome.migration.service.tracks import READ

if TYPE_CHECKING:
    from aerodrome.migration.service.service import Migrations

STOCK = {"Admin": "operator", "Op": "operator", "User": "author", "Viewer": "viewer", "Public": "viewer"}
"""An Admin of one Airflow is no admin of the platform: operators do there what an Admin did."""
_NEEDS = {"viewer": "deployment.read", "author": "deploy.create", "operator": "migration.apply"}
_MANAGE = "user.manage"


@dataclass(frozen=True)
class Person:
    """A user of the source, and what becomes of the access."""

    username: str
    email: str
    source_roles: tuple[str, ...]
    role: str  # of the platform, on the migration's workspace
    account: str  # the name of the person's account here; empty: none yet
    has_access: bool  # the account may do what the role allows
    is_shut_out: bool = False  # the account is deactivated here: no role helps


class People:
    """The active users of a source."""

    def __init__(self, migrations: Migrations) -> None:
        self._migrations = migrations

    def list(self, actor: Actor, ref: str) -> Sequence[Person]:
        """Give them by name, with the roles that `STOCK` gives. Needs `user.read`; Conflict before the first assessment."""
        migrations = self._migrations
        row = migrations.row_for(actor, ref, READ)
        require(actor, "user.read")
        before = tuple(migrations.estate_of(row).all(UserRecord))
        with migrations.store.reading() as session:
            return people_of(session, before, f"workspace/{row.workspace_id}")

    def invite(
        self, actor: Actor, ref: str, roles: Mapping[str, str] | None = None, *, only: Collection[str] = ()
    ) -> Sequence[Person]:
        """Make the accounts and give the roles that are missing, of all or of those named; give the people as they are then.

        `roles`: platform roles for roles of the source, over `STOCK`; Invalid for one that the platform does not have, NotFound for one that
        no user of the source has. One transaction, and safe to repeat: nobody loses a role, and a person who was kept out stays out. Login links are made one by one
        (`Access.create_login_link`). NotFound for a name that the source does not have.
        """
        migrations = self._migrations
        require(actor, _MANAGE)
        row = migrations.row_for(actor, ref, READ)
        before = tuple(migrations.estate_of(row).all(UserRecord))
        _check(roles or {}, before)
        scope = f"workspace/{row.workspace_id}"
        with migrations.store.writing() as session:
            people = _people(session, before, roles or {}, scope)
            if unknown := sorted(set(only) - {person.username for person in people}):
                raise NotFound(
                    f"The source has no active user {unknown[0]}.",
                    code="person-unknown",
                    hint=f"`aerodrome migrate people {row.name}` lists them.",
                )
            for person in people:
                if person.has_access or (only and person.username not in only):
                    continue
                _let_in(session, actor, person, scope)
            return _people(session, before, roles or {}, scope)


def wanted_role(source_roles: Collection[str], roles: Mapping[str, str]) -> str:
    """Give the most that any of these roles of the source becomes; `viewer` for none at all."""
    ranks = list(ROLES)
    found = [roles.get(name) or STOCK.get(name, "viewer") for name in source_roles]
    return max(found, key=ranks.index, default="viewer")


def people_of(session: Session, before: Iterable[UserRecord], scope: str) -> Sequence[Person]:
    """Give the active users with the roles that `STOCK` gives, and what they have here."""
    return _people(session, tuple(before), {}, scope)


def _check(roles: Mapping[str, str], before: Collection[UserRecord]) -> None:
    known = {name for user in before for name in user.roles}
    for name, role in roles.items():
        if role not in ROLES:
            raise Invalid(
                f"{name}={role}: the platform has the roles {', '.join(ROLES)}.",
                code="role-unknown",
                details={"field": "roles"},
            )
        if name not in known:
            raise NotFound(
                f"No user of the source has a role {name}.",
                code="source-role-unknown",
                hint=f"There are {', '.join(sorted(known)) or 'none'}.",
            )


def _people(session: Session, before: Collection[UserRecord], roles: Mapping[str, str], scope: str) -> Sequence[Person]:
    """Match by name, then by e-mail address, in either case; a deactivated account is an account without access."""
    here = users.actors(session)
    by_key = {user.email.casefold(): (user, actor) for user, actor in here if user.email}
    by_key |= {user.name.casefold(): (user, actor) for user, actor in here}  # a name counts more than an address
    found = []
    for record in sorted(before, key=lambda user: user.username):
        if not record.is_active:
            continue
        role = wanted_role(record.roles, roles)
        account = by_key.get(record.username.casefold()) or by_key.get((record.email or "").casefold())
        has_access = account is not None and allows(account[1], _NEEDS.get(role, _MANAGE), scope)
        name, is_shut_out = (account[0].name, not account[0].is_active) if account else ("", False)
        found.append(Person(record.username, record.email or "", record.roles, role, name, has_access, is_shut_out))
    return found


def _let_in(session: Session, actor: Actor, person: Person, scope: str) -> None:
    if not person.account:
        user = users.add(session, person.username.strip(), person.email or None)
        audit.record(session, actor, "user.create", user.id, {"name": user.name, "role": person.role, "scope": scope})
    else:
        user = users.find(session, person.account)
    users.grant(session, user, person.role, scope)
    if person.account:
        audit.record(session, actor, "role.grant", user.id, {"role": person.role, "scope": scope})
