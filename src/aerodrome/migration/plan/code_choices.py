"""What a plan file says about the code. Read, and written into the text that a person edits.

`code.rejected`: files that keep what the source has. `code.requirements_as_of`: the day whose package index requirements.txt is resolved against.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date
from pathlib import PurePosixPath
from typing import Any

import yaml

from aerodrome.migration.plan.document import Document, Path
from aerodrome.migration.plan.writer import code_lines

_SECTION = "code"
_AS_OF = "requirements_as_of"


def read_code(document: Document, value: Any) -> dict[str, Any]:
    """Give `rejected` (paths below the project, each once) and `requirements_as_of` (ISO date), as far as they say something.

    Invalid names line and field. Nothing said gives {}: such a plan is what it was before the fields existed.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise document.wrong((_SECTION,), "must hold fields, one per line.")
    for key in value:
        if key not in ("rejected", _AS_OF):
            raise document.wrong((_SECTION, key), f"there is no field {key}.", code="plan-unknown-field")
    rejected, as_of = _rejected(document, value.get("rejected")), _day(document, value.get(_AS_OF))
    return {**({"rejected": rejected} if rejected else {}), **({_AS_OF: as_of} if as_of else {})}


def _rejected(document: Document, listed: Any) -> list[str]:
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


def _day(document: Document, value: Any) -> str | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(str(value)).isoformat()
    except ValueError as error:
        raise document.wrong((_SECTION, _AS_OF), "must be a day, such as 2026-09-01.") from error


def is_below(path: str) -> bool:
    """Tell whether a path names something below the project's folder, in the one way to write it."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and str(PurePosixPath(path)) == path != "."


def with_rejected(text: str, paths: Collection[str]) -> str:
    """Give a plan file's text with these paths in `code.rejected`; every other line stays as it is."""
    lines = text.splitlines(keepends=True)
    start, end = _place(text, lines)
    said = yaml.safe_load(text)
    section = said.get(_SECTION) if isinstance(said, dict) else None
    as_of = section.get(_AS_OF) if isinstance(section, dict) else None
    block = "".join(f"{line}\n" for line in code_lines(sorted(set(paths)), str(as_of) if as_of else None))
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
