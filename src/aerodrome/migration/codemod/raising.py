"""Tells which tasks of an upgraded project fail when they run, because their class is gone and something stands in for it. Called by the proof.

The stand-ins are known by their docstring; classes that derive from one raise as well, wherever in the project they are.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from aerodrome.migration.codemod.gone import MARK, gone_classes
from aerodrome.migration.codemod.rules.gone_classes import origin_of
from aerodrome.migration.codemod.source import read
from aerodrome.parsing import DagDifference, ParseResult

REASON = "The class is gone, and what stands in for it raises: replace the task."
_HOOK = "The class of the hook is gone, and making one raises: replace what uses it."
_OWN = "The class that is gone set these callbacks itself."


@dataclass(frozen=True)
class _Class:
    file: str
    name: str
    bases: frozenset[str]
    is_stand_in: bool
    is_made_hook: bool


class Raising:
    """The stand-ins of a project folder, read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, set[str]] = {}
        self._hooks: dict[str, set[str]] = {}  # that a file makes itself
        texts = {path: path.read_bytes() for path in sorted(folder.rglob("*.py")) if path.is_file()}
        if any(MARK.encode() in text for text in texts.values()):
            self._find([item for path, text in texts.items() for item in _classes(path.as_posix(), text)])

    def _find(self, classes: list[_Class]) -> None:
        """Collect the names: a class is one by itself, or by a base of such a name."""
        failing = {item.name for item in classes if item.is_stand_in}
        count = 0
        while count < len(failing):
            count = len(failing)
            failing |= {item.name for item in classes if item.bases & failing}
        for item in classes:
            if item.is_made_hook:
                self._hooks.setdefault(item.file, set()).add(item.name)
            if item.name in failing:
                self._names.setdefault(item.file, set()).add(item.name)

    def differences(self, file: str, new: ParseResult) -> Iterator[DagDifference]:
        """Give one for each task of a DAG file (below the project, as a reading names it) that will fail, and for each hook whose users will."""
        if not self._names or not new.dags:
            return
        own = next((names for place in self._places(file) if (names := self._names.get(place))), set())
        shared = {name for place, names in self._names.items() if place not in self._places(file) for name in names}
        imported = self._imported(file)
        failing = own | (shared & imported)
        hooks = sorted(name for place in self._places(file) for name in self._hooks.get(place, ()))
        for dag in new.dags:
            for name in hooks:
                yield DagDifference(dag.dag_id, f"hooks.{name}.outcome", "works", "raises", "warning", _HOOK)
            for task_id, task in sorted(dict(dag.shape.get("tasks") or {}).items()):
                if dict(task).get("operator") in failing:
                    yield DagDifference(dag.dag_id, f"tasks.{task_id}.outcome", "runs", "raises", "warning", REASON)

    def explained(
        self, differences: Iterable[DagDifference], found: Iterable[DagDifference]
    ) -> Iterator[DagDifference]:
        """Give differences with the reason for callbacks that a class that is gone gave its own tasks: a stand-in hands on what the DAG gives."""
        failing = {(item.dag_id, item.path.removesuffix("outcome")) for item in found}
        for item in differences:
            is_own = (item.dag_id, item.path.removesuffix("callbacks")) in failing and not item.after
            yield replace(item, reason=_OWN) if is_own and not item.reason else item

    def _places(self, file: str) -> list[str]:
        return [
            (self._folder / name).as_posix() for name in (file, file.removeprefix("dags/"))
        ]  # a folder of DAGs alone

    def _imported(self, file: str) -> set[str]:
        """Give the names that a file imports; all that it could mean where it imports by a star."""
        for place in self._places(file):
            if Path(place).is_file() and (source := read(Path(place).read_bytes())):
                names = {alias.name for node in source.each(ast.ImportFrom) for alias in node.names}
                modules = {node.attr for node in source.each(ast.Attribute)}
                return names | modules
        return set()


def _classes(file: str, text: bytes) -> Iterator[_Class]:
    if b"class " not in text or (source := read(text)) is None:
        return
    made = {node.func.id for node in source.each(ast.Call) if isinstance(node.func, ast.Name)}
    for node in source.each(ast.ClassDef):
        origin = origin_of(node)
        is_hook = origin in gone_classes() and gone_classes()[str(origin)].kind == "hook"
        bases = frozenset(ast.unparse(base).rpartition(".")[2] for base in node.bases)
        yield _Class(file, node.name, bases, origin is not None, is_hook and node.name in made)
