"""`aerodrome env set|unset|list`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common
from aerodrome.cli.output import cell, write_json, write_table
from aerodrome.cli.words import pairs, secret_from
from aerodrome.client.models import Deployment
from aerodrome.kernel.secret import Secret

app = App(name="env", help="Environment variables of a deployment.")
Target = Annotated[str, Parameter(help="The deployment, id or name.")]


@app.command(name="set")
def set_values(
    *values: Annotated[str, Parameter(help="NAME=VALUE; not for secrets, other people see command lines.")],
    deployment: Target,
    secret: Annotated[
        str | None, Parameter(help="A NAME whose value is read from the terminal or a pipe; nobody may read it back.")
    ] = None,
    from_file: Annotated[Path | None, Parameter(help="Read the secret's value from this file.")] = None,
    from_env: Annotated[str | None, Parameter(help="Read the secret's value from this environment variable.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Set environment variables; the deployment restarts with them in the background."""
    wanted: dict[str, str | Secret | None] = {**pairs(values, option="set")}
    if secret is not None:
        wanted[secret] = secret_from(env=from_env, file=from_file, prompt=f"Value of {secret}")
    with common.connect() as client:
        _write(client.deployments.set_env(deployment, wanted), common)


@app.command
def unset(
    *names: Annotated[str, Parameter(help="Names of variables.")],
    deployment: Target,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Remove environment variables; the deployment restarts without them in the background."""
    with common.connect() as client:
        _write(client.deployments.set_env(deployment, dict.fromkeys(names)), common)


@app.command(name="list")
def list_all(*, deployment: Target, common: Common = COMMON_DEFAULTS) -> None:
    """List environment variables; secret values are masked."""
    with common.connect() as client:
        _write(client.deployments.get(deployment), common)


def _write(item: Deployment, common: Common) -> None:
    if common.output == "json":
        write_json(item.env)
    else:
        write_table(("Name", "Value"), [[name, cell(value)] for name, value in sorted(item.env.items())])
