"""Slows down guessing: counts attempts per name within a sliding window. Kept in the database, so all servers count together."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

from sqlalchemy import delete, func, select

from aerodrome.kernel.errors import Unavailable
from aerodrome.store import Store, now
from aerodrome.store.tables.sign_in_failure import SignInFailure
from aerodrome.store.turns import take_turns


class Throttle:
    """At most `limit` failures per name in `window`. Thread-safe, and safe among processes."""

    def __init__(self, store: Store, limit: int, window: timedelta) -> None:
        self._store = store
        self._limit = limit
        self._window = window

    def attempt(self, name: str) -> int:
        """Count an attempt as failed before it is made, and give its number for `succeeded`: guesses at the same moment count too.

        Unavailable (with the seconds to wait) when the name had too many failures just now.
        """
        digest = sha256(name.encode("utf-8", "replace")).hexdigest()
        with self._store.writing() as session:
            take_turns(session, f"sign-in {digest}")
            moment = now(session)
            session.execute(delete(SignInFailure).where(SignInFailure.at <= moment - self._window))
            mine = SignInFailure.name_digest == digest
            count, oldest = session.execute(select(func.count(), func.min(SignInFailure.at)).where(mine)).one()
            if count < self._limit:
                row = SignInFailure(name_digest=digest, at=moment)
                session.add(row)
                session.flush()
                return row.seq
        wait_s = max(1.0, (oldest + self._window - moment).total_seconds())
        raise Unavailable(
            "There were too many failed attempts for this name.",
            code="login-throttled",
            hint=f"Wait {round(wait_s)} seconds, or use a login link.",
            retry_after_s=wait_s,
        )

    def succeeded(self, attempt: int) -> None:
        """Forget an attempt that was right."""
        with self._store.writing() as session:
            session.execute(delete(SignInFailure).where(SignInFailure.seq == attempt))
