"""Reads a project folder: which files belong to a bundle, and the digest of each part.

Pure reading. Digests depend on paths, contents and the executable bit only: not on times, owners or the order of the disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from aerodrome.builds.project import FILE, SYSTEM_PACKAGES, env_files, is_env_file
from aerodrome.kernel.digest import digest_of, digest_of_file
from aerodrome.kernel.errors import Invalid

PARTS = ("dags", "plugins", "include", "requirements", "other")  # and "settings", where there are any
_SKIPPED_FOLDERS = {
    "__pycache__", ".git", ".hg", ".svn", ".venv", ".tox", ".nox", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".idea",
    ".vscode", "node_modules",
}  # fmt: skip
_SKIPPED_ENDINGS = (".pyc", ".pyo", ".swp", ".DS_Store")
# at the top of the project only: what local tools leave there, and files that hold secrets
_SKIPPED_AT_TOP = {
    "venv", "env", "logs", ".astro", "airflow_settings.yaml", "airflow.db", "airflow.db-wal", "airflow.db-shm",
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
        return part_of(self.name)


def part_of(name: str) -> str:
    """Give the part to which a file of a project belongs."""
    head, _, rest = name.partition("/")
    if rest:
        return head if head in {"dags", "plugins", "include"} else "other"
    if name in {FILE, SYSTEM_PACKAGES} or is_env_file(name):
        return "settings"
    return "requirements" if name == "requirements.txt" else "other"


def read_tree(folder: Path, only: AbstractSet[str] | None = None) -> tuple[TreeFile, ...]:
    """Give the files of a project folder in order of name; `only` those of some parts, then dags/ may be missing.

    Files like `.env` belong to it only when the project file lists them. Invalid: no folder (project-missing), no dags/ in it (project-without-dags), a link that leaves the folder
    (project-link-outside), or too many or too big files (project-too-big).
    """
    if not folder.is_dir():
        raise Invalid(f"There is no folder {folder}.", code="project-missing", hint="Name the folder that holds dags/.")
    root = folder.resolve()
    if not (root / "dags").is_dir() and (only is None or "dags" in only):
        raise Invalid(
            f"The folder {folder.name} has no dags/ folder in it.",
            code="project-without-dags",
            hint="Name the project folder: the one that contains dags/ (and perhaps plugins/, include/, requirements.txt).",
        )
    files: list[TreeFile] = []
    listed = _listed(root)
    size = 0
    for path, name in _walk(root, root, "", frozenset({root})):
        if only is not None and part_of(name) not in only:
            continue
        if _is_private(name) and name not in listed:
            continue
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


def left_out(folder: Path) -> tuple[str, ...]:
    """Give the names of files like `.env` that stay out of the bundle, because the project file does not list them."""
    root = folder.resolve()
    names = (name for _, name in _walk(root, root, "", frozenset({root})) if _is_private(name))
    listed = _listed(root)
    return tuple(name for name in names if name not in listed)


def digest_parts(files: tuple[TreeFile, ...]) -> Mapping[str, str]:
    """Give the digest of each part; an absent part has the digest of an empty list, absent settings have none."""
    rows: dict[str, list[list[object]]] = {part: [] for part in PARTS}
    for file in files:
        rows.setdefault(file.part, []).append([file.name, file.digest, file.is_executable])
    return {part: digest_of(content) for part, content in rows.items()}


def _is_private(name: str) -> bool:
    """Tell whether a file may hold secrets: it belongs to the project only when the project file lists it."""
    base = name.rpartition("/")[2]
    if base.startswith(".env.") and base.rpartition(".")[2] in {"example", "sample", "template", "dist"}:
        return False
    return base == ".env" or base.startswith(".env.") or (base == name and name.endswith(".env"))


def _listed(root: Path) -> frozenset[str]:
    try:
        return env_files((root / FILE).read_text(encoding="utf-8-sig"))
    except (FileNotFoundError, UnicodeDecodeError, IsADirectoryError):
        return frozenset()


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
