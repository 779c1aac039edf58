"""Where the names of Airflow 1.10 and 2 are in Airflow 3.3.2: a table, made by `scripts/moves` from the packages themselves.

A second one, moves_2.json, knows the names of 1.10 that Airflow 2.11.2 cannot import.

`moves`: old dotted name -> new one; every entry was imported from a real 3.3.2 with its providers. `gone`: names of the old core and of
contrib that have no new place. `modules`: the modules of the core of 3.3.2; what is imported from another one fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources

_PROVIDER = "airflow.providers."
_THREE = 3
_TWO_WORDS = ("apache", "cncf", "common", "dbt", "microsoft", "atlassian")


@dataclass(frozen=True)
class Moves:
    """The table."""

    moves: dict[str, str]
    gone: frozenset[str]
    modules: frozenset[str]

    @cached_property
    def places(self) -> dict[str, frozenset[str]]:
        """Give the modules to which what a module held went; its own new place alone where it moved as a whole ("module.*")."""
        found: dict[str, set[str]] = {}
        for old, new in self.moves.items():
            found.setdefault(old.rpartition(".")[0], set()).add(new.rpartition(".")[0])
        whole = {old.removesuffix(".*"): {new} for old, new in self.moves.items() if old.endswith(".*")}
        return {module: frozenset(names) for module, names in (found | whole).items()}

    def is_missing(self, module: str) -> bool:
        """Tell whether the target's Airflow itself has no such module."""
        return module.startswith("airflow.") and not module.startswith(_PROVIDER) and module not in self.modules


@cache
def table(major: int = 3) -> Moves:
    """Read the table for a target of that major version, once."""
    name = "moves.json" if major >= _THREE else "moves_2.json"
    text = (resources.files(__package__) / name).read_text(encoding="utf-8")
    data = json.loads(text)
    return Moves(data["moves"], frozenset(data["gone"]), frozenset(data["modules"]))


@cache
def companions() -> dict[str, list[str]]:
    """Give the packages that modules of providers need beside their own: what they import of other providers (`scripts/companions`)."""
    text = (resources.files(__package__) / "companions.json").read_text(encoding="utf-8")
    found: dict[str, list[str]] = json.loads(text)
    return found


@cache
def floors() -> dict[str, str]:
    """Give the major version of each provider that the table was tried with (3.3.2, 2026-09): what is older may not even import there."""
    text = (resources.files(__package__) / "floors.json").read_text(encoding="utf-8")
    found: dict[str, str] = json.loads(text)
    return found


@cache
def successors() -> dict[str, list[str]]:
    """Give what a provider itself said to use instead of a class that is gone; the arguments are other ones (`scripts/successors`)."""
    text = (resources.files(__package__) / "successors.json").read_text(encoding="utf-8")
    found: dict[str, list[str]] = json.loads(text)
    return found


def package_of(module: str) -> str | None:
    """Give the name of the package that brings a provider's module."""
    if not module.startswith(_PROVIDER):
        return None
    words = module.removeprefix(_PROVIDER).split(".")
    name = words[:2] if words[0] in _TWO_WORDS else words[:1]
    return "apache-airflow-providers-" + "-".join(name)
