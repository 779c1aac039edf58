"""Compares the files of two bundles: what was added, removed and changed, with unified diffs of texts. Pure reading."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Literal

from aerodrome.builds.contract import Bundle
from aerodrome.builds.trees import part_of

MAX_FILES = 500
MAX_DIFF_BYTES = 512 * 1024  # of all diffs of one comparison
_MAX_FILE_BYTES = 256 * 1024  # a longer text is named, not compared line by line
_CONTEXT = 3


@dataclass(frozen=True)
class FileChange:
    """One file that differs."""

    path: str
    part: str  # dags, plugins, include, requirements, settings, other
    change: Literal["added", "removed", "changed"]
    size_before: int | None
    size_after: int | None
    diff: str | None  # None: binary, too long, or over the limit of the whole comparison
    is_binary: bool = False
    bundle: str = "project"


def compare(before: Bundle | None, after: Bundle | None, name: str = "project") -> Iterator[FileChange]:
    """Give the files that differ in order of path; None is a bundle without files."""
    if before is not None and after is not None and before.digest == after.digest:
        return
    old, new = _files(before), _files(after)
    budget = MAX_DIFF_BYTES
    for path in sorted(old.keys() | new.keys()):
        left, right = old.get(path), new.get(path)
        if left is not None and right is not None and filecmp.cmp(left, right, shallow=False):
            continue
        texts = [_text(file) for file in (left, right)]
        is_binary = any(file is not None and text is None for file, text in zip((left, right), texts, strict=True))
        diff = None
        if not is_binary and not any(text is _TOO_LONG for text in texts):
            diff = _diff(texts[0] or "", texts[1] or "", path)
            if len(diff) > budget:
                diff = None
            else:
                budget -= len(diff)
        yield FileChange(
            path=path,
            part=part_of(path),
            change="added" if left is None else "removed" if right is None else "changed",
            size_before=None if left is None else left.stat().st_size,
            size_after=None if right is None else right.stat().st_size,
            diff=diff,
            is_binary=is_binary,
            bundle=name,
        )


_TOO_LONG = "…"


def _files(bundle: Bundle | None) -> dict[str, Path]:
    if bundle is None:
        return {}
    return {path.relative_to(bundle.path).as_posix(): path for path in bundle.path.rglob("*") if path.is_file()}


def _text(file: Path | None) -> str | None:
    """Give the text; None for a binary file, a mark for one that is too long."""
    if file is None:
        return ""
    with file.open("rb") as stream:
        content = stream.read(_MAX_FILE_BYTES + 1)
    if b"\0" in content[:8192]:
        return None
    if len(content) > _MAX_FILE_BYTES:
        return _TOO_LONG
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _diff(before: str, after: str, path: str) -> str:
    lines = unified_diff(before.splitlines(), after.splitlines(), f"a/{path}", f"b/{path}", lineterm="", n=_CONTEXT)
    return "\n".join(lines)
