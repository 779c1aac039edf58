"""What the report says moved: every row once, however often it was read again."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from aerodrome.migration.service.report import compose
from aerodrome.migration.service.views import MigrationView, StepView, TrackView

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def kind(**counts: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": "run",
        "moved": 0,
        "same": 0,
        "failed_count": 0,
        "failed_by_code": {},
        "failed": [],
    }
    found |= {"source_hash": "aa", "target_hash": "aa"} | counts
    return {**found, "found": found["moved"] + found["same"] + found["failed_count"]}


def step(name: str, item: dict[str, Any]) -> StepView:
    result = {"history": {"seconds": 0.5, "kinds": [item]}}
    return StepView(f"{name}:x", "transfer", name, "Move", "done", 1, None, NOW, NOW, result, None)


def report(*steps: StepView) -> dict[str, Any]:
    view = MigrationView(
        "mig_1", "legacy", "ws_1", "airflow-db", "sqlite", "2.11.2", None, "3.3.2", "applied", None, None, {}, {}, (),
        (TrackView("apply", "done", steps),), None, NOW, NOW,
    )  # fmt: skip
    history: dict[str, Any] = compose(view, None, None)["history"]
    return history


def test_rows_that_a_sync_reads_again_count_once() -> None:
    lost = {"failed_count": 1, "failed_by_code": {"run-conf": 1}, "failed": [{"key": "a/1"}]}
    history = report(
        step("transfer.history", kind(moved=5, same=2, **lost)), step("cutover.sync", kind(moved=1, same=7, **lost))
    )
    run = history["kinds"]["run"]
    assert (run["found"], run["moved"], run["failed"], run["failed_by_code"]) == (9, 8, 1, {"run-conf": 1})
    assert run["hashes_equal"]
    assert (history["rows"], history["rows_per_s"]) == (17, 17)


def test_a_pass_whose_sides_differ_is_not_equal() -> None:
    history = report(step("transfer.history", kind(moved=1)), step("cutover.sync", kind(moved=1, target_hash="bb")))
    assert not history["kinds"]["run"]["hashes_equal"]
