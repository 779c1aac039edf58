"""`aerodrome alert …`: whom the platform tells what, and what it has told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import write_fields, write_rows
from aerodrome.cli.words import confirm, secret_from

app = App(name="alert", help="Channels that are told what needs somebody, and what they were told.")
Channel = Annotated[str, Parameter(help="The channel, id or name.")]
COLUMNS = {"Name": "name", "Workspace": "workspace_name", "Address": "label", "Events": "events", "Id": "id"}
DELIVERY_COLUMNS = {
    "Status": "status", "Event": "event_type", "Text": "text", "Attempts": "attempts", "Error": "error", "At": "created_at",
}  # fmt: skip


@app.command(name="list")
def list_all(*, common: Common = COMMON_DEFAULTS) -> None:
    """List the channels."""
    with common.connect() as client:
        items = [vars(item) for item in client.alerts.list()]
    write_rows(common.output, items, COLUMNS, nothing="There is no channel: aerodrome alert create NAME --workspace W")


@app.command
def create(
    name: Annotated[str, Parameter(help="Its name within the workspace.")],
    /,
    *,
    workspace: Annotated[str, Parameter(help="The workspace whose events it is told, id or name.")],
    event: Annotated[
        tuple[str, ...],
        Parameter(negative=(), help="A pattern of event types, as migration.*; without: all that needs somebody."),
    ] = (),
    url_env: Annotated[str | None, Parameter(help="The environment variable that holds the address.")] = None,
    url_file: Annotated[Path | None, Parameter(help="The file that holds the address.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Make a channel. Its web address is asked for, or read from a variable, a file or a pipe: who has it may write there."""
    url = secret_from(env=url_env, file=url_file, prompt="Web address that takes events by POST")
    with common.connect() as client:
        made = client.alerts.create(workspace, name, url, event)
    write_fields(common.output, made, COLUMNS)
    say(f"Try it: aerodrome alert test {made.name}")


@app.command
def delete(
    channel: Channel,
    /,
    *,
    yes: Annotated[bool, Parameter(help="Do not ask.", negative=())] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Forget a channel, its address and what it was told."""
    confirm(f"Delete the alert channel {channel}?", yes=yes)
    with common.connect() as client:
        client.alerts.delete(channel)
    say(f"Deleted {channel}.")


@app.command(name="test")
def try_channel(channel: Channel, /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Send a test event."""
    with common.connect() as client:
        made = client.alerts.test(channel)
    write_fields(common.output, made, DELIVERY_COLUMNS)
    say(f"What became of it: aerodrome alert log {channel}")


@app.command
def log(
    channel: Channel,
    /,
    *,
    limit: Annotated[int, Parameter(help="How many at most, newest first.")] = 50,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Show what a channel was told, and what could not be delivered."""
    with common.connect() as client:
        items = [vars(item) for item in client.alerts.deliveries(channel, limit)]
    write_rows(common.output, items, DELIVERY_COLUMNS, nothing="It was told nothing yet.")
