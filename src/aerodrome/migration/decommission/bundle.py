"""The evidence bundle: one file, a signed manifest with the digest of every part, and the parts. Verified offline, byte by byte.

The file is a tar that anybody can unpack, written in one canonical form: `manifest.json`, `manifest.sig` (Ed25519 over the
manifest's bytes, as hex), then the parts in the manifest's order; mode, owner and time are constants. Verification knows
from the manifest what every byte must be, those of headers and padding included.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from aerodrome.kernel.digest import canonical_json
from aerodrome.kernel.errors import Invalid
from aerodrome.kernel.secret import Secret

FORMAT: Final = 1
MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
_BLOCK, _CHUNK = 512, 1 << 20
_LONGEST_MANIFEST = 64 << 20
_HEX: Final = re.compile(rb"[0-9a-f]{128}\n")
Part = bytes | Path


@dataclass(frozen=True)
class Problem:
    """One thing that is not as it was signed: which part, and where in the file."""

    part: str
    offset: int
    message: str


@dataclass(frozen=True)
class Verification:
    """What verifying found; whole and signed by the key when there is no problem."""

    problems: tuple[Problem, ...]
    manifest: Mapping[str, Any]  # empty when it cannot be trusted
    key_id: str

    @property
    def is_whole(self) -> bool:
        return not self.problems


def new_key() -> Secret:
    """Make a signing key (Ed25519, PEM)."""
    return Secret(
        Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    )


def public_half(key: Secret) -> str:
    """Give the public key as PEM."""
    return _private(key).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def key_id(public_pem: str) -> str:
    """Give 16 hex digits by which people compare public keys."""
    raw = _public(public_pem).public_bytes(Encoding.Raw, PublicFormat.Raw)
    return sha256(raw).hexdigest()[:16]


def write(path: Path, facts: Mapping[str, Any], parts: Mapping[str, Part], key: Secret) -> Mapping[str, Any]:
    """Write a bundle in one step (the file appears whole or not at all) and give its manifest."""
    entries = [{"name": name, **_measure(part)} for name, part in sorted(parts.items())]
    manifest = {"format": FORMAT, **facts, "key_id": key_id(public_half(key)), "entries": entries}
    text = canonical_json(manifest).encode()
    signature = _private(key).sign(text).hex().encode() + b"\n"
    draft = path.with_name(f".{path.name}.part")
    with draft.open("wb") as stream:
        _put(stream, MANIFEST, len(text), [text])
        _put(stream, SIGNATURE, len(signature), [signature])
        for entry in entries:
            _put(stream, entry["name"], entry["size_bytes"], _blocks(parts[entry["name"]]))
        stream.write(bytes(2 * _BLOCK))
    draft.replace(path)
    return manifest


def verify(path: Path, public_pem: str) -> Verification:
    """Check every byte of a bundle against the public key; problems name the part and the offset of the first wrong byte.

    Needs nothing but the two files. Invalid when one of them cannot be read at all.
    """
    try:
        with path.open("rb") as stream:
            return verify_stream(stream, public_pem)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", code="bundle-unreadable") from None


def verify_stream(stream: IO[bytes], public_pem: str) -> Verification:
    """Do what `verify` does on an open file."""
    public, identity = _public(public_pem), key_id(public_pem)
    reader = _Reader(stream)
    size = reader.size_of_next()
    if size is None or not 0 < size <= _LONGEST_MANIFEST:
        problem = Problem(MANIFEST, 0, "The header of the manifest is damaged, or this is no evidence bundle.")
        return Verification((problem,), {}, identity)
    text = reader.part(MANIFEST, size)
    signature = reader.part(SIGNATURE, 129)
    if reader.problems and len(text) != size:
        return Verification(tuple(reader.problems), {}, identity)
    try:
        raw = (
            bytes.fromhex(signature.decode().strip()) if _HEX.fullmatch(signature) else b""
        )  # one way to write it only
        public.verify(raw, text)
    except (InvalidSignature, ValueError, UnicodeDecodeError):
        message = (
            "The signature does not fit the manifest and this key: one of them was changed, or another key signed it."
        )
        reader.problems.append(Problem(f"{MANIFEST} or {SIGNATURE}", _BLOCK, message))
        return Verification(tuple(reader.problems), {}, identity)
    manifest: dict[str, Any] = json.loads(text)
    for entry in manifest["entries"]:
        reader.check(entry["name"], entry["size_bytes"], entry["sha256"])
    reader.end()
    return Verification(tuple(reader.problems), manifest, identity)


class _Reader:
    """Walks through the file; everything that is not as it must be becomes a problem."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._offset = 0
        self.problems: list[Problem] = []

    def size_of_next(self) -> int | None:
        """Read the size out of the next header without moving on."""
        head = self._stream.read(_BLOCK)
        self._stream.seek(self._offset)
        try:
            return int(head[124:135], 8)
        except ValueError:
            return None

    def part(self, name: str, size: int) -> bytes:
        """Read a small part whole."""
        self._header(name, size)
        data = self._take(size)
        if len(data) < size:
            self.problems.append(Problem(name, self._offset, "The file ends in the middle of this part."))
        self._padding(name, size)
        return data

    def check(self, name: str, size: int, digest: str) -> None:
        """Read a part and compare its digest."""
        self._header(name, size)
        start, left, hasher = self._offset, size, sha256()
        while left and (data := self._take(min(left, _CHUNK))):
            hasher.update(data)
            left -= len(data)
        if left:
            self.problems.append(Problem(name, self._offset, "The file ends in the middle of this part."))
        elif hasher.hexdigest() != digest:
            self.problems.append(Problem(name, start, "Its content is not what was signed."))
        self._padding(name, size)

    def end(self) -> None:
        """Check that nothing but the end mark follows."""
        start = self._offset
        rest = self._take(2 * _BLOCK + 1)
        if rest != bytes(2 * _BLOCK):
            self.problems.append(
                Problem("end of the file", start, "After the last part stands something else than the end mark.")
            )

    def _header(self, name: str, size: int) -> None:
        start, expected = self._offset, _header(name, size)
        found = self._take(_BLOCK)
        if found != expected:
            self.problems.append(
                Problem(f"header of {name}", start + _first(found, expected), "The header was changed.")
            )

    def _padding(self, name: str, size: int) -> None:
        start, count = self._offset, -size % _BLOCK
        found = self._take(count)
        if found != bytes(count):
            message = "The padding behind this part was changed."
            self.problems.append(Problem(f"padding of {name}", start + _first(found, bytes(count)), message))

    def _take(self, count: int) -> bytes:
        data = self._stream.read(count)
        self._offset += len(data)
        return data


def _first(found: bytes, expected: bytes) -> int:
    return next(
        (index for index, (one, other) in enumerate(zip(found, expected, strict=False)) if one != other), len(found)
    )


def _header(name: str, size: int) -> bytes:
    """Write a ustar header with constants for all but name and size."""
    encoded = name.encode()
    prefix = b""
    if len(encoded) > 100:
        cut = encoded.rfind(b"/", 0, 155)
        prefix, encoded = encoded[:cut], encoded[cut + 1 :]
    if len(encoded) > 100 or not encoded:
        raise Invalid(f"The name {name} is too long for a bundle.", code="bundle-name-too-long")
    fields = (
        encoded.ljust(100, b"\0") + b"0000644\0" + b"0000000\0" + b"0000000\0" + b"%011o\0" % size + b"00000000000\0"
        + b" " * 8 + b"0" + bytes(100) + b"ustar\x0000" + bytes(32) + bytes(32) + b"0000000\0" + b"0000000\0"
        + prefix.ljust(155, b"\0") + bytes(12)
    )  # fmt: skip
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _put(stream: IO[bytes], name: str, size: int, blocks: Any) -> None:
    stream.write(_header(name, size))
    written = 0
    for block in blocks:
        stream.write(block)
        written += len(block)
    if written != size:
        raise Invalid(f"{name} changed while it was written.", code="bundle-part-changed", hint="Create it again.")
    stream.write(bytes(-size % _BLOCK))


def _measure(part: Part) -> dict[str, Any]:
    hasher, size = sha256(), 0
    for block in _blocks(part):
        hasher.update(block)
        size += len(block)
    return {"size_bytes": size, "sha256": hasher.hexdigest()}


def _blocks(part: Part) -> Iterator[bytes]:
    if isinstance(part, bytes):
        yield part
        return
    with part.open("rb") as stream:
        while block := stream.read(_CHUNK):
            yield block


def _private(key: Secret) -> Ed25519PrivateKey:
    loaded = load_pem_private_key(key.reveal().encode(), None)
    assert isinstance(loaded, Ed25519PrivateKey)  # noqa: S101 - we made it
    return loaded


def _public(pem: str) -> Ed25519PublicKey:
    try:
        loaded = load_pem_public_key(pem.encode())
    except ValueError:
        loaded = None
    if not isinstance(loaded, Ed25519PublicKey):
        raise Invalid(
            "This is no public key of an evidence bundle (Ed25519, PEM).",
            code="bundle-key-malformed",
            hint="`aerodrome migrate evidence key` gives the platform's.",
        )
    return loaded
