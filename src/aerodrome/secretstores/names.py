"""Writes our paths in the characters that a service allows, so that they can be read back and sort by prefix.

`encode(a)` is the beginning of `encode(a + b)`, so a service can list by prefix. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_SHORT: Final = {"/": "-", "_": "w", "-": "h", ".": "p"}
_LONG: Final = {code: letter for letter, code in _SHORT.items()}


@dataclass(frozen=True)
class Spelling:
    """How a service spells paths. `mark` begins every escape and is itself escaped."""

    plain: str  # regular expression of one character that stands for itself
    mark: str
    has_short: bool = False  # mark + one letter for / _ - and .
    has_capitals: bool = True  # False: the service ignores case, so runs of capitals stand between mark+u and mark+l
    max_length: int = 400

    def encode(self, path: str) -> str:
        """Write a path."""
        return "".join(self._pieces(path))

    def decode(self, name: str) -> str | None:
        """Read a path; None for a name that is not of ours."""
        path, is_upper, index = "", False, 0
        while index < len(name):
            letter = name[index]
            index += 1
            if letter != self.mark:
                path += letter.upper() if is_upper else letter
                continue
            code = name[index : index + 1]
            index += 1
            if not self.has_capitals and code in ("u", "l"):
                is_upper = code == "u"
            elif self.has_short and code in _LONG:
                path += _LONG[code]
            elif match := re.fullmatch("[0-9a-f]{2}", name[index + (0 if self.has_short else -1) :][:2]):
                path += chr(int(match[0], 16))
                index += 2 if self.has_short else 1
            else:
                return None
        return path if self.encode(path) == name else None

    def _pieces(self, path: str) -> Iterator[str]:
        is_upper = False
        for letter in path:
            if not self.has_capitals and letter.isalpha() and letter.isupper() != is_upper:
                is_upper = not is_upper
                yield self.mark + ("u" if is_upper else "l")
            if letter != self.mark and re.fullmatch(self.plain, letter):
                yield letter.lower() if not self.has_capitals else letter
            elif self.has_short and letter in _SHORT:
                yield self.mark + _SHORT[letter]
            else:
                yield f"{self.mark}{'x' if self.has_short else ''}{ord(letter):02x}"


SPELLINGS: Final = {
    "aws-secrets-manager": Spelling(r"[A-Za-z0-9/_+.@-]", "=", max_length=512),
    "aws-parameter-store": Spelling(r"[A-Za-z0-9/_-]", ".", max_length=1000),
    "vault": Spelling(r"[A-Za-z0-9/_.@:+-]", "=", max_length=500),
    "gcp-secret-manager": Spelling(r"[A-Za-z0-9_]", "-", has_short=True, max_length=255),
    "azure-key-vault": Spelling(r"[A-Za-z0-9]", "-", has_short=True, has_capitals=False, max_length=127),
}
