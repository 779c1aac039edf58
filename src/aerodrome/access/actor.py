"""Who acts: a signed-in person, a person's API token, or the platform itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Actor:
    """Somebody who acts, with the roles that count at this moment."""

    id: str  # user id; "system" for the platform
    name: str
    kind: Literal["user", "token", "system"]
    roles: tuple[tuple[str, str], ...]  # (role, scope); the empty scope is everything
    credential_id: str | None = None  # id of the session or token that was shown

    def as_data(self) -> dict[str, Any]:
        """Write the one who asks into a job, so that the work is done in their name and with their rights of that moment."""
        return {"id": self.id, "name": self.name, "kind": self.kind, "roles": [list(role) for role in self.roles]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Actor:
        """Read what `as_data` wrote; the credential is not kept."""
        return cls(data["id"], data["name"], data["kind"], tuple((role, scope) for role, scope in data["roles"]))


SYSTEM = Actor("system", "system", "system", (("admin", ""),))
