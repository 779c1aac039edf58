"""Who acts: a signed-in person, a person's API token, or the platform itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Actor:
    """Somebody who acts, with the roles that count at this moment."""

    id: str  # user id; "system" for the platform
    name: str
    kind: Literal["user", "token", "system"]
    roles: tuple[tuple[str, str], ...]  # (role, scope); the empty scope is everything
    credential_id: str | None = None  # id of the session or token that was shown


SYSTEM = Actor("system", "system", "system", (("admin", ""),))
