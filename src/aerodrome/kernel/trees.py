"""Copies of folders as people have them: links inside stay links, links to elsewhere become what they lead to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from aerodrome.kernel.errors import Invalid


@dataclass(frozen=True)
class LeftOut:
    """A name in the folder that the copy lacks."""

    path: str  # below the folder, with /
    reason: str


def copy_tree(source: Path, into: Path, is_skipped: Callable[[str], bool] = lambda _name: False) -> list[LeftOut]:
    """Copy a folder into one that is new or empty; give what was left out: links to nowhere or in a circle, and what is no file.

    `is_skipped` is asked for the bare name of every file and folder. A link to something that is copied as well stays a link, so that each
    file is there once. Invalid names a file that cannot be read; nothing is taken back then. O(files); reads each once.
    """
    copy = _Copy(source.resolve(), into, is_skipped)
    into.mkdir(parents=True, exist_ok=True)
    copy.folder(source, "", (copy.root,))
    return copy.left


class _Copy:
    def __init__(self, root: Path, into: Path, is_skipped: Callable[[str], bool]) -> None:
        self.root, self.into, self.is_skipped = root, into, is_skipped
        self.left: list[LeftOut] = []

    def folder(self, folder: Path, prefix: str, above: tuple[Path, ...]) -> None:
        """Copy what is in a folder; `above` are the real folders on the way to it, and itself."""
        try:
            names = sorted(entry.name for entry in os.scandir(folder) if not self.is_skipped(entry.name))
            for name in names:
                self._entry(folder / name, f"{prefix}{name}", above)
        except PermissionError as error:
            raise Invalid(
                f"{error.filename} cannot be read.",
                code="file-unreadable",
                hint="Give the right to read it, or run as a user who has it.",
                details={"file": str(error.filename)},
            ) from error

    def _entry(self, path: Path, name: str, above: tuple[Path, ...]) -> None:
        target = self.into / name
        try:
            real = path.resolve(strict=True) if path.is_symlink() else above[-1] / path.name
        except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
            self.left.append(LeftOut(name, "it is a link to nowhere"))
            return
        if real in above:
            self.left.append(LeftOut(name, "it is a link to a folder above itself"))
        elif path.is_symlink() and self._is_copied(real):
            target.symlink_to(os.path.relpath(self.into / real.relative_to(self.root), target.parent))
        elif real.is_dir():
            target.mkdir()
            self.folder(path, f"{name}/", (*above, real))
        elif real.is_file():
            shutil.copy2(real, target)
        else:
            self.left.append(LeftOut(name, "it is neither a file nor a folder"))

    def _is_copied(self, real: Path) -> bool:
        return real.is_relative_to(self.root) and not any(map(self.is_skipped, real.relative_to(self.root).parts))
