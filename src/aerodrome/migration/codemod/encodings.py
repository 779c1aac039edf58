"""Python files in other encodings than UTF-8: worked on as UTF-8, written back as they were.

PEP 263: the encoding stands in a comment of the first two lines. ruff reads UTF-8 only, and the places that `ast` gives are those of UTF-8.
"""

from __future__ import annotations

import io
import re
import tokenize
from dataclasses import dataclass
from typing import Final

_COOKIE: Final = re.compile(rb"^([ \t\f]*#.*?coding[:=][ \t]*)([-\w.]+)", re.MULTILINE)


@dataclass(frozen=True)
class Encoded:
    """A file as UTF-8, and what it takes to write it back."""

    text: bytes
    encoding: str  # as Python names it; "utf-8" when `text` is the file itself
    declared: bytes = b""  # the name in the comment

    def shown(self, diff: str) -> str:
        """Give a diff of the texts as one of the files: the name in the comment, where it is shown, is the file's own."""
        return _COOKIE.sub(lambda found: found[1] + self.declared, diff.encode("utf-8"), count=1).decode("utf-8")

    def back(self, text: bytes) -> bytes:
        """Give a changed text in the file's own encoding; rules add nothing that it could lack (ASCII only)."""
        if self.encoding == "utf-8":
            return text
        own = _COOKIE.sub(lambda found: found[1] + self.declared, text, count=1)
        return own.decode("utf-8").encode(self.encoding)


def as_utf8(data: bytes) -> Encoded | None:
    """Give a file as UTF-8; None when Python cannot read it: bytes that its encoding does not have, or an unknown encoding."""
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, LookupError, UnicodeDecodeError):
        return None
    if encoding in {"utf-8", "utf-8-sig"}:
        return Encoded(data, "utf-8")
    cookie = _COOKIE.search(data)
    if cookie is None:
        return None
    plain = _COOKIE.sub(lambda found: found[1] + b"utf-8", text.encode("utf-8"), count=1)
    return Encoded(plain, encoding, cookie[2])
