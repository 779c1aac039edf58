"""`aerodrome deploy PATH | list | show`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import cell, size, write_fields, write_rows, write_table
from aerodrome.cli.progress import changes
from aerodrome.client.models import Deploy

app = App(name="deploy", help="Put a project folder on a deployment.")
Target = Annotated[str, Parameter(help="The deployment, id or name.")]
FIELDS = {
    "Number": "number",
    "Id": "id",
    "Status": "status",
    "Kind": "kind",
    "Description": "description",
    "By": "actor",
    "From": "origin",
    "Files": "file_count",
    "Bytes": "size_bytes",
    "Digest": "bundle_digest",
    "Error": "error",
    "Created": "created_at",
    "Live": "live_at",
}


@app.default
def create(
    path: Annotated[
        Path, Parameter(help="The project folder: it holds dags/, and perhaps plugins/, requirements.txt.")
    ],
    /,
    *,
    deployment: Target,
    description: Annotated[str, Parameter(help="What changes with it.")] = "",
    wait: Annotated[bool, Parameter(help="Wait until it is live, and show how it goes.")] = True,
    timeout_s: Annotated[float, Parameter(help="Seconds to wait at most.")] = 900,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Upload a project folder and put it on a deployment."""
    with common.connect() as client:
        item = client.deploys.create(deployment, path, description, origin="cli", progress=_packing())
        say(f"Deploy {item.number}: {item.file_count} files, {size(item.size_bytes)}, kept by the server.")
        if wait:
            item = client.deploys.wait_live(item.deployment_id, item.id, timeout_s, changes(_describe))
    write_fields(common.output, item, FIELDS)


@app.command(name="list")
def list_all(*, deployment: Target, common: Common = COMMON_DEFAULTS) -> None:
    """List the deploys of a deployment, newest first."""
    with common.connect() as client:
        items = client.deploys.list(deployment)
    columns = {
        "Number": "number",
        "Status": "status",
        "Kind": "kind",
        "By": "actor",
        "Created": "created_at",
        "Description": "description",
    }
    write_rows(common.output, items, columns, nothing="No deploy yet: `aerodrome deploy PATH --deployment NAME`.")


@app.command
def show(
    number: Annotated[str, Parameter(help="Number or id.")],
    /,
    *,
    deployment: Target,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show a deploy and its steps."""
    with common.connect() as client:
        item = client.deploys.get(deployment, number)
    write_fields(common.output, item, FIELDS)
    if common.output == "table" and item.steps:
        sys.stdout.write("\n")
        columns = ("name", "status", "started_at", "finished_at")
        write_table(
            ("Step", "Status", "Started", "Finished"),
            [[cell(step.get(column)) for column in columns] for step in item.steps],
        )


def _packing() -> Callable[[int, int], None]:
    if not sys.stderr.isatty():
        return lambda _done, _all: None

    def show_count(done: int, in_all: int) -> None:
        sys.stderr.write(f"\rUploading {done} of {in_all} files" + ("\n" if done == in_all else ""))

    return show_count


def _describe(item: Deploy) -> str:
    running = [str(step.get("name")) for step in item.steps if step.get("status") == "running"]
    return f"{item.status}: {', '.join(running)}" if running else item.status
