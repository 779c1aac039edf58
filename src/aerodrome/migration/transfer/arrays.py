"""Writes lists of texts as PostgreSQL reads an array: in one text, which costs the driver less than a list of many."""

from __future__ import annotations

from collections.abc import Sequence


def array_text(values: Sequence[str]) -> str:
    """Write an array of texts, to be cast to `text[]`: `{"a","b"}`."""
    if not values:
        return "{}"
    text = '","'.join(values)
    if "\\" in text or text.count('"') != 2 * (len(values) - 1):
        text = '","'.join([value.replace("\\", "\\\\").replace('"', '\\"') for value in values])
    return f'{{"{text}"}}'


def array_literal(values: Sequence[str]) -> str:
    """Write it as it stands in a statement, in quotes."""
    text = array_text(values).replace("'", "''")
    return f"'{text}'"
