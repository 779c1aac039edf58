"""Operators, sensors, hooks and a function that makes tasks that no package of Airflow 3.3.2 has any more: a table, made by `scripts/gone` from the old packages.

What is in it is what a stand-in needs: something of the same name that takes what the old class took, and fails when it runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

GONE = "gone-class"
"""The rule that writes stand-ins; its findings mean that tasks raise."""
MARK = "Stands in for airflow."
"""How the docstring of every stand-in begins."""


@dataclass(frozen=True)
class Gone:
    """One class. `package` is the last one at hand that had it: "apache-airflow-providers-google 15.1.0"."""

    kind: Literal["operator", "sensor", "hook", "function"]  # function: makes `tasks`, one after the other
    package: str
    fields: tuple[
        str, ...
    ] = ()  # template_fields; each is one of the arguments: Airflow 3 renders none that every task has
    arguments: tuple[str, ...] = ()  # beside what every task takes
    is_open: bool = False  # arguments that nobody knows are taken and ignored
    tasks: tuple[str, ...] = ()  # of a function: task ids are its first argument, "-" and one of these
    static: Mapping[str, tuple[tuple[str, ...], str]] = field(default_factory=dict)  # name -> arguments, expression


@cache
def gone_classes() -> Mapping[str, Gone]:
    """Read the table, once: by the dotted name in the old package."""
    text = (resources.files(__package__) / "gone.json").read_text(encoding="utf-8")
    return {name: _gone(entry) for name, entry in json.loads(text).items()}


def _gone(entry: Mapping[str, Any]) -> Gone:
    lists = {name: tuple(entry.get(name, ())) for name in ("fields", "arguments", "tasks")}
    static = {name: (tuple(arguments), code) for name, (*arguments, code) in entry.get("static", {}).items()}
    return Gone(entry["kind"], entry["package"], **lists, is_open=entry.get("open", False), static=static)
