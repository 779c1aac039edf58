"""Packs a project folder as a tar.gz stream, block by block: nothing is written to disk, memory stays small."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path

from aerodrome.builds.project import read_settings
from aerodrome.builds.trees import TreeFile, read_tree
from aerodrome.kernel.errors import Conflict

MEDIA_TYPE = "application/gzip"
_BLOCK = 1 << 20
_RECORD = 512
_GZIP = 31  # zlib's window bits for a gzip wrapper


def pack(
    folder: Path,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    only: AbstractSet[str] | None = None,
) -> Iterator[bytes]:
    """Give the archive of a project in blocks: what belongs to a bundle (`only` some parts), without times and owners.

    The folder and its project file are checked at once, before the first block. `progress` hears (files packed, in all).
    """
    files = read_tree(folder, only)
    texts = {file.name: file.source for file in files if file.part == "settings"}
    read_settings(lambda name: _text(texts[name]) if name in texts else None)
    return _blocks(files, progress)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8-sig", errors="replace")


def _blocks(files: tuple[TreeFile, ...], progress: Callable[[int, int], None]) -> Iterator[bytes]:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, _GZIP)
    top = tarfile.TarInfo("dags")
    top.type, top.mode = tarfile.DIRTYPE, 0o755
    yield squeeze.compress(_header(top))
    for done, file in enumerate(files, start=1):
        for block in _member(file):
            if packed := squeeze.compress(block):
                yield packed
        progress(done, len(files))
    yield squeeze.compress(b"\0" * (2 * _RECORD)) + squeeze.flush()


def _member(file: TreeFile) -> Iterator[bytes]:
    info = tarfile.TarInfo(file.name)
    info.size, info.mode = file.size_bytes, 0o755 if file.is_executable else 0o644
    yield _header(info)
    left = info.size
    with file.source.open("rb") as stream:
        while left and (block := stream.read(min(_BLOCK, left))):
            left -= len(block)
            yield block
    if left:
        raise Conflict(
            f"{file.name} became shorter while it was packed.", code="project-changed", hint="Deploy it again."
        )
    yield b"\0" * (-info.size % _RECORD)


def _header(info: tarfile.TarInfo) -> bytes:
    return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")
