"""Java's date patterns and regular expressions, as Python writes them; None when something has no equivalent."""

from __future__ import annotations

import re
from typing import Final

_DATES: Final = {
    "yyyy": "%Y", "YYYY": "%G", "yy": "%y", "y": "%Y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "000", "DDD": "%j",
    "D": "%-j", "EEE": "%a", "EEEE": "%A", "E": "%a", "a": "%p", "u": "%u", "Z": "%z", "z": "UTC", "XXX": "Z", "X": "Z",
}  # fmt: skip
_PATTERN: Final = re.compile(r"'((?:''|[^'])*)'|((?P<letter>[A-Za-z])(?P=letter)*)|([^A-Za-z'])")


def strftime(pattern: str) -> str | None:
    """Translate a SimpleDateFormat pattern (English names, UTC)."""
    parts: list[str] = []
    for quoted, letters, _, other in _PATTERN.findall(pattern):
        if letters:
            if letters not in _DATES:
                return None
            parts.append(_DATES[letters])
        else:
            parts.append((quoted.replace("''", "'") or other or "'").replace("%", "%%"))
    return "".join(parts)


def regex(pattern: str, new: str) -> tuple[str, str] | None:
    r"""Translate a Java pattern and its replacement (`$1` -> `\1`)."""
    if re.search(r"\\[pPQEzZGhHvVRX]|\[[^\]]*&&|\(\?<[a-zA-Z]|[*+?}]\+", pattern):
        return None
    try:
        re.compile(pattern)
    except re.error:
        return None
    return pattern, re.sub(r"\\(.)|\$(\d)", lambda match: rf"\g<{match[2]}>" if match[2] else re.escape(match[1]), new)
