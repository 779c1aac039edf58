"""What every secret store offers. A store keeps named secret values and shows them to nobody by accident.

Called by fleet and migration; never inside a database transaction of the caller (a store may be a network service).
"""

from __future__ import annotations

import re
from typing import Final, Protocol

from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret

MAX_PATH: Final = 400
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.@:+-]+")


class SecretStore(Protocol):
    """Five verbs; a path is `deployment/dep_…/fernet_key`: segments of letters, digits and `_.@:+-`."""

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

    def probe(self) -> None:
        """Check that values can be written and read; Unavailable or Broken says what is wrong."""
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
