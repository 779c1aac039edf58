"""The one tree of errors. Domain code raises these; the edges translate them (web/problems.py, cli/exits.py).

Each error has a stable `code` (kebab-case, documented), a sentence for people, and a `hint` that says what to do next.
Messages never carry secret values.
"""

from __future__ import annotations

from typing import Any, ClassVar


class AerodromeError(Exception):
    """Base of every expected failure."""

    kind: ClassVar[str] = "broken"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, code: str, hint: str = "", details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.details = details or {}

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()

    def as_data(self) -> dict[str, Any]:
        """Give the error as data for journals, pages and reports: kind, code, message, hint, details."""
        return {
            "kind": self.kind,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "details": self.details,
        }


class Invalid(AerodromeError):
    """The input is wrong; `details` names file, line or field."""

    kind = "invalid"


class NotFound(AerodromeError):
    """The named thing does not exist, or the caller may not know that it does."""

    kind = "not-found"


class Denied(AerodromeError):
    """The caller is unknown or lacks the permission."""

    kind = "denied"


class Conflict(AerodromeError):
    """The request contradicts the present state (name taken, still running, plan changed)."""

    kind = "conflict"


class Stale(AerodromeError):
    """Somebody else changed the row first; look again."""

    kind = "stale"
    retryable = True


class Unavailable(AerodromeError):
    """Something outside does not answer now; trying later may work."""

    kind = "unavailable"
    retryable = True

    def __init__(
        self,
        message: str,
        *,
        code: str,
        hint: str = "",
        details: dict[str, Any] | None = None,
        retry_after_s: float = 5.0,
    ) -> None:
        super().__init__(message, code=code, hint=hint, details=details)
        self.retry_after_s = retry_after_s


class Broken(AerodromeError):
    """An invariant of ours does not hold, or a tool that we drive failed in a way that retrying does not mend."""

    kind = "broken"
