"""Tells Airflow by the times of files what a switch changed: it parses a file at once when its time is newer than its last parse.

Only what changed is marked, so that one changed DAG among hundreds does not wait for all of them. Used by `releases.switch`.
"""

from __future__ import annotations

import filecmp
import os
import time
from pathlib import Path

_AHEAD_S = 1.0
"""A parse of the old text may be under way and end after the switch; its end must not look newer than the new text."""
_PARSED = {".py", ".zip"}


def mark_changed(before: Path | None, after: Path) -> None:
    """Give the files of release `after` new times where they differ from release `before`, else the times they had there.

    All are new when something changed that DAG files may import or read. None before: all are new.
    """
    now, old = time.time() + _AHEAD_S, before / "dags" if before is not None else None
    names = _files(after / "dags")
    gone = (_files(old) - names) if old is not None else set()
    changed = {name for name in names if old is None or not _is_same(old / name, after / "dags" / name)}
    is_shared = any(not _is_dag_file(after / "dags" / name) for name in changed) or any(_is_read(name) for name in gone)
    for name in names:
        path = after / "dags" / name
        if path.suffix not in _PARSED:
            continue
        if old is None or is_shared or name in changed:
            os.utime(path, (now, now))
        else:
            seen = (old / name).stat()
            os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    os.utime(after)


def _files(folder: Path) -> set[Path]:
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }


def _is_same(one: Path, other: Path) -> bool:
    return one.is_file() and filecmp.cmp(one, other, shallow=False)


def _is_read(name: Path) -> bool:
    return name.suffix not in {".md", ".rst"}


def _is_dag_file(path: Path) -> bool:
    """Tell whether nobody but Airflow reads the file: it holds DAGs (as Airflow itself guesses), or only documents."""
    if path.suffix in {".md", ".rst", ".zip"}:
        return True
    if path.suffix != ".py":
        return False
    text = path.read_bytes().lower()
    return b"dag" in text and b"airflow" in text
