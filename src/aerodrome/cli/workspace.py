"""`aerodrome workspace create|list|show|update|delete`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_fields, write_json, write_rows
from aerodrome.cli.words import confirm

app = App(name="workspace", help="The rooms in which teams keep their deployments.")
FIELDS = {
    "Name": "name",
    "Id": "id",
    "Description": "description",
    "Deployments": "deployment_count",
    "Created": "created_at",
}


@app.command
def create(
    name: Annotated[str, Parameter(help="Its name: a-z, 0-9 and -.")],
    /,
    *,
    description: Annotated[str, Parameter(help="What it is for.")] = "",
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Make a workspace."""
    with common.connect() as client:
        write_fields(common.output, client.workspaces.create(name, description), FIELDS)


@app.command(name="list")
def list_all(*, common: Common = COMMON_DEFAULTS) -> None:
    """List the workspaces that you may see."""
    with common.connect() as client:
        items = client.workspaces.list()
    columns = {"Name": "name", "Deployments": "deployment_count", "Description": "description", "Id": "id"}
    write_rows(common.output, items, columns, nothing="No workspace yet: `aerodrome workspace create NAME`.")


@app.command
def show(workspace: Annotated[str, Parameter(help="Id or name.")], /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Show a workspace."""
    with common.connect() as client:
        write_fields(common.output, client.workspaces.get(workspace), FIELDS)


@app.command
def update(
    workspace: Annotated[str, Parameter(help="Id or name.")],
    /,
    *,
    name: Annotated[str | None, Parameter(help="A new name.")] = None,
    description: Annotated[str | None, Parameter(help="What it is for.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Rename a workspace or describe it anew."""
    with common.connect() as client:
        write_fields(common.output, client.workspaces.update(workspace, name=name, description=description), FIELDS)


@app.command
def delete(
    workspace: Annotated[str, Parameter(help="Id or name.")],
    /,
    *,
    yes: Annotated[bool, Parameter(help="Do not ask.")] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Delete an empty workspace."""
    with common.connect() as client:
        item = client.workspaces.get(workspace)
        confirm(f"Delete the workspace {item.name}?", yes=yes)
        client.workspaces.delete(item.id)
    if common.output == "json":
        write_json(item)
    else:
        say(f"{item.name} is deleted.")
