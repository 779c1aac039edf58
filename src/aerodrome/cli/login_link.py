"""`aerodrome login-link`: the way back in, for who can read the server's own files."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from aerodrome.access.actor import SYSTEM
from aerodrome.access.service import ADMIN
from aerodrome.bootstrap import build
from aerodrome.bootstrap.safekeeping.lock import served_at
from aerodrome.cli.options import OFFLINE_DEFAULTS, Offline, say
from aerodrome.cli.output import cell, write_json
from aerodrome.settings import load_settings


def login_link(
    user: Annotated[str, Parameter(help="Whom it signs in, id or name.")] = ADMIN,
    /,
    *,
    home: Annotated[Path | None, Parameter(help="Folder that holds everything, as given to serve.")] = None,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Make a one-time login link on the server's machine; the server may be running."""
    app = build(load_settings(home=home, log_level="warning"))
    try:
        view, code = app.access.create_login_link(SYSTEM, user)
    finally:
        app.store.close()
    url = f"{served_at(app.settings.home) or app.settings.url}/login?code={code.reveal()}"
    if offline.output == "json":
        write_json({"url": url, "user": view.user_name, "expires_at": view.expires_at})
        return
    sys.stdout.write(url + "\n")
    say(f"It signs {view.user_name} in once, until {cell(view.expires_at)}.")
