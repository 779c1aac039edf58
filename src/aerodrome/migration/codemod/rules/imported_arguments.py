"""Dictionaries of a file that other files of the project give to operators by `**`: `DockerOperator(**common.ARGS)`. Pure.

Each is seen as the project was before the upgrade. One that somebody also looks into, changes or hands elsewhere is doubtful: its keys may be
asked for by their old names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import dags, operators
from aerodrome.migration.codemod.rules.callers import imported_as
from aerodrome.migration.codemod.source import Source, module_of

_DEPTH = 4
_Place = tuple[str, str]


@dataclass
class Users:
    """Who gets a dictionary by `**`, each call with its file, and whether anything else is done with it."""

    calls: list[tuple[Source, operators.Made]] = field(default_factory=list)
    is_used_elsewhere: bool = False


def users_of(source: Source) -> dict[str, Users]:
    """Give what other files do with names at the top of this one, of those that they give to operators."""
    project = source.project
    if project is None or not source.file:
        return {}
    known: dict[str, dict[str, Users]] = project.once("dictionaries for operators", lambda: _users(project))
    return known.get(source.file, {})


def _users(project: Project) -> dict[str, dict[str, Users]]:
    found: dict[str, dict[str, Users]] = {}
    given: dict[str, set[ast.expr]] = {}
    starred = set(project.mentioning(b"**"))
    for file in project.mentioning(b"airflow"):
        source = project.source(file) if file in starred else None
        for made, node in _given(source) if source else ():
            place = _home(source, file, node, project, _DEPTH) if source else None
            if source and place and place[0] != file:
                given.setdefault(file, set()).add(node)
                found.setdefault(place[0], {}).setdefault(place[1], Users()).calls.append((source, made))
    wanted = {name for names in found.values() for name in names}
    for file in sorted({file for name in wanted for file in project.mentioning(name.encode())}):
        source = project.source(file)
        if source is None:
            continue
        names = {node.id for node in source.each(ast.Name)}
        homes = {name: _home(source, file, ast.Name(name, ast.Load()), project, _DEPTH) for name in names}
        nodes: list[ast.Name | ast.Attribute] = [*source.each(ast.Name), *source.each(ast.Attribute)]
        for node in nodes:
            if node in given.get(file, ()) or (isinstance(node, ast.Attribute) and node.attr not in wanted):
                continue
            place = homes[node.id] if isinstance(node, ast.Name) else _home(source, file, node, project, _DEPTH)
            if place and place[0] != file and place[1] in found.get(place[0], {}):
                found[place[0]][place[1]].is_used_elsewhere = True
    return found


def _given(source: Source) -> Iterator[tuple[operators.Made, ast.expr]]:
    for made in operators.made(source):
        for item in made.call.keywords if not made.old & dags.ANY else ():
            if item.arg is None and isinstance(item.value, ast.Name | ast.Attribute):
                yield made, item.value


def _home(source: Source, file: str, node: ast.expr, project: Project, depth: int) -> _Place | None:
    """Give the file that makes what an expression imports, and its name there; a file on the way may only hand it on."""
    place = None
    if isinstance(node, ast.Name):
        place = imported_as(source, file, node.id, project)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        origins = {origin for origin in source.meanings(node) if project.place_of(origin)}
        place = project.place_of(next(iter(origins))) if len(origins) == 1 else _beside(source, file, node, project)
    other = project.source(place[0]) if place else None
    if place is None or other is None or depth == 0 or place[1] in other.writes:
        return place
    return _home(other, place[0], ast.Name(place[1], ast.Load()), project, depth - 1) or place


def _beside(source: Source, file: str, node: ast.Attribute, project: Project) -> _Place | None:
    """Give the place of `settings.ARGS` after `from . import settings`."""
    owner = node.value.id if isinstance(node.value, ast.Name) else ""
    for statement in source.each(ast.ImportFrom):
        for alias in statement.names if statement.level else ():
            if (alias.asname or alias.name) == owner:
                module = module_of(statement, file)
                return project.place_of(f"{module}.{alias.name}.{node.attr}" if module else f"{alias.name}.{node.attr}")
    return None
