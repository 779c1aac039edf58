"""Control-M priorities as Airflow weights: `AA` is the lowest and `99` the highest (letters before digits)."""

from __future__ import annotations

_WORDS = {"verylow": 1, "low": 10, "medium": 1, "high": 1000, "veryhigh": 1500}


def weight_of(priority: str) -> int:
    """Give a weight from 1; 1 when there is no priority."""
    text = priority.strip().upper()
    if not text:
        return 1
    if found := _WORDS.get(text.lower().replace(" ", "")):
        return found
    weight = 0
    for mark in text[:2].ljust(2, "A"):
        place = ord(mark) - ord("A") if mark.isalpha() and mark.isascii() else 26 + int(mark) if mark.isdigit() else 0
        weight = weight * 36 + place
    return weight + 1
