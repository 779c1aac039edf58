from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from aerodrome.cli.reference import FOLDER, pages
from aerodrome.cli.reference_errors import KnownError, known_errors

ROOT = Path(__file__).parents[3]
made = cache(pages)


@pytest.mark.parametrize(
    "name", ["cli.md", "api.md", "settings.md", "permissions.md", "findings.md", "upgrade-rules.md", "errors.md"]
)
def test_the_reference_is_what_the_code_says(name: str) -> None:
    kept = (ROOT / FOLDER / name).read_text(encoding="utf-8")
    assert made()[name] == kept, "run `python -m aerodrome.cli.reference`"


def test_no_page_names_this_machine() -> None:
    for text in made().values():
        assert str(Path.home()) not in text
        assert str(ROOT) not in text


def test_errors_are_read_with_kind_message_and_next_act(tmp_path: Path) -> None:
    room = tmp_path / "fleet" / "deep"
    room.mkdir(parents=True)
    (room / "doors.py").write_text(
        "raise errors.Conflict(f'{name} is ' + 'shut.', code='door-shut', hint=f'Open {name}.')\n"
        "raise Invalid('No code here.')\n"
        "raise Invalid(text, code=computed)\n"
    )
    assert known_errors(tmp_path) == [KnownError("door-shut", "Conflict", "… is shut.", "Open ….", "fleet")]


def test_most_errors_say_what_to_do_next() -> None:
    errors = known_errors()
    without = [error.code for error in errors if not error.hint]
    assert len(errors) > 400
    assert len(without) < len(errors) / 8, "give new errors a hint: what shall the reader do?"
