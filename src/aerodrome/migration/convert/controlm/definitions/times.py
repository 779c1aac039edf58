"""Words for times and lengths in Control-M definitions: `0830`, `08:30`, `00005M`, `+000010`."""

from __future__ import annotations

import re
from datetime import date

_UNITS = {"S": 1, "M": 60, "H": 3600, "D": 86400}


def minutes_of(text: str) -> int | None:
    """Give minutes after midnight of `0830`, `08:30`, `8:30`; None when it is not a time of day."""
    found = re.fullmatch(r"(\d{1,2}):?(\d{2})(?::?\d{2})?", text.strip())
    if not found:
        return None
    hours, minutes = int(found[1]), int(found[2])
    return hours * 60 + minutes if hours <= 24 and minutes < 60 else None


def clock(minutes: int) -> str:
    """Give `HH:MM`."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def seconds_of(text: str) -> int | None:
    """Give the seconds of `00005M`, `2H`, `30S`, `+12M`, `00010` (minutes); None when it is not a length."""
    found = re.fullmatch(r"\+?(\d+)([SMHD]?)", text.strip().upper())
    return int(found[1]) * _UNITS[found[2] or "M"] if found else None


def day_of(text: str) -> date | None:
    """Give the date of `20250131` or `2025-01-31`; None when it is blank or no date."""
    digits = text.strip().replace("-", "").replace("/", "")
    if len(digits) != 8 or not digits.isdigit():
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
