"""Unpacks uploaded tar.gz archives, and places uploaded files, without trusting them.

Refused: absolute names, names with `..`, links, devices, and more content than the limits allow (a small archive may hold
terabytes). Nothing is written outside of the target folder, owners and special modes are ignored.
"""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from aerodrome.builds.trees import MAX_BYTES, MAX_FILES
from aerodrome.kernel.errors import Invalid


def unpack(stream: BinaryIO, target: Path) -> Path:
    """Unpack a tar.gz into an empty folder and give the project folder in it.

    An archive whose single top folder holds dags/ is entered. Invalid: archive-unreadable, archive-unsafe, project-too-big.
    """
    count = size = 0
    try:
        with tarfile.open(fileobj=stream, mode="r|gz") as archive:
            for member in archive:
                name = _safe_name(member.name)
                if not (member.isreg() or member.isdir()):
                    raise _unsafe(member.name, "is neither a file nor a folder")
                count += 1
                size += max(member.size, 0)
                if count > MAX_FILES or size > MAX_BYTES:
                    raise _too_big("archive")
                _write(archive, member, target / name)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Invalid(
            "The upload is not a readable tar.gz archive.",
            code="archive-unreadable",
            hint="Make it with `tar czf project.tar.gz -C <project folder> .` and send it again.",
        ) from error
    return _project_folder(target)


def place(files: Iterable[tuple[str, BinaryIO]], target: Path) -> Path:
    """Write the files of a folder that a browser sent (`folder/dags/a.py`) into an empty folder; give it.

    The first part of each name, the folder that was chosen, is left away. Invalid: archive-unsafe, project-too-big.
    """
    size = 0
    for count, (sent, content) in enumerate(files, start=1):
        parts = _safe_name(sent).parts[1:]
        if not parts:
            raise _unsafe(sent, "is in no folder")
        path = target.joinpath(*parts)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as output:
                shutil.copyfileobj(content, output, 1 << 20)
        except (FileExistsError, NotADirectoryError, IsADirectoryError):
            raise _unsafe(sent, "is there twice") from None
        size += path.stat().st_size
        if count > MAX_FILES or size > MAX_BYTES:
            raise _too_big("folder")
    return target


def _safe_name(text: str) -> PurePosixPath:
    name = PurePosixPath(text)
    if name.is_absolute() or ".." in name.parts or "\0" in text:
        raise _unsafe(text, "leaves the folder")
    return name


def _too_big(what: str) -> Invalid:
    return Invalid(
        f"The {what} holds more than {MAX_FILES} files or {MAX_BYTES >> 20} MB.",
        code="project-too-big",
        hint="Keep data, archives and virtualenvs outside of the project.",
    )


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    try:
        if member.isdir():
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        content = archive.extractfile(member)
        with path.open("xb") as output:
            if content is not None:
                shutil.copyfileobj(content, output, 1 << 20)
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise _unsafe(member.name, "is there twice") from None
    path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _unsafe(name: str, what: str) -> Invalid:
    return Invalid(
        f"The upload is refused: {name!r} {what}.",
        code="archive-unsafe",
        hint="Pack plain files and folders only, with names relative to the project folder.",
        details={"file": name},
    )


def _project_folder(target: Path) -> Path:
    entries = list(target.iterdir())
    if not (target / "dags").is_dir() and len(entries) == 1 and (entries[0] / "dags").is_dir():
        return entries[0]
    return target
