"""Folders as people have them, with links: what is in them, and copies. Links to elsewhere are followed, links inside name what is there already."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aerodrome.kernel.errors import Invalid

Skip = Callable[[str], bool]
"""Asked for the bare name of every file and folder."""


@dataclass(frozen=True)
class Entry:
    """Something below a folder. A `link` leads to an entry that is given as well; `real` is what it leads to."""

    path: str  # below the folder, with /
    kind: Literal["file", "folder", "link"]
    real: Path


@dataclass(frozen=True)
class LeftOut:
    """A name in the folder that leads to nothing: a link to nowhere or in a circle, or what is no file."""

    path: str  # below the folder, with /
    reason: str


def walk_tree(source: Path, is_skipped: Skip = lambda _name: False) -> Iterator[Entry | LeftOut]:
    """Give what is below a folder by name, folders before what is in them; each file once. O(entries).

    Invalid names a folder that cannot be read.
    """
    root = source.resolve()
    yield from _Walk(root, is_skipped).below(source, "", (root,))


def copy_tree(source: Path, into: Path, is_skipped: Skip = lambda _name: False) -> list[LeftOut]:
    """Copy a folder into one that is new or empty; give what has no copy. Links to elsewhere become what they lead to.

    Invalid names a file that cannot be read; nothing is taken back then. Reads each file once.
    """
    root = source.resolve()
    left: list[LeftOut] = []
    into.mkdir(parents=True, exist_ok=True)
    for entry in walk_tree(source, is_skipped):
        target = into / entry.path
        if isinstance(entry, LeftOut):
            left.append(entry)
        elif entry.kind == "folder":
            target.mkdir()
        elif entry.kind == "link":
            target.symlink_to(os.path.relpath(into / entry.real.relative_to(root), target.parent))
        else:
            try:
                shutil.copy2(entry.real, target)
            except PermissionError as error:
                raise _unreadable(error) from error
    return left


class _Walk:
    def __init__(self, root: Path, is_skipped: Skip) -> None:
        self.root, self.is_skipped = root, is_skipped

    def below(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> Iterator[Entry | LeftOut]:
        """Walk a folder; `above` are the real folders on the way to it, and itself."""
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if not self.is_skipped(entry.name))
        except PermissionError as error:
            raise _unreadable(error) from error
        for name in names:
            entry = self._entry(folder / name, f"{prefix}{name}", above)
            yield entry
            if isinstance(entry, Entry) and entry.kind == "folder":
                yield from self.below(folder / name, f"{entry.path}/", (*above, entry.real))

    def _entry(self, path: Path, name: str, above: tuple[Path, ...]) -> Entry | LeftOut:
        try:
            real = path.resolve(strict=True) if path.is_symlink() else above[-1] / path.name
        except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
            return LeftOut(name, "it is a link to nowhere")
        if real in above or self.root.is_relative_to(real):
            return LeftOut(name, "it is a link to a folder above itself")
        if path.is_symlink() and self._is_given(real):
            return Entry(name, "link", real)
        if real.is_dir():
            return Entry(name, "folder", real)
        return Entry(name, "file", real) if real.is_file() else LeftOut(name, "it is neither a file nor a folder")

    def _is_given(self, real: Path) -> bool:
        return real.is_relative_to(self.root) and not any(map(self.is_skipped, real.relative_to(self.root).parts))


def _unreadable(error: PermissionError) -> Invalid:
    return Invalid(
        f"{error.filename} cannot be read.",
        code="file-unreadable",
        hint="Give the right to read it, or run as a user who has it.",
        details={"file": str(error.filename)},
    )
