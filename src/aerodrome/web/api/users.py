"""/users: people and their roles, for admins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field

from aerodrome.access.views import UserView
from aerodrome.web.api.edge import GUARDED, NAMED, Body, Caller, Cursor, Limit, Page, The, View, page_of, problems
from aerodrome.web.api.me import Role, roles_of
from aerodrome.web.api.once import Key, once

router = APIRouter(tags=["users"])
RoleName = Literal["viewer", "author", "operator", "admin"]


class User(View):
    """A person."""

    id: Annotated[str, Field(examples=["usr_01k9zq3v5m8n2p4r6s8t0w2x4y"])]
    name: Annotated[str, Field(examples=["ada"])]
    email: str | None
    is_active: bool
    has_password: bool
    roles: list[Role]
    created_at: datetime
    last_login_at: datetime | None


class NewUserBody(Body):
    """A person to add, with a first role."""

    name: Annotated[str, Field(min_length=1, max_length=200, examples=["ada"])]
    email: Annotated[str | None, Field(max_length=320, examples=["ada@example.org"])] = None
    role: RoleName | None = None
    scope: Annotated[str, Field(max_length=200, description="Where the role counts; empty: everywhere.")] = ""


class RoleBody(Body):
    """A role on a scope."""

    role: RoleName
    scope: Annotated[str, Field(max_length=200, description="Where it counts; empty: everywhere.")] = ""


class UserChangesBody(Body):
    """What to change of a person."""

    is_active: Annotated[bool, Field(description="false shuts the person out at once.")]


class LoginLink(View):
    """A link just made."""

    url: Annotated[str, Field(description="Signs the person in once; shown here and never again.")]
    expires_at: datetime


@router.get("/users", responses=GUARDED)
def list_users(the: The, actor: Caller, limit: Limit = 100, cursor: Cursor = None) -> Page[User]:
    """List people, by name."""
    return page_of(the.access.list_users(actor), User, limit, cursor, lambda view: view.name, convert=_user)


@router.post("/users", status_code=201, responses=GUARDED | problems(409))
def create_user(the: The, actor: Caller, body: NewUserBody, key: Key = None) -> User:
    """Add a person; a login link lets them in."""

    def make() -> User:
        return _user(the.access.create_user(actor, body.name, email=body.email, role=body.role, scope=body.scope))

    return once(the, actor, key, User, ("create_user", body), make)


@router.get("/users/{ref}", responses=NAMED)
def get_user(the: The, actor: Caller, ref: str) -> User:
    """Show a person by id or name; everybody may see themselves."""
    return _user(the.access.get_user(actor, ref))


@router.patch("/users/{ref}", responses=NAMED | problems(409))
def update_user(the: The, actor: Caller, ref: str, body: UserChangesBody) -> User:
    """Let a person in or keep them out; keeping out ends their sessions and silences their tokens."""
    return _user(the.access.set_active(actor, ref, body.is_active))


@router.post("/users/{ref}/roles", responses=NAMED)
def grant_role(the: The, actor: Caller, ref: str, body: RoleBody) -> User:
    """Give a person a role."""
    return _user(the.access.grant_role(actor, ref, body.role, body.scope))


@router.post("/users/{ref}/roles/withdraw", responses=NAMED | problems(409))
def withdraw_role(the: The, actor: Caller, ref: str, body: RoleBody) -> User:
    """Take a role away."""
    return _user(the.access.withdraw_role(actor, ref, body.role, body.scope))


@router.post("/users/{ref}/login-links", status_code=201, responses=NAMED)
def create_login_link(the: The, actor: Caller, ref: str) -> LoginLink:
    """Make a link that signs a person in once."""
    view, code = the.access.create_login_link(actor, ref)
    return LoginLink(url=f"{the.settings.url}/login?code={code.reveal()}", expires_at=view.expires_at)


def _user(view: UserView) -> User:
    return User(
        id=view.id,
        name=view.name,
        email=view.email,
        is_active=view.is_active,
        has_password=view.has_password,
        roles=roles_of(view.roles),
        created_at=view.created_at,
        last_login_at=view.last_login_at,
    )
