"""Who uses a function of a file elsewhere in the project: other files that import it and give it to tasks. Pure.

Where it cannot be seen who does, nobody may change what the function is given.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import PurePosixPath

from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.source import Source, module_of


def elsewhere(source: Source, name: str) -> tuple[ast.Call, ...] | None:
    """Give the calls of other files that take a function of this one as `python_callable`; None when it may be used otherwise there, too."""
    project, file = source.project, source.file
    if project is None or not any(isinstance(item, ast.FunctionDef) and item.name == name for item in source.tree.body):
        return ()
    found: tuple[ast.Call, ...] | None = project.once(f"callers {file} {name}", lambda: _find(project, file, name))
    return found


def is_imported(project: Project, file: str) -> bool:
    """Tell whether files that name Airflow import a file, straight or by others: what it holds may be theirs."""
    found: frozenset[str] = project.once("imported", lambda: _imported(project))
    return file in found


def _find(project: Project, file: str, name: str) -> tuple[ast.Call, ...] | None:
    found: list[ast.Call] = []
    stem = _stem(file)
    named = {*project.mentioning(name.encode()), *project.mentioning(b"import *")}
    for other in sorted(named & set(project.mentioning(stem.encode()))):
        if other == file:
            continue
        if (source := project.source(other)) is None:
            return None
        names, is_known = _names_of(source, other, file, name, project)
        if not is_known:
            return None
        for node in source.each(ast.Name, ast.Attribute):
            is_meant = (isinstance(node, ast.Name) and node.id in names) or any(
                project.place_of(origin) == (file, name) for origin in source.meanings(node)
            )
            if not is_meant or not isinstance(getattr(node, "ctx", None), ast.Load):
                continue
            parent = source.parents[node]
            call = source.parents.get(parent)
            if not isinstance(parent, ast.keyword) or parent.arg != "python_callable" or not isinstance(call, ast.Call):
                return None
            found.append(call)
    return tuple(found)


def imported_as(source: Source, file: str, name: str, project: Project) -> tuple[str, str] | None:
    """Give the file of the project and the name there that a name at the top of a file was imported from."""
    for node in source.each(ast.ImportFrom):
        for alias in node.names if isinstance(source.parents[node], ast.Module) else ():
            if (alias.asname or alias.name) == name:
                return project.place_of(f"{module_of(node, file)}.{alias.name}")
    return None


def _names_of(source: Source, other: str, file: str, name: str, project: Project) -> tuple[set[str], bool]:
    """Give the names that another file has for a function by its imports, and whether all of these can be seen."""
    names: set[str] = set()
    for node in source.each(ast.ImportFrom):
        module = module_of(node, other)
        places = {project.place_of(f"{module}.{alias.name}") for alias in node.names}
        for alias in node.names:
            place = project.place_of(f"{module}.{alias.name}")
            if alias.name == "*" and any(there and there[0] == file for there in places):
                return names, False
            if alias.name != name:
                continue
            if place == (file, name):
                if other.endswith("__init__.py"):
                    return names, False  # who imports it from there is not looked for
                names.add(alias.asname or alias.name)
            elif place is None and module.rpartition(".")[2] == _stem(file):
                return names, False
    for plain in source.each(ast.Import):
        for alias in plain.names:
            is_there = project.place_of(f"{alias.name}.{name}") == (file, name)
            if not is_there and alias.name.rpartition(".")[2] == _stem(file):
                return names, False
    return names, True


def _stem(file: str) -> str:
    path = PurePosixPath(file)
    return path.parent.name if path.name == "__init__.py" else path.stem


def _imported(project: Project) -> frozenset[str]:
    waiting = list(project.mentioning(b"airflow"))
    found: set[str] = set()
    while waiting:
        file = waiting.pop()
        source = project.source(file)
        for other in _imports(source, file, project) if source else ():
            if other not in found:
                found.add(other)
                waiting.append(other)
    return frozenset(found)


def _imports(source: Source, file: str, project: Project) -> Iterator[str]:
    for node in source.each(ast.ImportFrom):
        module = module_of(node, file)
        for alias in node.names:
            for origin in (f"{module}.{alias.name}", f"{module}.{alias.name}.x"):
                if place := project.place_of(origin):
                    yield place[0]
    for plain in source.each(ast.Import):
        for alias in plain.names:
            if place := project.place_of(f"{alias.name}.x"):
                yield place[0]
