"""Remembers what a file gave, by the content of all that it read; called by `parser` only.

A file is read again when anything in the virtualenv or environment differs (then the interpreter has another name), when any file
of the project was added, removed or renamed, when a project file that it read has another content, when it is a day old, or when
its reading touched anything that is not known here: the network, a database, a variable, a connection, a process, a file elsewhere.
A failure is never remembered.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import astuple
from pathlib import Path
from typing import Any

from aerodrome.kernel.digest import digest_of, digest_of_file
from aerodrome.parsing.contract import ParsedDag
from aerodrome.parsing.warm import Interpreter

_OLDEST_S = 24 * 3600.0
_KEPT = 40  # settings; older files of the folder go


def recall(interpreter: Interpreter, project: Path) -> dict[str, dict[str, Any]]:
    """Give what is still true of the project's files: file -> its DAGs."""
    try:
        content = json.loads(_path(interpreter).read_text())
    except (FileNotFoundError, ValueError):
        return {}
    if content.get("names") != _names(project):
        return {}
    digests: dict[str, str | None] = {}

    def is_same(file: str, digest: str) -> bool:
        if file not in digests:
            path = project / file
            digests[file] = digest_of_file(path) if path.is_file() else None
        return digests[file] == digest

    now = time.time()
    return {
        file: item
        for file, item in content["files"].items()
        if now - item["at"] < _OLDEST_S and all(is_same(*read) for read in item["reads"].items())
    }


def remember(
    interpreter: Interpreter, project: Path, read: Mapping[str, Mapping[str, Any]], dags: Iterable[ParsedDag]
) -> None:
    """Keep what may be kept, in one file per setting that is replaced as a whole."""
    given: dict[str, list[dict[str, Any]]] = {}
    for dag in dags:
        given.setdefault(dag.file, []).append(
            {
                "dag_id": dag.dag_id,
                "serialized": dag.serialized,
                "digest": dag.digest,
                "shape": dag.shape,
                "uses": [astuple(use) for use in dag.uses],
            }
        )
    digests: dict[str, str] = {}
    files: dict[str, Any] = {}
    for file, item in read.items():
        if isinstance(item.get("reads"), dict):  # recalled a moment ago
            files[file] = item
        elif item.get("is_safe") and not item.get("errors") and "crash" not in item:
            names = sorted({file, *item["reads"]})
            for name in names:
                if name not in digests and (project / name).is_file():
                    digests[name] = digest_of_file(project / name)
            reads = {name: digests[name] for name in names if name in digests}
            files[file] = {"at": time.time(), "reads": reads, "dags": given.get(file, [])}
    path = _path(interpreter)
    path.parent.mkdir(exist_ok=True, mode=0o700)
    handle, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)
    with os.fdopen(handle, "w") as stream:
        json.dump({"names": _names(project), "files": files}, stream)
    Path(draft).replace(path)
    _forget(path.parent)


def _path(interpreter: Interpreter) -> Path:
    return interpreter.home / "remembered" / f"{interpreter.name}.json"


def _names(project: Path) -> str:
    """Give a digest of which files the project has: a new one may be found by an import or a listing."""
    names = [
        os.path.relpath(str(Path(folder) / file), project)
        for folder, _, files in os.walk(project)
        for file in files
        if not folder.endswith("__pycache__")
    ]
    return digest_of(sorted(names))


def _forget(folder: Path) -> None:
    paths = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in paths[_KEPT:]:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
