"""Which files of the code keep what the source has: `code.rejected` of a plan file. Read, and written into the text that a person edits."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import Any

import yaml

from aerodrome.migration.plan.document import Document, Path
from aerodrome.migration.plan.writer import code_lines

_SECTION = "code"


def read_rejected(document: Document, value: Any) -> list[str]:
    """Give the paths below the project, each once; Invalid names line and field."""
    if value is None:
        return []
    if not isinstance(value, dict):
        raise document.wrong((_SECTION,), "must hold fields, one per line.")
    for key in value:
        if key != "rejected":
            raise document.wrong((_SECTION, key), f"there is no field {key}.", code="plan-unknown-field")
    listed = value.get("rejected")
    at: Path = (_SECTION, "rejected")
    if listed is not None and not isinstance(listed, list):
        raise document.wrong(at, "must be a list.")
    paths: list[str] = []
    for index, item in enumerate(listed or ()):
        if not isinstance(item, str) or not is_below(item):
            raise document.wrong((*at, index), "must be the path of a file below the project, such as dags/sales.py.")
        if item in paths:
            raise document.wrong((*at, index), f"{item} stands twice.")
        paths.append(item)
    return paths


def is_below(path: str) -> bool:
    """Tell whether a path names something below the project's folder, in the one way to write it."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and str(PurePosixPath(path)) == path != "."


def with_rejected(text: str, paths: Collection[str]) -> str:
    """Give a plan file's text with these paths in `code.rejected`; every other line stays as it is."""
    lines = text.splitlines(keepends=True)
    start, end = _place(text, lines)
    block = "".join(f"{line}\n" for line in code_lines(sorted(set(paths))))
    if start == len(lines) and lines and not lines[-1].endswith("\n"):
        block = "\n" + block
    return "".join([*lines[:start], block, *lines[end:]])


def _place(text: str, lines: Sequence[str]) -> tuple[int, int]:
    """Give the lines that the section takes now; the end of the file when it has none."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        return len(lines), len(lines)
    starts = [key.start_mark.line for key, _ in root.value]
    for index, (key, _) in enumerate(root.value):
        if key.value != _SECTION:
            continue
        end = starts[index + 1] if index + 1 < len(starts) else len(lines)
        while end > starts[index] + 1 and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
            end -= 1  # what stands above the next section belongs to that one
        return starts[index], end
    return len(lines), len(lines)
