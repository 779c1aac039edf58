"""`aerodrome migrate people`: who worked in the source, and their access here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from cyclopts import Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_json, write_rows
from aerodrome.kernel.errors import Invalid

COLUMNS = {
    "User": "username", "E-mail": "email", "In the source": "before", "Here": "role", "Account": "account", "Access": "access",
}  # fmt: skip


def people(
    migration: Annotated[str, Parameter(help="Id or name.")],
    /,
    *,
    invite: Annotated[
        bool, Parameter(negative="", help="Make the accounts and give the roles that are missing; safe to repeat.")
    ] = False,
    role: Annotated[
        tuple[str, ...],
        Parameter(
            help="With --invite: a role of the source and what it becomes, as Analyst=author; may stand several times."
        ),
    ] = (),
    user: Annotated[
        tuple[str, ...], Parameter(help="With --invite: only this user of the source; may stand several times.")
    ] = (),
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show the active users of the source and the role of each on the migration's workspace, or let them in.

    Admin and Op become operator, User author, Viewer and Public viewer, a role of the source's own viewer unless --role says otherwise.
    Nobody gets a password: `aerodrome user login-link NAME` lets a person in.
    """
    if (role or user) and not invite:
        raise Invalid("--role and --user stand with --invite.", code="usage")
    roles = dict(_pair(text) for text in role)
    with common.connect() as client:
        found = list(
            client.migrations.invite(migration, roles, only=user) if invite else client.migrations.people(migration)
        )
    if common.output == "json":
        write_json(found)
        return
    rows = [
        {
            **person,
            "before": ", ".join(person["source_roles"]),
            "access": _access(person),
        }
        for person in found
    ]
    write_rows(common.output, rows, COLUMNS, nothing="The source names no active users.")
    missing = sum(not person["has_access"] for person in found)
    if missing and not invite:
        say(f"{missing} of {len(found)} lack what they need: aerodrome migrate people {migration} --invite")
    elif invite and found:
        say("aerodrome user login-link NAME makes a link for one of them.")


def _access(person: Mapping[str, Any]) -> str:
    if person["has_access"]:
        return "yes"
    if person["is_shut_out"]:
        return "deactivated"
    return "no" if person["account"] else ""


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.rpartition("=")
    if not sign or not name:
        raise Invalid(f"{text}: write a role of the source and one of the platform, as Analyst=author.", code="usage")
    return name, value
