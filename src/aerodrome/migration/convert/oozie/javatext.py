"""Java's date patterns and regular expressions, as Python writes them; None when something has no equivalent."""

from __future__ import annotations

import re
from typing import Final

_DATES: Final = {
    "yyyy": "%Y", "YYYY": "%G", "yy": "%y", "y": "%Y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M", "ss": "%S", "s": "%-S", "SSS": "000", "DDD": "%j",
    "D": "%-j", "EEE": "%a", "EEEE": "%A", "E": "%a", "a": "%p", "u": "%u", "Z": "%z",
}  # fmt: skip
_PATTERN: Final = re.compile(r"'((?:''|[^'])*)'|((?P<letter>[A-Za-z])(?P=letter)*)|([^A-Za-z'])")


def strftime(pattern: str, ending: str = "Z") -> str | None:
    """Translate a SimpleDateFormat pattern (English names) of a server whose times end so."""
    sign = ending if ending == "Z" else f"{ending[:3]}:{ending[3:]}"
    zones = {"z": "UTC" if ending == "Z" else f"GMT{sign}", "XXX": sign, "XX": ending, "X": sign.removesuffix(":00")}
    parts: list[str] = []
    for quoted, letters, _, other in _PATTERN.findall(pattern):
        if letters:
            if letters not in zones and letters not in _DATES:
                return None
            parts.append(zones.get(letters) or _DATES[letters])
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
