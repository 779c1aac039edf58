"""`aerodrome login` and `logout`: a one-time link becomes a stored API token."""

from __future__ import annotations

import getpass
import socket
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

from cyclopts import Parameter

from aerodrome.cli import signin
from aerodrome.cli.options import COMMON_DEFAULTS, OFFLINE_DEFAULTS, Common, Offline, say
from aerodrome.cli.output import write_json
from aerodrome.cli.words import secret_from
from aerodrome.client.client import Client
from aerodrome.kernel.errors import AerodromeError, Invalid
from aerodrome.kernel.secret import Secret


def login(
    link: Annotated[str | None, Parameter(help="The login link; asked for when left out.")] = None,
    /,
    *,
    offline: Offline = OFFLINE_DEFAULTS,
) -> None:
    """Sign in with a one-time login link; keeps an API token in this person's configuration folder."""
    url, code = _read(link if link is not None else secret_from(prompt="Login link").reveal())
    with Client(url) as client:
        made = client.tokens.exchange(code, f"cli of {getpass.getuser()} on {socket.gethostname()}"[:200])
    path = signin.store(url, made.text, made.token.user_name)
    if offline.output == "json":
        write_json({"url": url, "user": made.token.user_name, "file": path})
    else:
        say(f"Signed in to {url} as {made.token.user_name}. The token is in {path}.")


def logout(*, common: Common = COMMON_DEFAULTS) -> None:
    """Revoke the stored token of a server and forget it."""
    try:
        with common.connect() as client:
            client.tokens.revoke_own()
    except AerodromeError as error:
        say(f"The token could not be revoked on the server: {error.message}")
    gone = signin.forget(common.url)
    if common.output == "json":
        write_json({"url": gone})
    else:
        say(f"Signed out of {gone}." if gone else "There was no stored token.")


def _read(link: str) -> tuple[str, Secret]:
    parts = urlsplit(link.strip())
    codes = parse_qs(parts.query).get("code", [])
    if parts.scheme not in {"http", "https"} or not parts.netloc or len(codes) != 1:
        raise Invalid(
            "This is not a login link.",
            code="link-malformed",
            hint="It looks like http://127.0.0.1:8700/login?code=aero_link_…; `aerodrome login-link` makes one.",
        )
    return f"{parts.scheme}://{parts.netloc}", Secret(codes[0])
