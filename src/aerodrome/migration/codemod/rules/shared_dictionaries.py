"""Dictionaries of a file that other files of the project give to DAGs: `DAG(**settings.DAG_ARGS)`, `default_args=DEFAULTS` of an import. Shared by rules about DAGs.

One that somebody also looks into, changes or hands elsewhere is doubtful: its keys may be asked for by their old names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules.callers import imported_as
from aerodrome.migration.codemod.source import Source

Ways = dict[str, dict[str, set[str]]]
"""File -> name -> what others do with it: "**", "default_args", "else"."""


def ways_of(source: Source, names: frozenset[str]) -> dict[str, set[str]]:
    """Give the names at the top of a file that other files give to DAGs, and what else they do with them."""
    project = source.project
    if project is None or not source.file:
        return {}
    ways: Ways = project.once(f"dictionaries for DAGs {sorted(names)}", lambda: _ways(project, names))
    return ways.get(source.file, {})


def place_of(source: Source, node: ast.expr) -> tuple[str, str] | None:
    """Give the file and the name there of what an expression imports from the project."""
    return _place(source, source.file, node, source.project) if source.project else None


def unmended(source: Source, node: ast.expr, names: frozenset[str]) -> list[str]:
    """Give the keys of a dictionary of another file that stays as it is there: it is doubtful, or is written as `dict(…)`."""
    project, place = source.project, place_of(source, node)
    other = project.source(place[0]) if project and place else None
    if project is None or place is None or other is None:
        return []
    ways: Ways = project.once(f"dictionaries for DAGs {sorted(names)}", lambda: _ways(project, names))
    values = [
        item.value
        for item in other.tree.body
        if isinstance(item, ast.Assign) and any(getattr(target, "id", "") == place[1] for target in item.targets)
    ]
    is_mended = len(ways.get(place[0], {}).get(place[1], set()) - {"else"}) == 1
    is_mended = is_mended and "else" not in ways[place[0]][place[1]]
    found: list[str] = []
    for value in values:
        if isinstance(value, ast.Dict) and not is_mended:
            found += [str(getattr(key, "value", "")) for key in value.keys]
        elif isinstance(value, ast.Call) and getattr(value.func, "id", "") == "dict":
            found += [str(item.arg) for item in value.keywords]
    return found


def _ways(project: Project, names: frozenset[str]) -> Ways:
    found: Ways = {}
    users = [
        file for file in project.mentioning(b"airflow") if b"DAG" in project.text(file) or b"dag" in project.text(file)
    ]
    for file in users:
        source = project.source(file)
        for node, way in _given(source, names) if source else ():
            if place := _place(source, file, node, project):  # type: ignore[arg-type]
                found.setdefault(place[0], {}).setdefault(place[1], set()).add(way)
    wanted = {name for known in found.values() for name in known}
    for file in sorted({file for name in wanted for file in project.mentioning(name.encode())}):
        source = project.source(file)
        if source is None:
            continue
        given = {node for node, _ in _given(source, names)}
        nodes: list[ast.Name | ast.Attribute] = [*source.each(ast.Name), *source.each(ast.Attribute)]
        for node in nodes:
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in found.get(file, {}) and _is_looked_into(source, node) and node not in given:
                found[file][name].add("else")
            if name not in wanted or node in given:
                continue
            place = _place(source, file, node, project)
            if place and place[1] in found.get(place[0], {}):
                found[place[0]][place[1]].add("else")
    return found


def _is_looked_into(source: Source, node: ast.Name | ast.Attribute) -> bool:
    """Tell whether a file does more with a dictionary of its own than to make it and to put it into another one as `default_args`."""
    if isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return False
    parent = source.parents[node]
    pairs = zip(parent.keys, parent.values, strict=True) if isinstance(parent, ast.Dict) else ()
    return not any(getattr(key, "value", "") == "default_args" and value is node for key, value in pairs)


def _given(source: Source, names: frozenset[str]) -> Iterator[tuple[ast.expr, str]]:
    for call in source.each(ast.Call):
        if source.means(call.func, names):
            for item in call.keywords:
                if item.arg in (None, "default_args") and isinstance(item.value, ast.Name | ast.Attribute):
                    yield item.value, item.arg or "**"


def _place(source: Source, file: str, node: ast.expr, project: Project | None) -> tuple[str, str] | None:
    if project is None:
        return None
    if isinstance(node, ast.Name):
        return imported_as(source, file, node.id, project)
    if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
        return None
    for origin in source.meanings(node):  # `from shop import settings`, `import settings`
        if place := project.place_of(origin):
            return place
    return None
