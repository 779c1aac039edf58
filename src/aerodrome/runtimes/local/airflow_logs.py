"""Bounds Airflow's own log files below a deployment's home: logs of tasks, and of its components.

Task logs: `dag_id=…/run_id=…/task_id=…/[map_index=…/]attempt=N.log` (2.3 and newer, 3.x). A file counts as old by its last change,
and the folder of a run that is not finished is never touched. One walk over the tree, a few system calls per file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

_COMPONENTS = ("scheduler", "dag_processor", "dag_processor_manager", "triggerer", "audit")
COMPONENT_DAYS = 7
COMPONENT_BYTES = 32 << 20


@dataclass(frozen=True)
class Removed:
    """What was removed."""

    files: int
    size_bytes: int


def tidy(logs: Path, days: int, unfinished: Collection[tuple[str, str]], now_s: float | None = None) -> Removed:
    """Remove task logs older than `days` (0: none) and bound the components' own; `unfinished` are (DAG id, run id) to leave."""
    now = time.time() if now_s is None else now_s
    files = size = 0
    if days > 0:
        left_alone = frozenset(unfinished)
        for dag in _folders(logs, "dag_id="):
            for run in _folders(dag, "run_id="):
                if (dag.name.removeprefix("dag_id="), run.name.removeprefix("run_id=")) in left_alone:
                    continue
                count, freed = _remove_older(run, now - days * 86400)
                files, size = files + count, size + freed
            _remove_empty(dag)
    for name in _COMPONENTS:
        count, freed = _remove_older(logs / name, now - COMPONENT_DAYS * 86400)
        files, size = files + count, size + freed
        size += _shorten(logs / name)
    return Removed(files, size)


def _folders(folder: Path, prefix: str) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if entry.name.startswith(prefix) and entry.is_dir(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []


def _remove_older(folder: Path, oldest_s: float) -> tuple[int, int]:
    files = size = 0
    for place, _, names in os.walk(folder, topdown=False, followlinks=False):
        for name in names:
            path = Path(place) / name
            try:
                status = path.lstat()
                if status.st_mtime < oldest_s:
                    path.unlink()
                    files, size = files + 1, size + status.st_size
            except FileNotFoundError:
                continue
        _remove_empty(Path(place))
    return files, size


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # something is left in it, or it is gone


def _shorten(folder: Path) -> int:
    """Empty component logs that grew beyond the bound; their writers append, and go on at the beginning."""
    freed = 0
    for place, _, names in os.walk(folder, followlinks=False):
        for name in names:
            path = Path(place) / name
            try:
                size = path.lstat().st_size
                if size > COMPONENT_BYTES and not path.is_symlink():
                    os.truncate(path, 0)
                    freed += size
            except FileNotFoundError:
                continue
    return freed
