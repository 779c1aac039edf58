"""Keeps API tokens of this person: one file, mode 0600, in the configuration folder."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

from aerodrome.kernel.errors import Denied, Invalid, Unavailable
from aerodrome.kernel.secret import Secret

DEFAULT_URL = "http://127.0.0.1:8700"
FILE = "credentials.json"


def config_dir() -> Path:
    """Give the folder of this person's configuration: AERODROME_CONFIG_DIR, or ~/.config/aerodrome."""
    if given := os.environ.get("AERODROME_CONFIG_DIR"):
        return Path(given).expanduser()
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "aerodrome"


def credentials(url: str | None) -> tuple[str, Secret]:
    """Give the server's URL and the token for it; Denied when there is none.

    AERODROME_TOKEN wins over the file, but only together with a URL that was named or is on this machine by default:
    a stored token is never sent to another server than the one that made it.
    """
    stored = _read()
    chosen = (url or stored.get("current") or DEFAULT_URL).rstrip("/")
    if text := os.environ.get("AERODROME_TOKEN"):
        return chosen, Secret(text.strip())
    entry = stored.get("servers", {}).get(chosen)
    if entry is None:
        raise Denied(
            f"You are not signed in to {chosen}.",
            code="not-signed-in",
            hint="`aerodrome login LINK` signs in; on the server's machine `aerodrome login-link` makes a link.",
        )
    return chosen, Secret(str(entry["token"]))


def store(url: str, token: Secret, name: str) -> Path:
    """Keep a token and make its server the current one; gives the file."""
    stored = _read()
    servers = dict(stored.get("servers", {}))
    servers[url.rstrip("/")] = {"token": token.reveal(), "user": name}
    return _write({"current": url.rstrip("/"), "servers": servers})


def forget(url: str | None) -> str | None:
    """Forget the token of a server (the current one by default); gives its URL, None when there was none."""
    stored = _read()
    chosen = (url or stored.get("current") or "").rstrip("/")
    servers = dict(stored.get("servers", {}))
    if servers.pop(chosen, None) is None:
        return None
    current = stored.get("current")
    _write({"current": None if current == chosen else current, "servers": servers})
    return chosen


def _read() -> dict[str, Any]:
    path = config_dir() / FILE
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
        data = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError:
        raise Invalid(
            f"The file {path} is not readable.", code="config-broken", hint="Remove it and sign in again."
        ) from None
    return data if isinstance(data, dict) else {}


def _write(data: dict[str, Any]) -> Path:
    folder = config_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor, draft = tempfile.mkstemp(dir=folder, prefix=".credentials-")  # made with mode 0600
        with os.fdopen(descriptor, "w") as stream:
            json.dump(data, stream, indent=2)
            stream.write("\n")
        Path(draft).replace(folder / FILE)
    except OSError as error:
        raise Unavailable(
            f"The token cannot be stored in {folder}: {error.strerror}.",
            code="config-not-writable",
            hint="Set AERODROME_CONFIG_DIR to a folder that you can write.",
        ) from error
    return folder / FILE
