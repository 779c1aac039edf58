"""Airflow's encryption of connections and variables: Fernet, or several keys of which the newest comes first.

Used where values leave a source and enter a target. Values stay `Secret`; no message carries a key or a value.
"""

from __future__ import annotations

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret


class AirflowFernet:
    """Reads and writes values as Airflow does with `[core] fernet_key`; without a key values stand in the open."""

    def __init__(self, keys: Secret) -> None:
        """Take `[core] fernet_key` (comma-separated, newest first, may be empty). Invalid `fernet-key-malformed`."""
        parts = [part.strip() for part in keys.reveal().split(",") if part.strip()]
        try:
            self._fernet = MultiFernet([Fernet(part.encode()) for part in parts]) if parts else None
        except ValueError:
            raise Invalid(
                "The Fernet key is not a Fernet key: it must be 32 bytes in URL-safe base 64 (44 characters).",
                code="fernet-key-malformed",
                hint="Copy the value of [core] fernet_key (or AIRFLOW__CORE__FERNET_KEY) of the source unchanged.",
            ) from None

    @property
    def has_key(self) -> bool:
        return self._fernet is not None

    def decrypt(self, text: str, *, is_encrypted: bool) -> Secret:
        """Give the clear value; Invalid `fernet-key-wrong` when no key opens it."""
        if not is_encrypted:
            return Secret(text)
        if self._fernet is None:
            raise Invalid(
                "The value is encrypted and no Fernet key was given.",
                code="fernet-key-missing",
                hint="Give the source's [core] fernet_key.",
            )
        try:
            return Secret(self._fernet.decrypt(text.encode()).decode())
        except (InvalidToken, UnicodeDecodeError):
            raise Invalid(
                "The Fernet key does not open the value.",
                code="fernet-key-wrong",
                hint="Give every key that was ever used, comma-separated, newest first.",
            ) from None

    def encrypt(self, value: Secret) -> tuple[str, bool]:
        """Give the text to store and whether it is encrypted (False without a key, as Airflow does)."""
        if self._fernet is None:
            return value.reveal(), False
        return self._fernet.encrypt(value.reveal().encode()).decode(), True
