"""`aerodrome env link|unlink|exclude`: which deployments get a workspace's object, and with which fields."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from aerodrome.cli.env_options import FIELDS, FromEnv, FromFile, Kind, Name
from aerodrome.cli.options import COMMON_DEFAULTS, Common
from aerodrome.cli.output import write_fields
from aerodrome.cli.words import pairs, secret_from


def link(
    name: Name,
    *fields: Annotated[str, Parameter(help="FIELD=VALUE in place of the object's own; an empty value removes it.")],
    kind: Kind,
    workspace: Annotated[str, Parameter(help="The workspace of the object.")],
    deployment: Annotated[str | None, Parameter(help="The deployment that gets it; none: all of them.")] = None,
    secret: Annotated[
        str | None, Parameter(help="A field whose other value is read from the terminal or a pipe.")
    ] = None,
    from_file: FromFile = None,
    from_env: FromEnv = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Let a deployment get a workspace's object, with other fields when given; without --deployment all of them."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace)
        if deployment is None:
            write_fields(common.output, client.environment.link_all(item.id, is_auto_linked=True), FIELDS)
            return
        words = pairs(fields, option="link") if kind == "connection" else _value(fields)
        overrides: dict[str, Any] = {field: value or None for field, value in words.items()}
        if secret is not None:
            overrides[secret] = secret_from(env=from_env, file=from_file, prompt=f"Value of {secret}")
        write_fields(common.output, client.environment.link(item.id, deployment, overrides), FIELDS)


def unlink(
    name: Name,
    /,
    *,
    kind: Kind,
    workspace: Annotated[str, Parameter(help="The workspace of the object.")],
    deployment: Annotated[
        str | None, Parameter(help="The deployment; none: only single links count from now on.")
    ] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Forget other fields and exclusion of a deployment; without --deployment: not all deployments get it any more."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace)
        if deployment is None:
            item = client.environment.link_all(item.id, is_auto_linked=False)
        else:
            item = client.environment.unlink(item.id, deployment)
    write_fields(common.output, item, FIELDS)


def exclude(
    name: Name,
    /,
    *,
    kind: Kind,
    workspace: Annotated[str, Parameter(help="The workspace of the object.")],
    deployment: Annotated[str, Parameter(help="The deployment that does not get it.")],
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Keep a workspace's object away from a deployment."""
    with common.connect() as client:
        item = client.environment.find(kind, name, workspace=workspace)
        write_fields(common.output, client.environment.link(item.id, deployment, is_excluded=True), FIELDS)


def _value(words: tuple[str, ...]) -> dict[str, str]:
    """Read the override of a variable: `value=…`, or the value itself."""
    return {"value": words[0].removeprefix("value=")} if words else {}
