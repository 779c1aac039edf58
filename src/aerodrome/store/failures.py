"""Turns what a database says when it is full, busy or away into our errors; its other errors are our own mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from aerodrome.kernel.errors import AerodromeError, Stale, Unavailable

_FULL = ("disk is full", "no space left", "could not extend file")
_DEADLOCK, _SERIALIZATION = "40P01", "40001"


@contextmanager
def translated() -> Iterator[None]:
    """Raise Unavailable or Stale for what trying again may mend; let everything else pass."""
    try:
        yield
    except DBAPIError as error:
        ours = _translate(error)
        if ours is None:
            raise
        raise ours from error


def _translate(error: DBAPIError) -> AerodromeError | None:
    text = str(error.orig).lower()
    state = getattr(error.orig, "sqlstate", None)
    if any(words in text for words in _FULL):
        return Unavailable(
            "The disk of the platform's database is full.",
            code="disk-full",
            hint="Free some space; nothing was half written.",
            retry_after_s=30,
        )
    if "database is locked" in text:
        return Unavailable("The database is busy.", code="database-busy", hint="Try again in a moment.")
    if state in {_DEADLOCK, _SERIALIZATION}:
        return Stale("Somebody else changed the same rows.", code="database-conflict", hint="Try again.")
    is_away = error.connection_invalidated or "connection" in text or "unable to open database file" in text
    if isinstance(error, OperationalError) and is_away:
        return Unavailable(
            "The platform's database does not answer.",
            code="database-unreachable",
            hint="Check that it runs and that AERODROME_DATABASE_URL is right.",
        )
    return None
