"""Small words of findings and reports."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Say a number with its noun: "1 task", "1,200 tasks"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
