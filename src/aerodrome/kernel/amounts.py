"""Writes amounts in sentences, on pages and in tables."""

from __future__ import annotations


def size(size_bytes: int) -> str:
    """Write a number of bytes in the unit that fits: 512 B, 1.5 kB, 3.2 GB."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
