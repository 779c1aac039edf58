"""What a vendor's secret service offers under its own names, and the errors that all of them share.

`mapped.py` makes a SecretStore of one; environments writes Airflow's objects through it under the names that Airflow asks for.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from aerodrome.kernel.errors import Broken, Denied, Invalid, Unavailable
from aerodrome.kernel.secret import Secret

CONNECT_S: Final = 5.0
READ_S: Final = 15.0
ATTEMPTS: Final = 4  # of one call, throttling and server errors included; the pauses between are below 3 s in all
BUSY_TRIES: Final = 20  # looks at a secret that the service is still deleting or recovering
BUSY_PAUSE_S: Final = 0.5


class Vendor(Protocol):
    """A secret service. Names are the service's own. Safe to use from many threads.

    Errors: NotFound `secret-unknown`; Denied `backend-permission-missing` (details: permission, resource) and
    `backend-sign-in-failed`; Unavailable `backend-unreachable`, `backend-throttled`; Invalid `secret-too-large`,
    `secret-name-refused`, `secret-value-refused`, `secret-empty`.
    """

    @property
    def max_value_bytes(self) -> int: ...

    def get(self, name: str, *, as_fields: bool = False) -> Secret:
        """Give a value. `as_fields`: a JSON object of it where the service keeps fields (Vault), else just the text."""
        ...

    def get_many(self, names: Sequence[str], *, as_fields: bool = False) -> dict[str, Secret]:
        """Give the values that exist."""
        ...

    def put(self, name: str, value: Secret, *, as_fields: bool = False) -> None:
        """Keep a value. `as_fields`: it is a JSON object, to be kept as fields where the service has them."""
        ...

    def delete(self, name: str) -> None:
        """Forget a value; what is not there stays so. A later `put` works, also while the service could recover it."""
        ...

    def names(self, prefix: str) -> list[str]:
        """Give the names that begin with this text, sorted, all pages."""
        ...


@dataclass(frozen=True)
class Plain:
    """Settings and credentials of one backend, checked by kinds.py."""

    settings: Mapping[str, str]
    credentials: Mapping[str, Secret]

    def get(self, name: str) -> str:
        return self.settings.get(name, "")

    def reveal(self, name: str) -> str | None:
        """Give a credential's text for the vendor's library; None when it is not set."""
        secret = self.credentials.get(name)
        return secret.reveal() if secret else None


def missing_library(extra: str, service: str) -> Broken:
    """Make the error for a vendor's library that is not installed."""
    return Broken(
        f"The library for {service} is not installed.",
        code="backend-library-missing",
        hint=f"Install it with the platform: pip install 'aerodrome[{extra}]', then start the server again.",
        details={"extra": extra},
    )


def denied(service: str, permission: str, resource: str, hint: str, said: str = "") -> Denied:
    """Make the error for a missing permission."""
    return Denied(
        f"{service} refuses {permission} on {resource}." + (f" It says: {shortened(said)}" if said else ""),
        code="backend-permission-missing",
        hint=hint,
        details={"permission": permission, "resource": resource},
    )


def not_signed_in(service: str, reason: str, hint: str) -> Denied:
    return Denied(f"{service} does not accept the credentials: {reason}", code="backend-sign-in-failed", hint=hint)


def unreachable(service: str, where: str, reason: str) -> Unavailable:
    return Unavailable(
        f"{service} at {where} does not answer ({reason}).",
        code="backend-unreachable",
        hint="Check the address, the network and proxies between, and the certificate (ca_file).",
    )


def throttled(service: str) -> Unavailable:
    return Unavailable(
        f"{service} limits the number of requests and did so {ATTEMPTS} times in a row.",
        code="backend-throttled",
        hint="Try again in a minute, or raise the limit there.",
        retry_after_s=30,
    )


def failing(service: str, status: str) -> Unavailable:
    return Unavailable(f"{service} fails ({status}).", code="backend-failing", hint="Try again in a moment.")


def busy(service: str, name: str) -> Unavailable:
    return Unavailable(
        f"{service} is still deleting or recovering {name}.",
        code="backend-busy",
        hint="Try again in a minute.",
        retry_after_s=10,
    )


def refused(service: str, name: str, said: str) -> Invalid:
    return Invalid(
        f"{service} refuses {name}: {shortened(said)}",
        code="secret-value-refused",
        hint="Its documentation names the characters and sizes that it takes.",
    )


def check_size(service: str, name: str, value: Secret, limit: int, hint: str = "") -> None:
    """Raise Invalid for a value that the service cannot hold: an empty one, or one that is too large."""
    size = len(value.reveal().encode())
    if not size:
        raise Invalid(
            f"{service} holds no empty values, and {name} is empty.",
            code="secret-empty",
            hint="Leave it out, or give it a value.",
        )
    if size > limit:
        raise Invalid(
            f"{name} has {size:,} bytes; {service} holds {limit:,} at most.",
            code="secret-too-large",
            hint=hint or "Keep it elsewhere, or split it.",
            details={"size_bytes": size, "limit_bytes": limit},
        )


def check_name(service: str, name: str, is_good: Callable[[str], object], rule: str) -> str:
    """Give the name when the service takes it, else Invalid with the rule."""
    if not is_good(name):
        raise Invalid(
            f"{service} has no secrets called {name[:80]!r}.",
            code="secret-name-refused",
            hint=f"It takes {rule}.",
            details={"name": name[:80]},
        )
    return name


def shortened(text: str) -> str:
    """Give a service's own words on one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else line[:299] + "…"


def quiet(*names: str) -> None:
    """Keep libraries from logging requests: at level DEBUG they would write values."""
    for name in names:
        logger = logging.getLogger(name)
        if logger.level < logging.WARNING:
            logger.setLevel(logging.WARNING)
