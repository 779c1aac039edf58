"""Names of Airflow that files of a project take from each other: what they are, and who takes them. Pure.

A file of common imports that others take by `from … import *` passes on what it imports: rules see the users' names as what they are, and what
is taken stays under its old name where it is passed on. Looked at as the project was before the upgrade.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from aerodrome.migration.codemod.source import Source, module_of

if TYPE_CHECKING:
    from aerodrome.migration.codemod.project import Project

OURS = ("airflow", "datetime", "pendulum")
"""What is worth knowing: Airflow's own, and dates."""
_IMPORTS = re.compile(rb"^[ \t]*(?:from[ \t]+([\w.]+)[ \t]+import|import[ \t]+([\w.]+))", re.MULTILINE)


class PassedOn:
    """What the files of a project pass on; each is looked at when it is first asked for."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._exports: dict[str, dict[str, str]] = {}
        self._origins: dict[str, str | None] = {}
        self._takers: dict[str, dict[str, set[str]]] | None = None

    def exports(self, file: str) -> dict[str, str]:
        """Give the names at a file's top that are Airflow's, or of dates: name -> origin, also through further files."""
        if file not in self._exports:
            self._exports[file] = {}  # files that import each other
            source = self._project.source(file)
            self._exports[file] = dict(self._exported(source, file)) if source else {}
        return self._exports[file]

    def _exported(self, source: Source, file: str) -> Iterator[tuple[str, str]]:
        for node in source.each(ast.ImportFrom):
            if source.scope(node) is not source.top:
                continue
            known = {} if _is_ours(node) else dict(self.of_import(node, file))
            if _is_ours(node):
                known = {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            yield from ((name, origin) for name, origin in known.items() if _is_import(source, name))
        for plain in source.each(ast.Import):
            for alias in plain.names if source.scope(plain) is source.top else ():
                name = alias.asname or alias.name
                if alias.name.split(".")[0] in OURS and "." not in name and _is_import(source, name):
                    yield name, alias.name

    def of_import(self, node: ast.ImportFrom, file: str) -> Iterator[tuple[str, str]]:
        """Give what an import from a file of the project brings of Airflow: the name here, and its origin."""
        if _is_ours(node):
            return
        module = module_of(node, file)
        for alias in node.names:
            place = self._project.place_of(f"{module}.{alias.name}")
            if place is None or place[0] == file:
                continue
            exported = self.exports(place[0])
            if alias.name == "*":
                yield from ((name, origin) for name, origin in exported.items() if not name.startswith("_"))
            elif place[1] in exported:
                yield alias.asname or alias.name, exported[place[1]]

    def origin_of(self, dotted: str) -> str | None:
        """Give what "package.module.name" is, when a file of the project passes it on."""
        if dotted not in self._origins:
            place = None if dotted.split(".", maxsplit=1)[0] in OURS else self._project.place_of(dotted)
            self._origins[dotted] = self.exports(place[0]).get(place[1]) if place else None
        return self._origins[dotted]

    def brought(self, file: str) -> bytes:
        """Give the origins of what a file takes from others, one a line: rules look for their words there, too."""
        known = self._project.once(f"brought {file}", lambda: "\n".join(sorted(self._brought(file))).encode())
        return bytes(known)

    def _brought(self, file: str) -> set[str]:
        if not _is_taking(self._project, file) or (source := self._project.source(file)) is None:
            return set()
        found = {origin for node in source.each(ast.ImportFrom) for _, origin in self.of_import(node, file)}
        dotted = {meaning for node in source.each(ast.Attribute) for meaning in source.meanings(node)}
        return found | {origin for name in dotted if (origin := self.origin_of(name))}

    def takers(self, file: str) -> dict[str, set[str]]:
        """Give the names that other files take from a file, and which files take them."""
        if self._takers is None:
            self._takers = _takers(self._project)
        return self._takers.get(file, {})


def _is_ours(node: ast.ImportFrom) -> bool:
    return not node.level and (node.module or "").split(".")[0] in OURS


def _is_import(source: Source, name: str) -> bool:
    """Tell whether a name at a file's top is an import and nothing else; a star's is not bound at all."""
    return not source.top.rebound.get(name)  # 0: by an import with dots


def _is_taking(project: Project, file: str) -> bool:
    """Tell whether a file seems to import others of the project."""
    for match in _IMPORTS.finditer(project.text(file)):
        module = (match[1] or match[2]).decode()
        if module.startswith(".") or project.place_of(f"{module}.x") or project.place_of(f"{module}.x.x"):
            return True
    return b"import" in project.text(file) and b"from ." in project.text(file)


def _takers(project: Project) -> dict[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = {}
    stars: list[tuple[str, str, set[str]]] = []
    for file in project.files:
        source = project.source(file) if _is_taking(project, file) else None
        if source is None:
            continue
        used = {node.id for node in source.each(ast.Name)} | set(exported(source.tree))
        for name, other in _taken(source, file, project):
            if name == "*":
                stars.append((file, other, used))
            else:
                found.setdefault(other, {}).setdefault(name, set()).add(file)
    count = -1
    while count != (count := sum(len(files) for names in found.values() for files in names.values())):
        for file, other, used in stars:
            for name in used | set(found.get(file, ())):  # what is taken of it by a star, it may pass on
                found.setdefault(other, {}).setdefault(name, set()).add(file)
    return found


def _taken(source: Source, file: str, project: Project) -> Iterator[tuple[str, str]]:
    """Give the names that a file takes, and from where; "*" is all of them."""
    modules: dict[str, str] = {}
    for node in source.each(ast.ImportFrom):
        module = module_of(node, file)
        for alias in node.names:
            origin = f"{module}.{alias.name}"
            if (inner := project.place_of(f"{origin}.x")) and inner[0] != file:
                modules[alias.asname or alias.name] = inner[0]
            if (place := project.place_of(origin)) and place[0] != file:
                yield place[1], place[0]
    for attribute in source.each(ast.Attribute):
        if isinstance(attribute.value, ast.Name) and attribute.value.id in modules:
            yield attribute.attr, modules[attribute.value.id]
        for meaning in source.meanings(attribute):
            if (place := project.place_of(meaning)) and place[0] != file:
                yield place[1], place[0]


def exported(tree: ast.Module) -> set[str]:
    """Give the names of `__all__`."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            found |= {
                item.value
                for item in ast.walk(node.value)
                if isinstance(item, ast.Constant) and isinstance(item.value, str)
            }
    return found
