"""Data checks: lists folders of this machine, and compares what both sides answered. What asks is the service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

from aerodrome.kernel.digest import digest_of_file
from aerodrome.kernel.errors import Invalid
from aerodrome.migration.parity.contract import Row
from aerodrome.migration.parity.declarations import DataCheck

MOST_FILES = 100_000
_SHOWN = 8


@dataclass(frozen=True)
class Answer:
    """What one side said: values by way ("count" -> 12, "names" -> [...]), or why it said nothing."""

    values: Mapping[str, Any]
    error: str = ""


def list_folder(folder: str, pattern: str, ways: tuple[str, ...]) -> Answer:
    """List the files below a folder of this machine whose relative path fits the pattern, sorted."""
    root = Path(folder)
    if not root.is_dir():
        return Answer({}, f"There is no folder {folder} on the server's machine.")
    files = sorted(
        path for path in root.rglob("*") if path.is_file() and fnmatchcase(path.relative_to(root).as_posix(), pattern)
    )
    if len(files) > MOST_FILES:
        raise Invalid(
            f"{folder} holds more than {MOST_FILES:,} files.", code="data-check-too-big", hint="Name a smaller folder."
        )
    names = [path.relative_to(root).as_posix() for path in files]
    values: dict[str, Any] = {"names": names}
    if "sizes" in ways:
        values["sizes"] = {name: path.stat().st_size for name, path in zip(names, files, strict=True)}
    if "checksum" in ways:
        digests = [f"{name}\0{digest_of_file(path)}" for name, path in zip(names, files, strict=True)]
        values["checksum"] = sha256("\n".join(digests).encode()).hexdigest()
    return Answer(values)


def compare(check: DataCheck, source: Answer, target: Answer) -> Iterator[Row]:
    """Give a row per way of the check."""
    if source.error or target.error:
        text = " ".join(
            f"{side}: {answer.error}" for side, answer in (("source", source), ("target", target)) if answer.error
        )
        yield Row(
            "data",
            check.name,
            "",
            "different",
            source.error or "answered",
            target.error or "answered",
            "check-failed",
            text,
        )
        return
    for way in check.ways:
        one, other = source.values.get(way), target.values.get(way)
        if one == other:
            yield Row("data", check.name, way, "equal", _shown(one), _shown(other))
        else:
            yield Row("data", check.name, way, "different", _shown(one), _shown(other), "data", _difference(one, other))


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        value = [f"{name} {item}" for name, item in value.items()]
    if isinstance(value, list):
        items = [str(item) for item in value]
        more = f" and {len(items) - _SHOWN:,} more" if len(items) > _SHOWN else ""
        return f"{len(items):,}: {', '.join(items[:_SHOWN])}{more}" if items else "0"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _difference(one: Any, other: Any) -> str:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        one, other = ([f"{name} {item}" for name, item in side.items()] for side in (one, other))
    if isinstance(one, list) and isinstance(other, list):
        left, right = set(map(str, one)), set(map(str, other))
        parts = [
            f"{word}: {', '.join(sorted(names)[:_SHOWN])}"
            for word, names in (("missing", left - right), ("new", right - left))
            if names
        ]
        return "; ".join(parts) or "The order differs."
    return "The values differ."
