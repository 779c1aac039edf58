"""The URLs of a deployment's metadata database in the secret store: the one in use, and two more while it moves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from aerodrome.fleet.context import Secrets
from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.secret import Secret

Slot = str
CURRENT: Slot = "database-url"
BEFORE: Slot = "database-url-before"


def next_of(act_id: str) -> Slot:
    """Give the slot of the database to which an act moves: two who ask for a move at once must not mix up their URLs."""
    return f"database-url-next-{act_id}"


def new_password() -> Secret:
    """Make a random password (43 URL-safe characters)."""
    return Secret(secrets.token_urlsafe(32))


@dataclass(frozen=True)
class DatabaseUrls:
    """The URLs of one deployment; None in the slot in use means the SQLite file in its folder."""

    store: Secrets
    deployment_id: str

    def get(self, slot: Slot) -> Secret | None:
        try:
            return self.store.get(self._path(slot))
        except NotFound:
            return None

    def put(self, slot: Slot, url: Secret | None) -> None:
        """Write the slot; None empties it."""
        if url is not None:
            self.store.put(self._path(slot), url)
        elif self.get(slot) is not None:
            self.store.delete(self._path(slot))

    def forget_move(self, act_id: str) -> None:
        """Empty the two slots of a move."""
        self.put(next_of(act_id), None)
        self.put(BEFORE, None)

    def _path(self, slot: Slot) -> str:
        return f"deployment/{self.deployment_id}/{slot}"
