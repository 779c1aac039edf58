"""Puts bundles' files into a deployment: its own copy per version, then one atomic switch for all of them.

Used by the runtime. The deployment keeps copies of its own so that a running task never loses its files to somebody who cleans
the bundle store, and never writes into it. `tidy` removes the ones that nothing needs any more.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from hashlib import sha256
from pathlib import Path

from aerodrome.runtimes.local.layout import Layout, point_link, read_json, write_json
from aerodrome.runtimes.local.marking import mark_changed

EMPTY = "empty"
PROJECT = "project"  # airflowkit.config.BUNDLE_NAME
_KEPT = 3  # the newest ones stay, whatever else is said
_KEPT_S = 24 * 3600.0  # a task may have resolved the project's link (Airflow 2) and still read below it
_NOT_LOADED = {"dags", "tests", "docs", "Dockerfile", "Makefile", "LICENSE", "aerodrome.yaml", "packages.txt"}


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


def switch(layout: Layout, version: str, bundles: Mapping[str, str] | None = None) -> None:
    """Make the version current, for the DAG bundle (Airflow 3) and for the project link (Airflow 2, plugins, include).

    `bundles`: the version of each further named DAG bundle, installed too. All of them change in the one replacement of the
    pointer file.
    """
    target = layout.releases / version
    named = dict(bundles or {})
    wanted = {"version": version, "releases": str(layout.releases), "bundles": named}
    current = read_json(layout.pointer) or {}
    if {"bundles": {}, **current} == wanted and layout.project.resolve() == target.resolve():
        return
    former = {PROJECT: current.get("version"), **current.get("bundles", {})}
    for bundle, name in {PROJECT: version, **named}.items():
        if former.get(bundle) != name:
            mark_changed(_there(layout, former.get(bundle)), layout.releases / name)
    point_link(layout.project, target)
    write_json(layout.pointer, wanted)


def tidy(layout: Layout, keep: AbstractSet[str]) -> tuple[str, ...]:
    """Remove releases that are neither current, nor in `keep`, nor among the newest, nor young; give their names."""
    current = read_json(layout.pointer) or {}
    keep = keep | {current.get("version", EMPTY), *current.get("bundles", {}).values(), EMPTY}
    try:
        found = sorted(
            ((path.stat().st_mtime, path) for path in layout.releases.iterdir() if not path.name.startswith(".")),
            reverse=True,
        )
    except FileNotFoundError:
        return ()
    oldest = time.time() - _KEPT_S
    gone = [path for used_at, path in found[_KEPT:] if used_at < oldest and path.name not in keep]
    for path in gone:
        # the name goes first: a task run sees the whole release or none
        path.rename(away := path.with_name(f".gone-{path.name}-{os.urandom(4).hex()}"))
        shutil.rmtree(away, ignore_errors=True)
    return tuple(path.name for path in gone)


def _there(layout: Layout, name: str | None) -> Path | None:
    """Give the folder of a release, if it is kept."""
    return layout.releases / name if name and (layout.releases / name / "dags").is_dir() else None


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
    mode = 0o700 if os.access(source, os.X_OK) else 0o600
    with Path(source).open("rb") as read, Path(target).open("xb") as write:
        os.fchmod(write.fileno(), mode)
        left = os.fstat(read.fileno()).st_size
        try:
            # shares the blocks where the file system can (Btrfs, XFS); a later write to the copy stays its own
            while left > 0 and (done := os.copy_file_range(read.fileno(), write.fileno(), left)):
                left -= done
        except OSError:  # not between these file systems
            left = 1
        if left:
            read.seek(0)
            write.seek(0)
            shutil.copyfileobj(read, write)
