"""Writes durations in sentences."""

from __future__ import annotations


def span(seconds: float) -> str:
    """Write a duration in one unit: 45 seconds, 12 minutes, 3 hours."""
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * length or (seconds >= length and unit == "minute" and seconds >= 90):
            return f"{round(seconds / length)} {unit}s"
    return f"{round(seconds)} seconds"
