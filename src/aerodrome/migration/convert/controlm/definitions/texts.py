"""Long texts of XML exports, which stand in numbered pieces (`%%DB-QTXT-N001-SUBQTXT`, `…-N002-…`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_PIECE: Final = re.compile(r"-N(\d{3})-SUB([A-Z_]+)\Z", re.IGNORECASE)


def chunks_of(details: Mapping[str, str], word: str) -> str:
    """Join the pieces of the text whose names contain a word; empty when there are none.

    `%4E` is a line end: a piece of 34 characters by its own length (`SUBQLENGTH`) is that long with it (Control-M 9.0.19 exports).
    """
    pieces = sorted(
        (int(found[1]), value)
        for key, value in details.items()
        if word in key.lower() and (found := _PIECE.search(key)) and "LENGTH" not in found[2].upper()
    )
    return plain_lines("".join(value for _, value in pieces))


def plain_lines(text: str) -> str:
    """Write the line ends of a text of a plug-in as line ends."""
    return text.replace("%4E", "\n")
