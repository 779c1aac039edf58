"""Arguments that operators, sensors and hooks took once: a table, made by `scripts/arguments` from the packages themselves.

Keyed by the name in Airflow 3.3.2 and its providers. `renamed`: the old constructor itself said which argument takes the place. `removed`:
nothing takes it. `required`: the new constructor insists on them, and no old one knew them. Other tables, made by `scripts/accepted` and `scripts/defaults`,
have what they take, what 1.10 took by default and today's do not, and what 1.10 did not take.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Arguments:
    renamed: Mapping[str, str]
    removed: frozenset[str]
    required: tuple[str, ...]


@cache
def changed_arguments() -> Mapping[str, Arguments]:
    """Read the table, once."""
    text = (resources.files(__package__) / "arguments.json").read_text(encoding="utf-8")
    return {
        name: Arguments(entry["renamed"], frozenset(entry["removed"]), tuple(entry["required"]))
        for name, entry in json.loads(text).items()
    }


@cache
def accepted_arguments() -> Mapping[str, frozenset[str]]:
    """Read what operators of Airflow 1.10.15 take, then or today, by their names of today; "" has what every task takes."""
    text = (resources.files(__package__) / "accepted.json").read_text(encoding="utf-8")
    return {name: frozenset(taken) for name, taken in json.loads(text).items()}


@dataclass(frozen=True)
class Default:
    """What an argument was when Airflow 1.10.15 was not told, and nothing else is today. `place`: among the arguments by position; -1 for none."""

    argument: str
    value: str | int | None
    place: int


@cache
def old_defaults() -> Mapping[str, tuple[Default, ...]]:
    """Read the table, once."""
    text = (resources.files(__package__) / "defaults.json").read_text(encoding="utf-8")
    return {
        name: tuple(Default(argument, value, place) for argument, (value, place) in entry.items())
        for name, entry in json.loads(text).items()
    }


@cache
def added_arguments() -> Mapping[str, Mapping[str, tuple[object, ...]]]:
    """Read the arguments of tasks that Airflow 1.10.15 did not know, each with its default of today, or without one that a text can say; once."""
    text = (resources.files(__package__) / "added.json").read_text(encoding="utf-8")
    return {
        name: {argument: tuple(value) for argument, value in entry.items()} for name, entry in json.loads(text).items()
    }
