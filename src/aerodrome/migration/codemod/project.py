"""The Python files of a project as they were before the upgrade, for the rules that must see more than one file. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from aerodrome.migration.codemod.passed_on import PassedOn
from aerodrome.migration.codemod.source import Source, read

_ROOTS = ("", "dags/", "plugins/", "include/")
"""Folders that a deployment puts on Python's path; below the project."""


class Project:
    """Files by their path below the project ("dags/sales.py"); each is parsed when a rule first asks for it."""

    def __init__(self, files: Mapping[str, bytes], templates: Mapping[str, str] | None = None) -> None:
        self._files = files
        self.templates = templates or {}  # files that tasks may render, by their path
        self._sources: dict[str, Source | None] = {}
        self._known: dict[str, Any] = {}
        self._mentioning: dict[bytes, tuple[str, ...]] = {}
        self.passed_on = PassedOn(self)

    @property
    def files(self) -> Collection[str]:
        return self._files.keys()

    def has(self, file: str) -> bool:
        return file in self._files

    def text(self, file: str) -> bytes:
        return self._files[file]

    def source(self, file: str) -> Source | None:
        """Give a file; None when it is not there or is not Python 3."""
        if file not in self._sources:
            text = self._files.get(file)
            self._sources[file] = read(text) if text is not None else None
        return self._sources[file]

    def file_of(self, source: Source) -> str:
        """Give the path of a file that `source` gave."""
        return next(file for file, known in self._sources.items() if known is source)

    def mentioning(self, word: bytes) -> tuple[str, ...]:
        """Give the files with a word in them; looked for once."""
        if word not in self._mentioning:
            self._mentioning[word] = tuple(sorted(file for file, text in self._files.items() if word in text))
        return self._mentioning[word]

    def place_of(self, origin: str) -> tuple[str, str] | None:
        """Give the file and the name within it of what "package.module.name" imports; None when the project has no such file."""
        module, _, name = origin.rpartition(".")
        for root in _ROOTS:
            path = root + module.replace(".", "/")
            for file in (f"{path}.py", f"{path}/__init__.py"):
                if module and file in self._files:
                    return file, name
        return None

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """Give what `make` gives, made once for the project."""
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]
