"""Which functions Airflow calls back, of a file and of those that import it: `on_failure_callback=alert`, in calls, dictionaries and assignments. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import lru_cache

from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules.callables import Function, handed, named_functions
from aerodrome.migration.codemod.source import Source, module_of

_WORD = b"_callback"
AFTER_THE_END = frozenset({"on_failure_callback", "on_retry_callback", "on_success_callback", "on_skipped_callback"})
"""Callbacks that are made when a task instance has its last state."""


def kinds_of(source: Source, function: Function) -> frozenset[str]:
    """Give under which names a function is handed on as a callback, in its file or in others of the project; none when it is no callback."""
    if isinstance(function, ast.Lambda):
        return frozenset(kind for kind, value in _own(source) if value is function)
    found = {kind for kind, value in _own(source) if isinstance(value, ast.Name) and value.id == function.name}
    if source.project is not None and function in source.tree.body:
        project = source.project
        places: dict[tuple[str, str], set[str]] = project.once("callbacks", lambda: _of_project(project))
        found |= places.get((source.file, function.name), set())
    return frozenset(found)


@lru_cache(maxsize=8)
def _own(source: Source) -> tuple[tuple[str, ast.expr], ...]:
    return tuple(_of(source))


def _of(source: Source) -> Iterator[tuple[str, ast.expr]]:
    for kind, value in handed(source).callback_values:
        for found in named_functions(source, value):
            yield kind, found
        parts = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
        yield from ((kind, part) for part in parts if isinstance(part, ast.Attribute))


def _of_project(project: Project) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = {}
    for file in project.mentioning(_WORD):
        if (source := project.source(file)) is None:
            continue
        names = {
            alias.asname or alias.name: project.place_of(f"{module_of(node, file)}.{alias.name}")
            for node in source.each(ast.ImportFrom)
            for alias in node.names
        }
        for kind, value in _of(source):
            places = [names[value.id]] if isinstance(value, ast.Name) and value.id in names else []
            places += [project.place_of(origin) for origin in source.meanings(value)]
            for place in places:
                if place is not None:
                    found.setdefault(place, set()).add(kind)
    return found
