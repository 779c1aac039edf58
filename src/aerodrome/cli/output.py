"""Writes results to standard output: JSON for programs, aligned tables for eyes (with rich on a terminal)."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aerodrome.kernel.amounts import size
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.secret import MASK, Secret

GOOD = frozenset({"healthy", "live", "done", "success", "running", "active"})
BAD = frozenset({"failed", "unhealthy", "missing"})
BUSY = frozenset(
    {"creating", "deploying", "queued", "building", "switching", "returning", "starting", "deleting", "degraded"}
)


def plain(value: Any) -> Any:
    """Turn a result into JSON data: dataclasses become objects, moments ISO 8601 in UTC, secrets the mask."""
    if isinstance(value, Secret):
        return MASK
    if isinstance(value, datetime):
        return to_text(value)
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {item.name: plain(getattr(value, item.name)) for item in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return value


def write_json(value: Any) -> None:
    """Write one JSON document."""
    sys.stdout.write(json.dumps(plain(value), indent=2, ensure_ascii=False) + "\n")


def write_rows(output: str, items: Sequence[Any], columns: Mapping[str, str], *, nothing: str = "") -> None:
    """Write a list: as a JSON array of whole objects, or as a table. `columns` maps a title to an attribute path."""
    if output == "json":
        write_json(list(items))
        return
    if not items:
        sys.stderr.write((nothing or "Nothing there yet.") + "\n")
        return
    rows = [[_shown(item, path) for path in columns.values()] for item in items]
    write_table(list(columns), rows)


def write_fields(output: str, item: Any, fields: Mapping[str, str]) -> None:
    """Write one thing: as a whole JSON object, or as a list of titled values."""
    if output == "json":
        write_json(item)
        return
    width = max(len(title) for title in fields)
    for title, path in fields.items():
        sys.stdout.write(f"{title:<{width}}  {_coloured(_shown(item, path) or '–')}\n")


def write_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write aligned columns; on a terminal with colour."""
    if sys.stdout.isatty():
        from rich.box import SIMPLE_HEAD  # only to draw: keeps start-up short
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for title in titles:
            table.add_column(title, overflow="fold")
        for row in rows:
            table.add_row(*(Text(text, style=_style(text)) for text in row))
        Console().print(table)
        return
    lines = [[title.upper() for title in titles], *rows]
    widths = [max(len(line[index]) for line in lines) for index in range(len(titles))]
    for line in lines:
        sys.stdout.write("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() + "\n")


def cell(value: Any) -> str:
    """Write one value for eyes, on one line."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={cell(item)}" for key, item in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        texts = [cell(item) for item in value]
        return (" " if texts and all(text.endswith(".") for text in texts) else ", ").join(texts)
    # Text of the server may hold control sequences that would act on the terminal.
    return "".join(letter if letter.isprintable() else "�" for letter in str(value))


def _shown(item: Any, path: str) -> str:
    value = _look_up(item, path)
    return size(value) if path.endswith("size_bytes") and isinstance(value, int) else cell(value)


def _look_up(item: Any, path: str) -> Any:
    for part in path.split("."):
        item = item.get(part) if isinstance(item, Mapping) else getattr(item, part)
    return item


def _style(text: str) -> str:
    return "green" if text in GOOD else "red" if text in BAD else "yellow" if text in BUSY else ""


def _coloured(text: str) -> str:
    code = {"green": "32", "red": "31", "yellow": "33"}.get(_style(text))
    return f"\033[{code}m{text}\033[0m" if code and sys.stdout.isatty() else text
