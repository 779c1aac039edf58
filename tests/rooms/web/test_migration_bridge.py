"""What the page of a migration says of the bridge between the sides. If this breaks, nobody sees what is not carried."""

from __future__ import annotations

from typing import Any

from aerodrome.web.ui.render import _environment

NOTHING: dict[str, Any] = {
    "is_possible": True, "crossings": [], "carried": [], "owed": {}, "runs": [], "last_at": None, "problem": None,
}  # fmt: skip
PAIR = {"kind": "asset", "what": "s3://shop/orders", "from": "loads", "to": "reports", "direction": "to-target"}


def shown(**changes: Any) -> str:
    text = _environment().get_template("parts/migration_bridge.html").render(bridge={**NOTHING, **changes})
    return " ".join(text.split())


def test_nothing_is_shown_where_nothing_crosses() -> None:
    assert shown() == ""


def test_pairs_and_what_was_carried_are_shown_in_both_directions() -> None:
    sensor = {"kind": "sensor", "what": "runs", "from": "one", "to": "two", "direction": "to-source"}
    text = shown(
        crossings=[PAIR, sensor],
        carried=[
            {"direction": "to-target", "what": "s3://shop/orders", "events": 1200, "is_known": True},
            {"direction": "to-source", "what": "s3://old", "events": 1, "is_known": False},
        ],
    )
    for words in (
        "s3://shop/orders",
        "source to target",
        "target to source",
        "its runs",
        "1,200 events of",
        "left behind",
    ):
        assert words in text


def test_it_says_when_nothing_can_be_carried_and_why_a_look_failed() -> None:
    assert "Nothing is carried" in shown(is_possible=False, crossings=[PAIR])
    assert "The last look failed: no &lt;answer&gt;" in shown(problem="no <answer>")
