"""How methods of hooks were called once, and are not any more: a table, made by `scripts/methods` from the packages themselves.

Compared: the hooks of apache-airflow 1.10.15, of the backports of 2021, of the first providers of Airflow 2 and of some later ones (amazon 2, 4, 6; google 4, 8; ssh 1 to 3)
with those of 46 providers that Airflow 3.3.2 takes (2026-11).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Method:
    """One method by its class of today; what is empty is as it was."""

    is_gone: bool = False
    renamed: Mapping[str, str] = field(default_factory=dict)
    removed: frozenset[str] = frozenset()
    required: tuple[str, ...] = ()  # what nobody knew once, and it insists on
    positions: tuple[
        tuple[str, str], ...
    ] = ()  # its arguments in the order of 1.10, with their names of today ("": none); today's order is another
    most: int = 0  # how many it takes by position today; where there are `positions`


@cache
def changed_methods() -> Mapping[str, Mapping[str, Method]]:
    """Read the table, once: by class, then by method."""
    text = (resources.files(__package__) / "methods.json").read_text(encoding="utf-8")
    return {
        name: {
            method: Method(
                entry.get("gone", False),
                entry.get("renamed", {}),
                frozenset(entry.get("removed", ())),
                tuple(entry.get("required", ())),
                tuple((old, new) for old, new in entry.get("positions", ())),
                entry.get("most", 0),
            )
            for method, entry in methods.items()
        }
        for name, methods in json.loads(text).items()
    }


@cache
def method_names() -> frozenset[str]:
    """Give the names of all methods of the table: what is called otherwise need not be looked at."""
    return frozenset(method for methods in changed_methods().values() for method in methods)
