"""Log files of components: appended by the processes themselves, rotated by copying. Standard library only.

A component writes straight to its file (opened for appending), so it survives the death of the shim; rotation copies the file
aside and empties it, which appending writers follow by themselves.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

MAX_BYTES = 8 << 20
KEPT = 3
_BLOCK = 1 << 16


def open_log(path: Path) -> int:
    """Open for appending, made with mode 0600; give the file descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def rotate(path: Path, max_bytes: int = MAX_BYTES) -> None:
    """Move the content to `.1` when the file is bigger than the limit; older ones to `.2`, `.3`."""
    try:
        if path.stat().st_size <= max_bytes:
            return
    except FileNotFoundError:
        return
    for number in range(KEPT - 1, 0, -1):
        older = path.with_name(f"{path.name}.{number}")
        if older.exists():
            older.replace(path.with_name(f"{path.name}.{number + 1}"))
    first = path.with_name(f"{path.name}.1")
    shutil.copyfile(path, first)
    first.chmod(0o600)
    os.truncate(path, 0)


def read_tail(path: Path, lines: int) -> Iterator[str]:
    """Give the last lines, oldest first, from the file and, when it is short, from its predecessor."""
    if lines <= 0:
        return
    found = _tail(path, lines)
    if len(found) < lines:
        found = _tail(path.with_name(f"{path.name}.1"), lines - len(found)) + found
    yield from found


def _tail(path: Path, lines: int) -> list[str]:
    try:
        with path.open("rb") as stream:
            position = stream.seek(0, os.SEEK_END)
            content = b""
            while position > 0 and content.count(b"\n") <= lines:
                step = min(_BLOCK, position)
                position -= step
                stream.seek(position)
                content = stream.read(step) + content
    except FileNotFoundError:
        return []
    return content.decode(errors="replace").splitlines()[-lines:]
