"""A project of several files that is upgraded as a whole, and once more, which must change nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from aerodrome.migration.codemod import CodeUpgrade, Options, upgrade


def upgraded(
    folder: Path, files: Mapping[str, str], version: str = "2.9.1", again: str = ""
) -> tuple[CodeUpgrade, dict[str, str]]:
    """Upgrade files below `in` to `out`, and that to `again`, as of another source version where one is given; give the result and the new texts."""
    for name, text in files.items():
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_text(text)
    done = upgrade(folder / "in", folder / "out", "3.3.2", Options(source_version=version))
    second = upgrade(folder / "out", folder / "again", "3.3.2", Options(source_version=again or version))
    assert [item.path for item in second.files if item.diff] == []
    return done, {name: (folder / "out" / name).read_text() for name in files}
