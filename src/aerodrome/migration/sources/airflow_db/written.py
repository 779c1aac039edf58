"""What a DAG file says in literals about its schedule, for databases that do not. Pure: reads the syntax tree, never imports.

A file may hold many DAGs, and the tree does not tell which is which: an answer is given only when it holds for all of them.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones


@dataclass(frozen=True)
class Written:
    """`catchup` is what every DAG of the file says; None when they differ, compute it, or say nothing."""

    zones: tuple[str, ...] = ()  # names of time zones, in the order in which they stand there
    catchup: bool | None = None
    is_catchup_default: bool = False  # no DAG says anything: the installation's default holds


def written(source: str) -> Written:
    """Read a file's text; a file that does not parse says nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Written()
    names = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    zones = tuple(name for name in dict.fromkeys(names) if name in _zones())
    said = {value for call in _dag_calls(tree) for value in _catchup(call)}
    if not said or _mentions_elsewhere(tree):
        return Written(zones)
    if said == {"default"}:
        return Written(zones, None, is_catchup_default=True)
    return Written(zones, said == {"True"}) if said <= {"True", "False"} and len(said) == 1 else Written(zones)


def _dag_calls(tree: ast.AST) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in ("DAG", "dag"):
                yield node


def _catchup(call: ast.Call) -> Iterator[str]:
    """Give what the call says: "True", "False", "default", or "unknown" when it is computed."""
    for keyword in call.keywords:
        if keyword.arg == "catchup":
            is_literal = isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool)
            yield ast.unparse(keyword.value) if is_literal else "unknown"
            return
    yield "unknown" if any(keyword.arg is None for keyword in call.keywords) else "default"


def _mentions_elsewhere(tree: ast.AST) -> bool:
    """Tell whether the word stands anywhere but as an argument of a DAG: default_args, an attribute, a factory's argument."""
    inside = {id(keyword) for call in _dag_calls(tree) for keyword in call.keywords}
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "catchup" and id(node) not in inside:
            return True
        if "catchup" in (getattr(node, "attr", None), getattr(node, "id", None), getattr(node, "arg", None)) and not (
            isinstance(node, ast.keyword)
        ):
            return True
        if isinstance(node, ast.Constant) and node.value == "catchup":
            return True
    return False


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
