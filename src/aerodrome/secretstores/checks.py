"""Tries what a backend must allow, verb by verb, and says exactly which permission is missing."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aerodrome.kernel.errors import AerodromeError, Broken, Denied, NotFound, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.secretstores.vendor import Vendor

PROBE_NAME: Final = "aerodrome-probe"
_PATIENCE_S: Final = 5.0
_PAUSE_S: Final = 0.25
_NO_USE: Final = frozenset(
    {"backend-sign-in-failed", "backend-unreachable", "backend-throttled", "backend-failing", "backend-mount-unknown"}
)


@dataclass(frozen=True)
class Check:
    """One try."""

    name: str  # "list", "read", "write", "delete"; "variables: list" where there are several places
    is_ok: bool
    message: str
    code: str = ""
    permission: str = ""  # what is missing: "secretsmanager:ListSecrets"
    resource: str = ""  # on what
    hint: str = ""


def run_checks(vendor: Vendor, places: Mapping[str, str], *, writes: bool = True) -> tuple[Check, ...]:
    """Try every verb under every prefix of `places` (label -> prefix). Leaves nothing behind; never raises.

    What the service does not let us do at all (no reach, no sign-in) is told once.
    """
    checks: list[Check] = []
    for label, prefix in places.items():
        for verb, act in _verbs(vendor, prefix + PROBE_NAME, prefix, writes=writes):
            check = _try(f"{label}: {verb}" if label else verb, act)
            checks.append(check)
            if check.code in _NO_USE:
                return tuple(checks)
            if verb == "write" and not check.is_ok:
                break  # there is nothing to delete
    return tuple(checks)


def raise_first(checks: Sequence[Check]) -> None:
    """Raise the first failed check as an error."""
    for check in checks:
        if check.is_ok:
            continue
        details = {"check": check.name, "permission": check.permission, "resource": check.resource}
        if check.code in {"backend-unreachable", "backend-throttled", "backend-failing"}:
            raise Unavailable(check.message, code=check.code, hint=check.hint, details=details)
        if check.permission or check.code == "backend-sign-in-failed":
            raise Denied(check.message, code=check.code, hint=check.hint, details=details)
        raise Broken(check.message, code=check.code, hint=check.hint, details=details)


def settled(read: Callable[[], Secret], wanted: Secret) -> bool:
    """Read until the value is there or five seconds have passed: services may answer with the earlier state for a moment."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            if read() == wanted:
                return True
        except NotFound:
            pass
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE_S)


def _verbs(vendor: Vendor, name: str, prefix: str, *, writes: bool) -> list[tuple[str, Callable[[], Any]]]:
    value = Secret(secrets.token_hex(8))

    def read() -> None:
        try:
            vendor.get(name)
        except NotFound:
            return

    def write() -> None:
        vendor.put(name, value)
        if not settled(lambda: vendor.get(name), value):
            raise Broken(
                "A value that was just written is not read back.",
                code="backend-inconsistent",
                hint="Does something else write there, or does a proxy keep old answers?",
            )

    verbs: list[tuple[str, Callable[[], Any]]] = [("list", lambda: vendor.names(prefix)), ("read", read)]
    return [*verbs, ("write", write), ("delete", lambda: vendor.delete(name))] if writes else verbs


def _try(name: str, act: Callable[[], Any]) -> Check:
    try:
        act()
    except AerodromeError as error:
        return Check(
            name,
            is_ok=False,
            message=error.message,
            code=error.code,
            permission=str(error.details.get("permission", "")),
            resource=str(error.details.get("resource", "")),
            hint=error.hint,
        )
    return Check(name, is_ok=True, message="Works.")
