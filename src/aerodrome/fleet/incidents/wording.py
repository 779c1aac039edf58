"""Writes sizes and durations in sentences."""

from __future__ import annotations


def size(size_bytes: int) -> str:
    """Write bytes in the unit that fits: 3.2 GB."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit in ("B", "kB") else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"


def span(seconds: float) -> str:
    """Write a duration in one unit: 45 seconds, 12 minutes, 3 hours."""
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * length or (seconds >= length and unit == "minute" and seconds >= 90):
            return f"{round(seconds / length)} {unit}s"
    return f"{round(seconds)} seconds"
