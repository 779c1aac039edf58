"""Which connections, variables, pools and environment variables a project names, by its text alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aerodrome.parsing.contract import Usage, UsageEntry, UsageKind


def usage(project: Path) -> Usage:
    """Give what the project's DAGs name, following imports within the project. Never imports a file, never raises on text."""
    raise NotImplementedError


def usage_of(usages: Mapping[str, Usage], kind: UsageKind, name: str) -> Mapping[str, tuple[UsageEntry, ...]]:
    """Look up one object in the usages of several deployments: deployment id -> the places that name it."""
    found = {
        key: tuple(entry for entry in value.entries if entry.kind == kind and entry.name == name)
        for key, value in usages.items()
    }
    return {key: entries for key, entries in found.items() if entries}
