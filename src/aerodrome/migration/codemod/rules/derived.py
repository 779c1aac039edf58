"""Classes of the project that are derived from operators, sensors and hooks of Airflow: what their calls hand on to these. Shared by rules about arguments.

A call of such a class reaches the constructor of Airflow's with whatever its own constructors do not take themselves and have `**kwargs` for.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules.callers import imported_as
from aerodrome.migration.codemod.rules.receivers import class_of
from aerodrome.migration.codemod.source import Source

_DEPTH = 6


@dataclass(frozen=True)
class Derived:
    """A call that makes an object of a derived class, or `super().__init__(…)` within one; `own` are names that the project's constructors know."""

    call: ast.Call
    old: frozenset[str]  # the dotted names of Airflow's class, as the project imports it
    own: frozenset[str]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(table().moves.get(name, name) for name in self.old)


def derived(source: Source) -> Iterator[Derived]:
    """Give the calls of a file that reach a constructor of Airflow's through a class of the project."""
    for call in source.each(ast.Call):
        func = call.func
        if isinstance(func, ast.Attribute) and func.attr == "__init__":
            is_super = isinstance(func.value, ast.Call) and getattr(func.value.func, "id", "") == "super"
            around = class_of(source, call) if is_super else None
            if around is not None:
                names, own = _bases(source, source.file, source.project, around, _DEPTH)
                if names:
                    yield Derived(call, names, own)
            continue
        if isinstance(func, ast.Attribute) and func.attr == "partial":
            func = func.value
        if any(name.startswith("airflow.") for name in source.meanings(func)):
            continue
        names, own = _of(source, source.file, source.project, func, _DEPTH)
        if names:
            yield Derived(call, names, own)


def base_of(source: Source, node: ast.ClassDef) -> frozenset[str]:
    """Give the dotted names of Airflow's class that a class of the file is derived from."""
    return _bases(source, source.file, source.project, node, _DEPTH)[0]


def _of(
    source: Source, file: str, project: Project | None, node: ast.expr, depth: int
) -> tuple[frozenset[str], frozenset[str]]:
    """Give the class of Airflow behind an expression that is a class, and the names that constructors before it know; none when they end it."""
    known = frozenset(name for name in source.meanings(node) if name.startswith("airflow."))
    if known or depth == 0:
        return known, frozenset()
    if not isinstance(node, ast.Name):
        return frozenset(), frozenset()
    classes = [item for item in source.tree.body if isinstance(item, ast.ClassDef) and item.name == node.id]
    if len(classes) == 1:
        return _made(source, file, project, classes[0], depth)
    place = imported_as(source, file, node.id, project) if project and not classes else None
    other = project.source(place[0]) if project and place else None
    if place is None or other is None:
        return frozenset(), frozenset()
    return _of(other, place[0], project, ast.copy_location(_name_in(other, place[1]), node), depth - 1)


def _name_in(source: Source, name: str) -> ast.Name:
    """Give a node that stands for a name at the top of a file."""
    found = next((node for node in source.each(ast.Name) if node.id == name and source.scope(node) is source.top), None)
    return found if found is not None else ast.Name(name, ast.Load())


def _made(
    source: Source, file: str, project: Project | None, node: ast.ClassDef, depth: int
) -> tuple[frozenset[str], frozenset[str]]:
    init = next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == "__init__"), None)
    own: set[str] = set()
    if init is not None:
        if init.args.kwarg is None:
            return frozenset(), frozenset()
        own |= {arg.arg for arg in (*init.args.posonlyargs, *init.args.args, *init.args.kwonlyargs)}
        own |= {item.value for item in ast.walk(init) if isinstance(item, ast.Constant) and isinstance(item.value, str)}
        own |= {str(item.arg) for item in ast.walk(init) if isinstance(item, ast.keyword)}
    names, more = _bases(source, file, project, node, depth)
    return names, more | own


def _bases(
    source: Source, file: str, project: Project | None, node: ast.ClassDef, depth: int
) -> tuple[frozenset[str], frozenset[str]]:
    found = [item for base in node.bases if (item := _of(source, file, project, base, depth - 1))[0]]
    return found[0] if len(found) == 1 else (frozenset(), frozenset())
