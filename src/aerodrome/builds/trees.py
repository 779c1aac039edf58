"""Reads a project folder: which files belong to a bundle, and the digest of each part.

Pure reading. Digests depend on paths, contents and the executable bit only: not on times, owners or the order of the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from aerodrome.kernel.digest import digest_of, digest_of_file
from aerodrome.kernel.errors import Invalid

PARTS = ("dags", "plugins", "include", "requirements", "other")
_SKIPPED_FOLDERS = {
    "__pycache__", ".git", ".hg", ".svn", ".venv", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".idea",
    ".vscode", "node_modules",
}  # fmt: skip
_SKIPPED_ENDINGS = (".pyc", ".pyo", ".swp", ".DS_Store")
# at the top of the project only: what local tools leave there, and files that hold secrets
_SKIPPED_AT_TOP = {
    "venv", "env", "logs", ".astro", ".env", "airflow_settings.yaml", "airflow.db", "airflow.db-wal", "airflow.db-shm",
    "airflow.cfg", "webserver_config.py", "simple_auth_manager_passwords.json.generated",
}  # fmt: skip
MAX_FILES = 20_000
MAX_BYTES = 512 * 1024 * 1024


@dataclass(frozen=True)
class TreeFile:
    """One file of a project: its path below the project with `/`, where it is now, its content's digest."""

    name: str
    source: Path
    digest: str
    is_executable: bool
    size_bytes: int

    @property
    def part(self) -> str:
        head, _, rest = self.name.partition("/")
        if rest and head in {"dags", "plugins", "include"}:
            return head
        return "requirements" if self.name == "requirements.txt" else "other"


def read_tree(folder: Path) -> tuple[TreeFile, ...]:
    """Give the files of a project folder in order of name.

    Invalid: no folder (project-missing), no dags/ in it (project-without-dags), a link that leaves the folder
    (project-link-outside), or too many or too big files (project-too-big).
    """
    if not folder.is_dir():
        raise Invalid(f"There is no folder {folder}.", code="project-missing", hint="Name the folder that holds dags/.")
    root = folder.resolve()
    if not (root / "dags").is_dir():
        raise Invalid(
            f"The folder {folder.name} has no dags/ folder in it.",
            code="project-without-dags",
            hint="Name the project folder: the one that contains dags/ (and perhaps plugins/, include/, requirements.txt).",
        )
    files: list[TreeFile] = []
    size = 0
    for path, name in _walk(root, root, "", frozenset({root})):
        size += path.stat().st_size
        if len(files) >= MAX_FILES or size > MAX_BYTES:
            raise Invalid(
                f"The project is too big: more than {MAX_FILES} files or {MAX_BYTES >> 20} MB.",
                code="project-too-big",
                hint="Keep data, archives and virtualenvs outside of the project folder.",
                details={"file": name},
            )
        is_executable = os.access(path, os.X_OK)
        files.append(TreeFile(name, path, digest_of_file(path), is_executable, path.stat().st_size))
    return tuple(sorted(files, key=lambda file: file.name))


def digest_parts(files: tuple[TreeFile, ...]) -> Mapping[str, str]:
    """Give the digest of each part; an absent part has the digest of an empty list."""
    rows: dict[str, list[list[object]]] = {part: [] for part in PARTS}
    for file in files:
        rows[file.part].append([file.name, file.digest, file.is_executable])
    return {part: digest_of(rows[part]) for part in PARTS}


def digest_tree(parts: Mapping[str, str]) -> str:
    """Give the digest of the whole bundle."""
    return digest_of(dict(parts))


def _walk(root: Path, folder: Path, prefix: str, seen: frozenset[Path]) -> Iterator[tuple[Path, str]]:
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = f"{prefix}{entry.name}"
        if name in _SKIPPED_AT_TOP:
            continue
        path = Path(entry.path)
        if entry.is_symlink():
            path = _follow(root, path, name)
        if path.is_dir():
            if entry.name not in _SKIPPED_FOLDERS and not (path / "pyvenv.cfg").exists():
                if path in seen:
                    raise _link_error(name, "points to a folder above itself")
                yield from _walk(root, path, f"{name}/", seen | {path.resolve()})
        elif path.is_file() and not entry.name.endswith(_SKIPPED_ENDINGS):
            yield path, name


def _follow(root: Path, path: Path, name: str) -> Path:
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise _link_error(name, "points to nothing") from None
    if not target.is_relative_to(root):
        raise _link_error(name, "leaves the project folder")
    return target


def _link_error(name: str, what: str) -> Invalid:
    return Invalid(
        f"The link {name} {what}.",
        code="project-link-outside",
        hint="Replace it by the files themselves, or remove it.",
        details={"file": name},
    )
