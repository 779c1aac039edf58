from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.cli.reference import FOLDER, pages

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "name", ["cli.md", "api.md", "settings.md", "permissions.md", "findings.md", "upgrade-rules.md"]
)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    kept = (ROOT / FOLDER / name).read_text(encoding="utf-8")
    assert pages()[name] == kept, "run `python -m aerodrome.cli.reference`"


def test_no_page_names_this_machine() -> None:
    for text in pages().values():
        assert str(Path.home()) not in text
        assert str(ROOT) not in text
