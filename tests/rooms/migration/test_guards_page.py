"""The page of guards names tests; a name that no test has would be an empty promise."""

from __future__ import annotations

import re
from pathlib import Path

ROOMS = Path(__file__).parents[1]
PAGE = ROOMS.parents[1] / "docs" / "guides" / "guards.md"


def test_every_guard_names_tests_that_exist() -> None:
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 50
    assert "**open**" not in PAGE.read_text()
    for failure, guard, tests in rows:
        assert guard.strip(), failure
        for name in re.findall(r"`([^`]+)`", tests):
            place, _, test = name.partition("::")
            found = [path for path in (ROOMS / "migration" / place, ROOMS / place) if path.exists()]
            assert found, name
            assert not test or f"def {test}(" in found[0].read_text(), name
