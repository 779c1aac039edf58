"""What every secret store offers. A store keeps named secret values and shows them to nobody by accident.

Called by fleet and migration; never inside a database transaction of the caller (a store may be a network service).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret

MAX_PATH: Final = 400
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.@:+-]+")


class SecretStore(Protocol):
    """A path is `deployment/dep_…/fernet_key`: segments of letters, digits and `_.@:+-`. The `_many` verbs are bulk ones."""

    def put(self, path: str, value: Secret) -> None:
        """Keep a value, in place of the earlier one if there is any."""
        ...

    def get(self, path: str) -> Secret:
        """Give the value; NotFound when there is none."""
        ...

    def delete(self, path: str) -> None:
        """Forget the value; forgetting what is not there changes nothing."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Give the paths at or below a prefix (whole segments), sorted; the empty prefix gives all."""
        ...

    def put_many(self, values: Mapping[str, Secret]) -> None:
        """Keep many values; safe to repeat after an error in the middle (only the local store is all or nothing)."""
        ...

    def get_many(self, paths: Sequence[str]) -> dict[str, Secret]:
        """Give many values by path; NotFound when one is missing."""
        ...

    def delete_many(self, paths: Sequence[str]) -> None:
        """Forget many values."""
        ...

    def probe(self) -> None:
        """Check that values can be written and read; Denied, Unavailable or Broken says what is wrong and what to do."""
        ...


def check_path(path: str) -> str:
    """Give the path when it is well formed, else Invalid."""
    parts = path.split("/")
    is_good = len(path) <= MAX_PATH and all(_SEGMENT.fullmatch(part) and part not in {".", ".."} for part in parts)
    if not is_good:
        raise Invalid(
            f"{path!r} is no path for a secret.",
            code="secret-path-invalid",
            hint="Use segments of letters, digits and _.@:+- with / between them, 400 characters at most.",
        )
    return path


def missing(path: str) -> NotFound:
    return NotFound(f"There is no secret at {path}.", code="secret-unknown", details={"path": path})
