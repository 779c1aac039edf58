"""The keys that protect secret values at rest: files in `<home>/keys`, readable by the platform's user only.

`keyring` holds Fernet keys, newest first: the first encrypts, all decrypt (rotation). `fingerprint.key` is another key
for recognising equal values. Who loses the folder loses the values: back it up, apart from the database.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from aerodrome.kernel.errors import Broken
from aerodrome.kernel.secret import Secret

_KEYS: Final = "keyring"
_FINGERPRINT: Final = "fingerprint.key"


class Keyring:
    """Encrypts and decrypts values bound to a path. Thread-safe; holds keys, so it never shows itself."""

    __slots__ = ("_fernet", "_fingerprint")

    def __init__(self, keys: list[Secret], fingerprint: Secret) -> None:
        self._fernet = MultiFernet([Fernet(key.reveal()) for key in keys])
        self._fingerprint = fingerprint

    def encrypt(self, path: str, value: Secret) -> str:
        """Give the ciphertext of a value; it carries its path, so that it decrypts nowhere else."""
        plain = json.dumps({"path": path, "value": value.reveal()})
        return self._fernet.encrypt(plain.encode()).decode()

    def decrypt(self, path: str, ciphertext: str) -> Secret:
        """Give the value; Broken when no key fits or the ciphertext belongs to another path."""
        try:
            plain = json.loads(self._fernet.decrypt(ciphertext.encode()))
        except InvalidToken:
            raise Broken(
                f"The secret at {path} cannot be decrypted with the keys of this platform.",
                code="keyring-mismatch",
                hint="Restore the folder `keys` that belongs to this database.",
            ) from None
        if plain["path"] != path:
            raise Broken(
                f"The secret at {path} was written for another path.",
                code="secret-misplaced",
                hint="Somebody moved a row of the table `secret`; set the value again.",
            )
        return Secret(plain["value"])

    def renew(self, ciphertext: str) -> str:
        """Encrypt again with the newest key, without showing the value."""
        return self._fernet.rotate(ciphertext.encode()).decode()

    def fingerprint_key(self) -> bytes:
        """Give the key for `Secret.fingerprint`: the same for the life of this platform, unlike that of any other."""
        return sha256(b"aerodrome fingerprint\0" + self._fingerprint.reveal().encode()).digest()

    def __repr__(self) -> str:
        return "Keyring(•••)"


def open_keyring(home: Path) -> Keyring:
    """Open the keyring in `<home>/keys`, making it at the first start; Broken when others could read it."""
    folder = home / "keys"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keys = _read_or_make(folder / _KEYS, Fernet.generate_key().decode())
    fingerprint = _read_or_make(folder / _FINGERPRINT, secrets.token_urlsafe(32))
    try:
        return Keyring([Secret(line) for line in keys.reveal().split()], fingerprint)
    except ValueError:
        raise Broken(
            f"{folder / _KEYS} holds something that is no key.",
            code="keyring-damaged",
            hint="Restore it from a backup.",
        ) from None


def add_key(home: Path) -> Keyring:
    """Put a new key first; values are encrypted with it from now on and can be renewed with `Keyring.renew`."""
    open_keyring(home)
    path = home / "keys" / _KEYS
    text = f"{Fernet.generate_key().decode()}\n{path.read_text()}"
    fresh = _write_aside(path, text)
    fresh.replace(path)
    return open_keyring(home)


def _read_or_make(path: Path, text: str) -> Secret:
    """Read a key file; make it when missing. Of two who make it at once, one wins and both read the winner's."""
    if not path.exists():
        fresh = _write_aside(path, text + "\n")
        try:
            os.link(fresh, path)
        except FileExistsError:
            pass
        finally:
            fresh.unlink()
    mode = path.stat().st_mode
    if mode & 0o077:
        raise Broken(
            f"{path} can be read by other users of this machine.",
            code="keyring-exposed",
            hint=f"chmod 600 {path}; if others may have read it, set the secrets again.",
        )
    return Secret(path.read_text().strip())


def _write_aside(path: Path, text: str) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # 0600
    with os.fdopen(descriptor, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    return Path(name)
