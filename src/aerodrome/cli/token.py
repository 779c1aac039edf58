"""`aerodrome token create|list|revoke`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

from cyclopts import App, Parameter

from aerodrome.cli.options import COMMON_DEFAULTS, Common, say
from aerodrome.cli.output import plain, write_fields, write_json, write_rows

app = App(name="token", help="Your API tokens.")
COLUMNS = {
    "Name": "name",
    "Ends with": "hint",
    "Created": "created_at",
    "Expires": "expires_at",
    "Last used": "last_used_at",
    "Revoked": "revoked_at",
    "Id": "id",
}


@app.command
def create(
    name: Annotated[str, Parameter(help="What it is for.")],
    /,
    *,
    days: Annotated[float | None, Parameter(help="Days until it expires; by default it does not.")] = None,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """Make an API token that acts as you. Its text is shown this once, on standard output."""
    expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
    with common.connect() as client:
        made = client.tokens.create(name, expires_at)
    if common.output == "json":
        write_json({**plain(made.token), "text": made.text.reveal()})
        return
    sys.stdout.write(made.text.reveal() + "\n")
    say("Keep it now: it is not shown again. Programs take it from AERODROME_TOKEN.")


@app.command(name="list")
def list_all(
    *,
    everybody: Annotated[bool, Parameter(help="Also those of other people (for admins).", negative=())] = False,
    common: Common = COMMON_DEFAULTS,
) -> None:
    """List API tokens, newest first."""
    with common.connect() as client:
        items = client.tokens.list(everybody=everybody)
    write_rows(common.output, items, ({"Person": "user_name"} if everybody else {}) | COLUMNS)


@app.command
def revoke(token: Annotated[str, Parameter(help="Its id.")], /, *, common: Common = COMMON_DEFAULTS) -> None:
    """Make a token worthless at once."""
    with common.connect() as client:
        write_fields(common.output, client.tokens.revoke(token), COLUMNS)
