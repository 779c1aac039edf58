"""What the page of a migration says of both sides. If this breaks, nobody sees what a transfer would change."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from aerodrome.migration.transfer.difference import Difference
from aerodrome.web.ui.render import _environment

TABLE = Difference(1200, 5, 1, 0, Counter({"xcom-pickled": 1}), {"missing": ["daily/run_1"]}).as_data()
DONE: dict[str, Any] = {
    "status": "done", "finished_at": "2026-03-01T12:00:00Z", "totals": {"run": TABLE}, "objects": {"pools": TABLE},
    "rows": [("daily", "run", TABLE)], "more": 7,
}  # fmt: skip


def shown(diff: dict[str, Any] | None, plan: str | None = "digest") -> str:
    item = SimpleNamespace(id="mig_1", name="legacy", plan_digest=plan)
    text = _environment().get_template("parts/migration_diff.html").render(item=item, diff=diff, csrf="token")
    return " ".join(text.split())


def test_counts_samples_and_the_way_to_the_rest_are_shown() -> None:
    text = shown(DONE)
    for words in (
        "1,200",
        "daily/run_1",
        "7 more",
        "migrate history diff legacy",
        "Compare now",
        "2026-03-01T12:00:00Z",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("diff", "words", "has_button"),
    [
        (None, "Not compared yet", True),
        ({"status": "running", "progress": "comparing the history of DAGs: 3 of 9"}, "3 of 9", False),
        (
            {"status": "failed", "error": {"message": "no <answer>", "code": "x", "hint": "again"}},
            "no &lt;answer&gt;",
            True,
        ),
    ],
    ids=["never", "running", "failed"],
)
def test_each_state_says_what_it_is(diff: dict[str, Any] | None, words: str, *, has_button: bool) -> None:
    text = shown(diff)
    assert words in text
    assert ("Compare now" in text) is has_button


def test_without_a_plan_there_is_nothing_to_compare_with() -> None:
    assert "Compare now" not in shown(None, plan=None)
