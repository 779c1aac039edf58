"""Finds the calls that make tasks and hooks, whatever their names are called today. Shared by the rules about operators."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.source import Source


@dataclass(frozen=True)
class Made:
    """`Operator(…)`, `Operator.partial(…)` or `Operator.partial(…).expand(…)`."""

    call: ast.Call
    node: ast.expr  # what names the class
    old: frozenset[str]  # the dotted names that the file may mean
    names: frozenset[str]  # the same, by the table of moves
    is_expanding: bool  # `call` is the one of expand: the class is named elsewhere

    @property
    def classes(self) -> set[str]:
        return {name.rpartition(".")[2] for name in self.names}

    def is_in(self, package: str) -> bool:
        return any(name.startswith(package) for name in self.names)


def made(source: Source) -> Iterator[Made]:
    """Give every call of something of Airflow."""
    for call in source.each(ast.Call):
        node, is_expanding = _class_of(call)
        old = frozenset(name for name in source.meanings(node) if name.startswith("airflow."))
        if old:
            yield Made(call, node, old, frozenset(table().moves.get(name, name) for name in old), is_expanding)


def _class_of(call: ast.Call) -> tuple[ast.expr, bool]:
    node = call.func
    if (
        isinstance(node, ast.Attribute)
        and node.attr in ("expand", "expand_kwargs")
        and isinstance(node.value, ast.Call)
    ):
        inner = node.value.func
        if isinstance(inner, ast.Attribute) and inner.attr == "partial":
            return inner.value, True
    if isinstance(node, ast.Attribute) and node.attr == "partial":
        return node.value, False
    return node, False


def is_of_1(made: Made, options: Options) -> bool:
    """Tell whether Airflow 1.10 ran this: by the project's version, else by the name that the class is imported under."""
    is_named_so = any(not name.startswith("airflow.providers.") for name in made.old)
    return is_named_so and options.source_version.partition(".")[0] in ("", "1")
