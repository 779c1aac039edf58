"""Reads the code of a source once: each file's text and syntax tree serve code facts, endpoints and mentions.

Shared by every source that has the code as folders. Reads files, never runs them; no text of the code is kept.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from sys import intern
from typing import Protocol

from aerodrome.airflowkit import code, lint
from aerodrome.kernel.trees import Entry, LeftOut, walk_tree
from aerodrome.migration.estate.records import CodeFactRecord, EndpointRecord
from aerodrome.migration.sources.endpoints import Endpoint, endpoints
from aerodrome.migration.sources.mentions import Mentions, mentions_in

PARALLEL_FROM = 2_000
"""From how many files on more than one process reads."""
_MOST_WORKERS = 4
_CHUNK = 250
_LEFT_OUT = "It is not read, and not moved"
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
            entries = list(walk_tree(folder, _is_skipped))
            files = [path.relative_to(folder).as_posix() for path in _files(folder, entries) if path.suffix == ".py"]
            linked, left = _linked(folder, entries)
            with _reading(folder, files) as pieces:
                found: list[_Fact] = [
                    (item.file, item.line, item.rule, item.message, item.hint, item.is_fixable)
                    for item in lint.stream(folder, also=linked)
                ]
                found += left
                for name, told, hosts, names in pieces:
                    found += [
                        (name, line, rule, intern(message), intern(hint), False) for line, rule, message, hint in told
                    ]
                    places += [
                        EndpointRecord(part, name, item.line, item.scheme, item.host, item.port) for item in hosts
                    ]
                    if part == "dags":
                        named[name] = names
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


_Piece = tuple[str, list[tuple[int, str, str, str]], list[Endpoint], Mentions]  # file, facts, hosts, names


@contextmanager
def _reading(folder: Path, files: Sequence[str]) -> Iterator[Iterator[_Piece]]:
    """Give what stands in each file, in order; many files are read by other processes, while ruff runs."""
    workers = min(_MOST_WORKERS, os.cpu_count() or 1)
    if len(files) < PARALLEL_FROM or workers < 2:
        yield (
            piece for start in range(0, len(files), _CHUNK) for piece in _read(folder, files[start : start + _CHUNK])
        )
        return
    # spawned, not forked: the caller may have threads
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        chunks = [pool.submit(_read, folder, files[start : start + _CHUNK]) for start in range(0, len(files), _CHUNK)]
        chunks.reverse()  # each is let go as soon as it was given
        yield (piece for _ in range(len(chunks)) for piece in chunks.pop().result())


def _read(folder: Path, files: Sequence[str]) -> list[_Piece]:
    """Read some files; one that does not parse gives nothing."""
    found: list[_Piece] = []
    for name in files:
        tree = code.parse((folder / name).read_text(encoding="utf-8", errors="replace"))
        if tree is not None:
            nodes = code.nodes_of(tree)
            told = [(fact.line, fact.rule, fact.message, fact.hint) for fact in code.facts_in(nodes)]
            found.append((name, told, list(endpoints(nodes)), mentions_in(nodes)))
    return found


def walk(folder: Path) -> Iterator[Path]:
    """Give the files below a folder in a stable order, through links as Airflow does; caches are left out."""
    yield from _files(folder, walk_tree(folder, _is_skipped))


def _files(folder: Path, entries: Iterable[Entry | LeftOut]) -> list[Path]:
    return sorted(
        folder / entry.path
        for entry in entries
        if isinstance(entry, Entry) and (entry.kind == "file" or (entry.kind == "link" and entry.real.is_file()))
    )


def _is_skipped(name: str) -> bool:
    return name in IGNORED_FOLDERS or name.endswith(".pyc")


def _linked(folder: Path, entries: Iterable[Entry | LeftOut]) -> tuple[list[Path], list[_Fact]]:
    """Give the folders elsewhere that links lead to, and a fact for each link that leads to nothing."""
    folders, facts = [], []
    for entry in entries:
        if isinstance(entry, LeftOut):
            facts.append((entry.path, 1, "left-out", f"{_LEFT_OUT}: {entry.reason}.", "", False))
        elif entry.kind == "folder" and (folder / entry.path).is_symlink():
            folders.append(folder / entry.path)
    return folders, facts
