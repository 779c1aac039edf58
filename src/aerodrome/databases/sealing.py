"""A file that only its passphrase opens: encrypted and authenticated in chunks while it streams, in constant memory.

AES-256-GCM per chunk; the nonce holds the chunk's number and whether it is the last, so that chunks can neither be swapped nor cut off
at the end. The key comes from the passphrase by scrypt, with a salt of its own per file. The header is authenticated with each chunk.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, cast

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from aerodrome.kernel.errors import Conflict, Denied, Invalid
from aerodrome.kernel.secret import Secret

_MAGIC: Final = b"aerodrome-backup 1\n"
_CHUNK: Final = 1 << 20
_TAG: Final = 16
_LONGEST_HEADER: Final = 4096
_COST: Final = {"n": 2**15, "r": 8, "p": 1}  # 32 MiB and about 0.1 s per guess
SHORTEST_PASSPHRASE: Final = 12


@contextmanager
def sealed(path: Path, passphrase: Secret) -> Iterator[IO[bytes]]:
    """Give a stream; what is written into it is in the file, encrypted, once the block ends. A failure leaves no file.

    Conflict when the file exists already, Invalid for a passphrase that is too short.
    """
    if len(passphrase.reveal()) < SHORTEST_PASSPHRASE:
        raise Invalid(
            f"The passphrase is shorter than {SHORTEST_PASSPHRASE} characters.",
            code="passphrase-short",
            hint="Everything the platform knows is behind it: take some words, or a key file.",
        )
    if path.exists():
        raise Conflict(f"{path} exists already.", code="backup-exists", hint="Choose another name.")
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            header = {"kdf": "scrypt", **_COST, "salt": os.urandom(16).hex(), "prefix": os.urandom(7).hex()}
            writer = _Writer(file, header, passphrase)
            yield cast("IO[bytes]", writer)
            writer.end()
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)  # unlike a rename, it replaces nothing
    except FileExistsError:
        raise Conflict(f"{path} exists already.", code="backup-exists", hint="Choose another name.") from None
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def opened(path: Path, passphrase: Secret) -> Iterator[IO[bytes]]:
    """Give a stream of what was sealed. Denied when the passphrase is wrong, Invalid when the file is not whole."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", code="backup-unreadable") from None
    with file:
        yield io.BufferedReader(_Reader(file, passphrase, path), _CHUNK)


def _header(line: bytes) -> dict[str, Any]:
    """Read the header; ValueError for a foreign one, whose cost could make us work for ever."""
    if not line.startswith(_MAGIC):
        raise ValueError("foreign")
    header: dict[str, Any] = json.loads(line[len(_MAGIC) :])
    if {name: header[name] for name in _COST} != _COST:
        raise ValueError("foreign")
    return header


def _cipher(header: dict[str, Any], passphrase: Secret) -> AESGCM:
    salt = bytes.fromhex(header["salt"])
    kdf = Scrypt(salt=salt, length=32, n=int(header["n"]), r=int(header["r"]), p=int(header["p"]))
    return AESGCM(kdf.derive(passphrase.reveal().encode()))


def _nonce(prefix: bytes, number: int, *, is_last: bool) -> bytes:
    return prefix + number.to_bytes(4, "big") + bytes([is_last])


class _Writer(io.RawIOBase):
    """Encrypts what is written, a chunk at a time."""

    def __init__(self, file: IO[bytes], header: dict[str, Any], passphrase: Secret) -> None:
        super().__init__()
        self._file = file
        self._head = _MAGIC + json.dumps(header).encode() + b"\n"
        self._cipher = _cipher(header, passphrase)
        self._prefix = bytes.fromhex(header["prefix"])
        self._number = 0
        self._pending = bytearray()
        file.write(self._head)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pending += data
        while len(self._pending) > _CHUNK:  # never empty afterwards: the last chunk is marked
            self._put(bytes(self._pending[:_CHUNK]), is_last=False)
            del self._pending[:_CHUNK]
        return len(data)

    def end(self) -> None:
        self._put(bytes(self._pending), is_last=True)

    def _put(self, chunk: bytes, *, is_last: bool) -> None:
        nonce = _nonce(self._prefix, self._number, is_last=is_last)
        self._file.write(self._cipher.encrypt(nonce, chunk, self._head))
        self._number += 1


class _Reader(io.RawIOBase):
    """Decrypts while it is read."""

    def __init__(self, file: IO[bytes], passphrase: Secret, path: Path) -> None:
        super().__init__()
        self._file, self._path = file, path
        line = file.readline(len(_MAGIC)) + file.readline(_LONGEST_HEADER)
        self._head = line
        try:
            header = _header(line)
            self._cipher = _cipher(header, passphrase)
            self._prefix = bytes.fromhex(header["prefix"])
        except (ValueError, KeyError, TypeError):
            raise Invalid(f"{path} is not a backup of a platform.", code="backup-foreign") from None
        self._number = 0
        self._ahead = file.read(_CHUNK + _TAG)
        self._plain = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._plain and self._ahead:
            self._next()
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count

    def _next(self) -> None:
        block, self._ahead = self._ahead, self._file.read(_CHUNK + _TAG)
        nonce = _nonce(self._prefix, self._number, is_last=not self._ahead)
        try:
            self._plain = self._cipher.decrypt(nonce, block, self._head)
        except InvalidTag:
            raise self._damaged() from None
        self._number += 1

    def _damaged(self) -> Denied | Invalid:
        if self._number == 0:
            return Denied(
                "The passphrase does not open this backup, or its beginning is damaged.", code="passphrase-wrong"
            )
        return Invalid(
            f"{self._path} is damaged or cut off after {self._number} MiB.",
            code="backup-damaged",
            hint="Take another backup.",
        )
