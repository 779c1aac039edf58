"""What a job does at its end for others to see: it stands between the job and what follows it.

In Control-M variables and conditions that a job changes belong to its end, before anything that waits for it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aerodrome.migration.convert.contract import Edge
from aerodrome.migration.convert.controlm.draft import Built


@dataclass
class Behind:
    """The tasks right behind the end of a node: a chain that others follow, and its own ones, which nobody waits for."""

    chain: list[str] = field(default_factory=list)
    own: set[str] = field(default_factory=set)


def order_behind(built: Built, behind: Mapping[str, Behind]) -> None:
    """Let what follows a task follow the last of its chain."""
    places = {
        (end, name): before
        for end, found in behind.items()
        for before, name in zip((end, *found.chain), found.chain, strict=False)
    }

    def moved(edge: Edge) -> Edge:
        found = behind.get(edge.before)
        if found is None or not found.chain or edge.after in found.own:
            return edge
        return replace(edge, before=places.get((edge.before, edge.after), found.chain[-1]))

    built.edges = [moved(edge) for edge in built.edges]
    built.lasts = {end: found.chain[-1] for end, found in behind.items() if found.chain}
