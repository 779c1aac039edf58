"""A value that shows itself to nobody by accident."""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import Any, NoReturn

MASK = "•••"


class Secret:
    """Holds one secret text; `repr`, `str`, format, JSON and pickling show the mask or refuse. Only `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value. Call it in adapters only, at the last moment."""
        return self._value

    def fingerprint(self, key: bytes) -> str:
        """Give a keyed hash (HMAC-SHA256, 32 hex digits) by which equal values can be recognised without being shown."""
        return hmac.new(key, self._value.encode(), sha256).hexdigest()[:32]

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __repr__(self) -> str:
        return f"Secret({MASK})"

    def __str__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return MASK

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled; reveal it in the adapter that needs it")


def masked(value: Any) -> Any:
    """Copy a JSON-like structure with every Secret replaced by the mask."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, dict):
        return {key: masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [masked(item) for item in value]
    return value
