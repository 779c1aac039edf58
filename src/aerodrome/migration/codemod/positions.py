"""What constructors of hooks took by position once, where it is something else today: a table, made by `scripts/positions` from the packages themselves.

Compared: the hooks of apache-airflow 1.10.15, of the backports of 2021, of the first providers of Airflow 2 and of some later ones with those of 46 providers that
Airflow 3.3.2 takes (2026-11). Keyed by the name that the old package had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

Order = tuple[tuple[str, str], ...]
"""Arguments in their order, each with its name of today ("": it has none)."""


@dataclass(frozen=True)
class Positions:
    orders: tuple[Order, ...]  # that a version had
    today: tuple[str, ...]  # what today's constructor takes by position
    is_here: bool  # the class still has this name: code may mean today's order


@cache
def changed_positions() -> Mapping[str, Positions]:
    """Read the table, once."""
    text = (resources.files(__package__) / "positions.json").read_text(encoding="utf-8")
    return {
        name: Positions(
            tuple(tuple((old, new) for old, new in order) for order in entry["orders"]),
            tuple(entry["today"]),
            entry["is_here"],
        )
        for name, entry in json.loads(text).items()
    }
