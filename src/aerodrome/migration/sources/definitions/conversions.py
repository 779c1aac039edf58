"""The conversion of a source's definitions, read anew only when a file has changed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.convert.contract import Conversion
from aerodrome.migration.convert.registry import convert, read_profile
from aerodrome.migration.sources.contract import DefinitionsConfig

Stamp = tuple[tuple[str, int, int], ...]


def conversion_of(config: DefinitionsConfig) -> Conversion:
    """Convert the definitions; Invalid `convert-nothing` without any. Files that did not change are not read again."""
    known = _converted(config.kind, config.path, config.profile, (_stamp(config.path), _stamp(config.profile)))
    if not known.dags:
        refused = known.rejected[0] if known.rejected else None
        raise Invalid(
            f"{refused.file}: {refused.message}"
            if refused
            else f"There is no {config.kind} definition in {config.path}.",
            code="convert-nothing",
            hint=(refused.hint if refused else "") or "Give the folder that has the definitions.",
        )
    return known


@lru_cache(maxsize=4)
def _converted(kind: str, path: Path, profile: Path | None, _stamps: tuple[Stamp, Stamp]) -> Conversion:
    return convert(kind, path, read_profile(profile))


def _stamp(path: Path | None) -> Stamp:
    """Tell files apart from changed ones, by size and time of change."""
    if path is None or not path.exists():
        return ()
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    return tuple((str(file), (found := file.stat()).st_size, found.st_mtime_ns) for file in files)
