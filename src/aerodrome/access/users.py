"""People and their roles, inside a transaction of the caller. `access.service` checks permissions and audits."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from aerodrome.access.actor import Actor
from aerodrome.access.permissions import ROLES
from aerodrome.access.views import UserView
from aerodrome.kernel.errors import Conflict, Invalid, NotFound
from aerodrome.kernel.ids import new_id
from aerodrome.store import now
from aerodrome.store.tables.user import RoleGrant, User

_MAX_NAME = 200


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(User)) or 0


def add(session: Session, name: str, email: str | None = None) -> User:
    """Add a person without roles; Conflict when the name is taken."""
    if not name.strip() or name != name.strip() or len(name) > _MAX_NAME or not name.isprintable():
        raise Invalid("A name needs 1 to 200 printable characters without spaces around it.", code="user-name-invalid")
    if session.scalar(select(User.id).where(User.name == name)):
        raise Conflict(f"There is a user {name} already.", code="user-exists", hint="Choose another name.")
    user = User(id=new_id("usr"), name=name, email=email, is_active=True, created_at=now(session))
    session.add(user)
    session.flush()
    return user


def find(session: Session, ref: str) -> User:
    """Give the person with this id or name, or NotFound."""
    user = session.scalar(select(User).where(or_(User.id == ref, User.name == ref)).order_by(User.id != ref))
    if user is None:
        raise NotFound(f"There is no user {ref}.", code="user-unknown", hint="`aerodrome user list` shows them.")
    return user


def named(session: Session, name: str) -> User | None:
    """Give the active person with exactly this name."""
    return session.scalar(select(User).where(User.name == name, User.is_active))


def everybody(session: Session) -> Sequence[User]:
    return session.scalars(select(User).order_by(User.name)).all()


def roles(session: Session, user_id: str) -> tuple[tuple[str, str], ...]:
    """Give the (role, scope) pairs of a person, in a stable order."""
    query = select(RoleGrant.role, RoleGrant.scope).where(RoleGrant.user_id == user_id)
    return tuple(sorted((role, scope) for role, scope in session.execute(query)))


def actors(session: Session) -> Sequence[tuple[User, Actor]]:
    """Give everybody by name with what they may do; who is kept out may do nothing."""
    given: dict[str, list[tuple[str, str]]] = {}
    for row in session.scalars(select(RoleGrant)):
        given.setdefault(row.user_id, []).append((row.role, row.scope))
    return [
        (user, Actor(user.id, user.name, "user", tuple(given.get(user.id, ())) if user.is_active else ()))
        for user in everybody(session)
    ]


def grant(session: Session, user: User, role: str, scope: str) -> None:
    """Give a role on a scope; giving it again changes nothing."""
    if role not in ROLES:
        raise Invalid(f"There is no role {role}.", code="role-unknown", hint=f"Roles: {', '.join(ROLES)}.")
    if scope and (scope.startswith("/") or scope.endswith("/") or not scope.startswith("workspace/")):
        raise Invalid(
            f"{scope!r} is no scope.",
            code="scope-invalid",
            hint="Write workspace/<id>, workspace/<id>/deployment/<id>, or nothing for everywhere.",
        )
    if (role, scope) in roles(session, user.id):
        return
    row = RoleGrant(id=new_id("grt"), user_id=user.id, role=role, scope=scope, created_at=now(session))
    session.add(row)
    session.flush()


def withdraw(session: Session, user: User, role: str, scope: str) -> None:
    """Take a role on a scope away; Conflict when nobody would be left who administers everything."""
    query = select(RoleGrant).where(RoleGrant.user_id == user.id, RoleGrant.role == role, RoleGrant.scope == scope)
    row = session.scalar(query)
    if row is None:
        return
    session.delete(row)
    session.flush()
    refuse_no_admin(session)


def refuse_no_admin(session: Session) -> None:
    """Raise Conflict when no active person administers everything."""
    query = select(RoleGrant.id).join(User).where(RoleGrant.role == "admin", RoleGrant.scope == "", User.is_active)
    if session.scalar(query.limit(1)) is None:
        raise Conflict(
            "This would leave nobody who administers the platform.",
            code="last-admin",
            hint="Make another person an admin first.",
        )


def view(session: Session, user: User) -> UserView:
    return UserView(
        user.id,
        user.name,
        user.email,
        user.is_active,
        user.password_hash is not None,
        roles(session, user.id),
        user.created_at,
        user.last_login_at,
    )
