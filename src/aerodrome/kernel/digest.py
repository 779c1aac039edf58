"""Content digests: the same content gives the same text everywhere."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO


def canonical_json(value: Any) -> str:
    """Write JSON with sorted keys, no spaces and real characters; the input must be plain JSON data."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: Any) -> str:
    """Give the SHA-256 (64 hex digits) of a JSON value in canonical form."""
    return sha256(canonical_json(value).encode()).hexdigest()


def digest_of_file(path: Path) -> str:
    """Give the SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return digest_of_stream(stream)


def digest_of_stream(stream: BinaryIO) -> str:
    """Give the SHA-256 of what a stream still holds, read in blocks of 1 MiB."""
    hasher = sha256()
    while block := stream.read(1 << 20):
        hasher.update(block)
    return hasher.hexdigest()
