"""Reads the code of a source once: each file's text and syntax tree serve code facts, endpoints and mentions.

Shared by every source that has the code as folders. Reads files, never runs them; no text of the code is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from sys import intern
from typing import Protocol

from aerodrome.airflowkit import code, lint
from aerodrome.migration.estate.records import CodeFactRecord, EndpointRecord
from aerodrome.migration.sources.endpoints import endpoints
from aerodrome.migration.sources.mentions import Mentions, mentions_in

IGNORED_FOLDERS = {"__pycache__", ".git", ".venv", "node_modules", ".ipynb_checkpoints", ".mypy_cache", ".ruff_cache"}


_Fact = tuple[str, int, str, str, str, bool]  # file, line, rule, message, hint, whether ruff fixes it


class Folders(Protocol):
    """Where the code is."""

    @property
    def dags_folder(self) -> Path: ...
    @property
    def plugins_folder(self) -> Path | None: ...
    @property
    def include_folder(self) -> Path | None: ...


@dataclass(frozen=True)
class CodeReading:
    """What was read. `mentions`: per file of the DAGs folder."""

    mentions: dict[str, Mentions]
    _facts: Mapping[str, Sequence[_Fact]]  # by part; equal texts are one object
    _endpoints: tuple[EndpointRecord, ...]

    @classmethod
    def of(cls, folders: Folders) -> CodeReading:
        """Read every Python file of the folders; one that does not parse is ruff's `syntax`."""
        named: dict[str, Mentions] = {}
        facts: dict[str, list[_Fact]] = {}
        places: list[EndpointRecord] = []
        parts = (
            ("dags", folders.dags_folder),
            ("plugins", folders.plugins_folder),
            ("include", folders.include_folder),
        )
        for part, folder in parts:
            if folder is None or not folder.is_dir():
                continue
            found: list[_Fact] = [
                (item.file, item.line, item.rule, item.message, item.hint, item.is_fixable)
                for item in lint.stream(folder)
            ]
            for path in walk(folder):
                if path.suffix != ".py":
                    continue
                name = path.relative_to(folder).as_posix()
                tree = code.parse(path.read_text(encoding="utf-8", errors="replace"))
                if tree is None:
                    continue
                nodes = code.nodes_of(tree)
                if part == "dags":
                    named[name] = mentions_in(nodes)
                found += [
                    (name, fact.line, fact.rule, intern(fact.message), intern(fact.hint), False)
                    for fact in code.facts_in(nodes)
                ]
                places += [
                    EndpointRecord(part, name, item.line, item.scheme, item.host, item.port)
                    for item in endpoints(nodes)
                ]
            found.sort()
            facts[part] = found
        return cls(named, facts, tuple(places))

    def facts(self) -> Iterator[CodeFactRecord]:
        """Give what ruff's Airflow rules and our reader find, by part, file and line."""
        for part, found in self._facts.items():
            before, number = ("", 0, ""), 0
            for file, line, rule, message, hint, is_fixable in found:
                number = number + 1 if before == (file, line, rule) else 1
                before = (file, line, rule)
                yield CodeFactRecord(part, file, line, rule, message, hint, is_fixable, number)

    def endpoints(self) -> Iterator[EndpointRecord]:
        """Give the hosts that the code names."""
        yield from self._endpoints


def walk(folder: Path) -> Iterator[Path]:
    """Give the files below a folder in a stable order; caches and links that leave the folder are left out."""
    root = folder.resolve()
    found: list[Path] = []
    for here, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in IGNORED_FOLDERS]
        found += [Path(here, name) for name in files if not name.endswith(".pyc")]
    for path in sorted(found):
        if path.is_file() and (not _is_linked(path, folder) or path.resolve().is_relative_to(root)):
            yield path


def _is_linked(path: Path, folder: Path) -> bool:
    """Tell whether a link lies between the folder and the file; `os.walk` follows no links to folders."""
    return path.is_symlink() or folder.is_symlink()
