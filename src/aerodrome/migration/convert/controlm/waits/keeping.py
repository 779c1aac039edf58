"""Conditions for jobs that are converted apart: an estate is moved in parts, and the other parts wait for Airflow variables."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from aerodrome.migration.convert.controlm.waits.conditions import Index
from aerodrome.migration.convert.controlm.waits.linking import Links


def keep(links: Links, index: Index, patterns: Sequence[str], *, is_keeping_unawaited: bool) -> frozenset[str]:
    """Keep conditions that the profile names, with their date and without; give those that are kept because nobody here waits for them."""
    names = {*index.producers, *index.deleted} - index.aliases
    for name in names:
        if any(fnmatchcase(name, pattern) for pattern in patterns):
            links.stored[name] |= {0, None}
    if not is_keeping_unawaited:
        return frozenset()
    return frozenset(name for name in names if not index.waiting.get(name) and name not in links.stored)
