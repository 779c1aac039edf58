"""The frames of an archive, each checked before it is given: a line of JSON, a payload, and the digest of all before it.

A file that was cut, changed or put together anew is refused, with the part at which it stops being what was written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO

from aerodrome.kernel.errors import Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.sources.airflow_archive.sealing import Opener
from aerodrome.migration.sources.cloud.files import CloudFile

MAGIC = b"AERODROME-ARCHIVE 1\n"
_LONGEST_LINE = 1 << 20
_AGAIN = "Copy it anew and compare its size, or run the exporter again: it goes on where it stopped."


@dataclass(frozen=True)
class Frame:
    """One frame: the plain header, and the content as it was before it was sealed."""

    header: dict[str, Any]
    content: bytes
    raw: bytes  # header line, payload and line feed, as they stand in the file
    chain: str  # the digest of everything up to here

    @property
    def kind(self) -> str:
        return str(self.header["kind"])

    @property
    def name(self) -> str:
        return str(self.header["name"])

    def data(self) -> Any:
        return json.loads(self.content)

    def lines(self) -> Iterator[Any]:
        """Give the rows of a `rows` frame."""
        if self.content:
            yield from (json.loads(line) for line in self.content.split(b"\n"))


def frames(path: Path | CloudFile, key: Secret) -> Iterator[Frame]:
    """Give every frame, the last one of kind `end`.

    NotFound `archive-missing`; Invalid `archive-format`, `archive-truncated`, `archive-unfinished`, `archive-damaged`,
    `archive-key-wrong`.
    """
    with _opened(path) as stream:
        yield from _walk(path, stream, key)


def sealed_to(path: Path | CloudFile) -> str:
    """Give the id of the key to which an archive was sealed, before anything of it is opened; the errors of `frames`."""
    with _opened(path) as stream:
        _check_magic(path, stream)
        line = stream.readline(_LONGEST_LINE)
        header = _header(line)
        if header is None or header["kind"] != "sitting":
            raise _damaged(path, "at the beginning")
        try:
            return str(json.loads(stream.read(header["bytes"]))["key_id"])
        except (ValueError, KeyError, TypeError):
            raise _damaged(path, "at the beginning") from None


def _opened(path: Path | CloudFile) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise NotFound(
            f"The archive {path} cannot be read.", code="archive-missing", hint="Check the path and its rights."
        ) from error


def _check_magic(path: Path | CloudFile, stream: BinaryIO) -> None:
    if stream.read(len(MAGIC)) != MAGIC:
        raise Invalid(
            f"{path} is no archive of an Aerodrome exporter, or one of another format.",
            code="archive-format",
            hint="Make one: `aerodrome export --out exporter.py`, and run that script in the source.",
        )


def _walk(path: Path | CloudFile, stream: BinaryIO, key: Secret) -> Iterator[Frame]:
    _check_magic(path, stream)
    chain, number, place, opener = sha256(MAGIC).hexdigest(), 0, "the beginning", None
    while line := stream.readline(_LONGEST_LINE):
        header = _header(line)
        if header is None:
            raise _damaged(path, f"after {place}") if line.endswith(b"\n") else _truncated(path, place)
        place = _place(header)
        if header["before"] != chain or header["n"] != number:
            raise _damaged(path, f"before {place}: something was taken out, added or moved")
        payload = stream.read(header["bytes"])
        if len(payload) < header["bytes"]:
            raise _truncated(path, place)
        if sha256(payload).hexdigest() != header["sha256"] or stream.read(1) != b"\n":
            raise _damaged(path, f"in {place}")
        chain = sha256(line).hexdigest()
        content: bytes | None = payload
        if header["kind"] == "sitting":
            opener = Opener(key, json.loads(payload))
        elif header["kind"] != "end":
            content = opener.open(header["kind"], header["name"], number, payload) if opener else None
        if content is None:
            raise _damaged(path, f"in {place}")
        is_end = header["kind"] == "end"
        if is_end and stream.read(1):
            raise _damaged(path, "after its end")
        yield Frame(header, content, line + payload + b"\n", chain)
        if is_end:
            return
        number += 1
    raise Invalid(f"The archive {path} is not finished: it ends after {place}.", code="archive-unfinished", hint=_AGAIN)


def _header(line: bytes) -> dict[str, Any] | None:
    try:
        header = json.loads(line)
        is_good = header["bytes"] >= 0 and {"kind", "name", "n", "sha256", "before"} <= set(header)
    except (ValueError, KeyError, TypeError):
        return None
    return header if is_good else None


def _place(header: dict[str, Any]) -> str:
    return f"{header['name']}, part {header['part']}" if "part" in header else str(header["name"])


def _truncated(path: Path | CloudFile, place: str) -> Invalid:
    return Invalid(
        f"The archive {path} was cut off in {place}.", code="archive-truncated", hint=_AGAIN, details={"part": place}
    )


def _damaged(path: Path | CloudFile, place: str) -> Invalid:
    return Invalid(
        f"The archive {path} is damaged {place}.", code="archive-damaged", hint=_AGAIN, details={"part": place}
    )
