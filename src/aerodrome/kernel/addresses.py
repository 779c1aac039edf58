"""Addresses that people write by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from aerodrome.kernel.errors import Invalid

_HOST: Final = re.compile(r"[A-Za-z0-9._:%,/-]+")  # names, addresses of both kinds, folders of sockets


def check_host(host: str | None, details: Mapping[str, Any] | None = None) -> None:
    """Invalid when the host of a database URL cannot be one: the tail of a password with an @ in it would be shown as a host."""
    if host and not _HOST.fullmatch(host):
        raise Invalid(
            "The database URL holds a host that cannot be one.",
            code="database-url-malformed",
            hint="Write special characters of user and password in percent form: @ as %40, / as %2F, : as %3A.",
            details=dict(details or {}),
        )
