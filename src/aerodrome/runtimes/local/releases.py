"""Puts a bundle's files into a deployment: its own copy per version, then an atomic switch.

Used by the runtime. The deployment keeps copies of its own so that a running task never loses its files to somebody who cleans
the bundle store; old ones go when there are many.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path

from aerodrome.runtimes.local.layout import Layout, point_link, read_json, write_json

EMPTY = "empty"
_KEPT = 30
_NOT_LOADED = {"dags", "tests", "docs", "Dockerfile", "Makefile", "LICENSE"}


def install(layout: Layout, project: Path | None, digest: str | None) -> str:
    """Copy the files of a version when they are not here yet; give the version's name. Does not switch to it."""
    version = digest or EMPTY
    target = layout.releases / version
    layout.releases.mkdir(exist_ok=True, mode=0o700)
    if target.is_dir():
        return version
    draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=layout.releases))
    try:
        if project is not None:
            shutil.copytree(project, draft, dirs_exist_ok=True, copy_function=_copy_file)
        for part in ("dags", "plugins", "include"):
            (draft / part).mkdir(exist_ok=True)
        draft.chmod(0o700)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return version


def switch(layout: Layout, version: str) -> None:
    """Make the version current, for the DAG bundle (Airflow 3) and for the project link (Airflow 2, plugins, include)."""
    target = layout.releases / version
    current = read_json(layout.pointer) or {}
    if current.get("version") == version and layout.project.resolve() == target.resolve():
        return
    # Airflow parses a file again at once only when its time is newer than its last parse
    for path in (target / "dags").rglob("*"):
        if path.suffix in {".py", ".zip"}:
            os.utime(path)
    os.utime(target)
    point_link(layout.project, target)
    write_json(layout.pointer, {"version": version, "releases": str(layout.releases)})
    _forget_old(layout, version)


def fixed_digest(project: Path | None) -> str:
    """Give a digest of all that running processes may have loaded: when it changes, they must start anew.

    That is everything outside of dags/, except what nobody imports: documents, tests and hidden files.
    """
    hasher = sha256()
    if project is None:
        return hasher.hexdigest()
    for path in sorted(project.rglob("*")):
        name = path.relative_to(project)
        is_loaded = name.parts[0] not in _NOT_LOADED and not name.parts[0].startswith(".")
        if is_loaded and path.is_file() and path.suffix not in {".md", ".rst", ".pyc"}:
            hasher.update(f"{name.as_posix()}\0{path.stat().st_size}\0".encode())
            hasher.update(path.read_bytes())
    return hasher.hexdigest()


def _copy_file(source: str, target: str) -> None:
    shutil.copyfile(source, target)
    Path(target).chmod(0o700 if os.access(source, os.X_OK) else 0o600)


def _forget_old(layout: Layout, current: str) -> None:
    kept = sorted(
        (path for path in layout.releases.iterdir() if not path.name.startswith(".")),
        key=lambda path: path.stat().st_mtime,
        reverse=True,
    )
    for path in kept[_KEPT:]:
        if path.name != current:
            shutil.rmtree(path, ignore_errors=True)
