"""Every command in README and docs/ exists with the options that are written there. Breaks for the reader of a stale guide."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from aerodrome.cli.main import build

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"```(?:console|sh|shell|bash)?\n(.*?)```", re.DOTALL)


def written() -> Iterator[tuple[str, list[str]]]:
    """Give (place, words) of every `aerodrome …` in a shell block."""
    for path in [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("*.md")),
        *sorted((ROOT / "docs/guides").glob("*.md")),
    ]:
        for block in BLOCK.findall(path.read_text()):
            for line in block.splitlines():
                if line.strip().startswith("aerodrome "):
                    yield path.name, shlex.split(line, comments=True)[1:]


COMMANDS = list(written())


def test_there_are_guides_to_check() -> None:
    assert len(COMMANDS) > 30


@pytest.mark.parametrize(
    ("place", "words"), COMMANDS, ids=lambda item: item if isinstance(item, str) else " ".join(item)
)
def test_a_written_command_can_be_typed(place: str, words: list[str]) -> None:
    app = build()
    command, bound, unused, _ = app.parse_known_args(words)
    assert unused == [], f"{place}: {' '.join(words)}: no such words: {unused}"
    assert callable(command)
    assert bound.signature
