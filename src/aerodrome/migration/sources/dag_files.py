"""Finds the file of a DAG in the folder that we have, and what its code mentions. For sources that have no database."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from aerodrome.migration.sources.mentions import Mentions, mentions


class DagFiles:
    """The DAGs folder; each file is read once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mentions: dict[str, Mentions] = {}

    def relative(self, fileloc: str, relative: str | None = None) -> str:
        """Give the path within the DAGs folder, whatever that folder's name is on the source's machine."""
        if relative:
            return relative
        parts = PurePosixPath(fileloc).parts
        for start in range(1, len(parts)):
            if (self._folder / Path(*parts[start:])).is_file():
                return PurePosixPath(*parts[start:]).as_posix()
        return fileloc

    def mentioned(self, file: str) -> Mentions:
        """Give the connections and variables that a file names; none where it cannot be read."""
        if file not in self._mentions:
            path = self._folder / file
            is_readable = path.suffix == ".py" and path.is_file()
            self._mentions[file] = (
                mentions(path.read_text(encoding="utf-8", errors="replace")) if is_readable else Mentions()
            )
        return self._mentions[file]
