"""`aerodrome user create|list|show|grant|withdraw|deactivate|activate|login-link|me`."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, write_fields, write_json, write_rows
from aerodrome.client.models import Role, User

app = App(name="user", help="People and their roles.")
Ref = Annotated[str, Parameter(help="Id or name.")]
RoleName = Annotated[Literal["viewer", "author", "operator", "admin"], Parameter(help="The role.")]
Scope = Annotated[str, Parameter(help="Where it counts: workspace/<id>[/deployment/<id>]; empty: everywhere.")]


@app.command
def create(
    name: Annotated[str, Parameter(help="The name.")],
    /,
    *,
    role: RoleName = "viewer",
    scope: Scope = "",
    email: Annotated[str | None, Parameter(help="The address.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Add a person; `aerodrome user login-link NAME` lets them in."""
    with common.connect() as client:
        _write(client.users.create(name, role=role, scope=scope, email=email), common)


@app.command(name="list")
def list_all(*, common: Common = COMMON_DEFAULTS) -> None:
    """List people."""
    with common.connect() as client:
        items = client.users.list()
    if common.output == "json":
        write_json(items)
        return
    rows = [
        {"name": item.name, "active": item.is_active, "roles": _roles(item.roles), "last": item.last_login_at}
        for item in items
    ]
    write_rows("table", rows, {"Name": "name", "Active": "active", "Roles": "roles", "Last login": "last"})


@app.command
def show(user: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show a person."""
    with common.connect() as client:
        _write(client.users.get(user), common)


@app.command
def me(*, common: Common = COMMON_DEFAULTS) -> None:
    """Show who the server takes you for."""
    with common.connect() as client:
        item = client.users.me()
    if common.output == "json":
        write_json(item)
        return
    sys.stdout.write(f"{cell(item.name)} at {client.base_url}: {_roles(item.roles)}\n")


@app.command
def grant(user: Ref, role: RoleName, /, *, scope: Scope = "", common: Common = COMMON_DEFAULTS) -> None:
    """Give a person a role."""
    with common.connect() as client:
        _write(client.users.grant(user, role, scope), common)


@app.command
def withdraw(user: Ref, role: RoleName, /, *, scope: Scope = "", common: Common = COMMON_DEFAULTS) -> None:
    """Take a role away."""
    with common.connect() as client:
        _write(client.users.withdraw(user, role, scope), common)


@app.command
def deactivate(user: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Keep a person out: ends their sessions and silences their tokens at once."""
    with common.connect() as client:
        _write(client.users.set_active(user, is_active=False), common)


@app.command
def activate(user: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Let a person in again."""
    with common.connect() as client:
        _write(client.users.set_active(user, is_active=True), common)


@app.command
def login_link(user: Ref, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Make a link that signs this person in once; hand it over on a private way."""
    with common.connect() as client:
        link = client.users.login_link(user)
    if common.output == "json":
        write_json({"url": link.url.reveal(), "expires_at": link.expires_at})
        return
    sys.stdout.write(link.url.reveal() + "\n")
    say(f"It works once, until {cell(link.expires_at)}.")


def _write(item: User, common: Common) -> None:
    if common.output == "json":
        write_json(item)
        return
    shown = {
        "name": item.name,
        "id": item.id,
        "email": item.email,
        "active": item.is_active,
        "roles": _roles(item.roles),
        "last": item.last_login_at,
    }
    titles = {"Name": "name", "Id": "id", "E-mail": "email", "Active": "active", "Roles": "roles", "Last login": "last"}
    write_fields("table", shown, titles)


def _roles(roles: tuple[Role, ...]) -> str:
    return ", ".join(f"{item.role} on {item.scope}" if item.scope else item.role for item in roles)
