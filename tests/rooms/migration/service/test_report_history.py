"""What the report says moved: every row once, however often it was read again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from aerodrome.migration.service.boards import SplitBrain
from aerodrome.migration.service.report import compose, to_html
from aerodrome.migration.service.syncing import moved_until
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


def whole(*steps: StepView, both_active: Sequence[SplitBrain] = ()) -> dict[str, Any]:
    view = MigrationView(
        "mig_1", "legacy", "ws_1", "airflow-db", "sqlite", "2.11.2", None, "3.3.2", "applied", None, None, {}, {}, (),
        (TrackView("apply", "done", steps),), None, NOW, NOW,
    )  # fmt: skip
    return compose(view, None, None, both_active)


def report(*steps: StepView) -> dict[str, Any]:
    history: dict[str, Any] = whole(*steps)["history"]
    return history


def test_rows_that_a_sync_reads_again_count_once() -> None:
    lost = {
        "failed_count": 1,
        "failed_by_code": {"run-conf": 1},
        "failed": [{"key": "a/1", "code": "run-conf", "message": "Why."}],
    }
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


def test_what_stayed_behind_is_counted_and_shown_with_its_reason() -> None:
    pickled = {"key": "a/1", "code": "run-conf-pickled", "message": "It holds an object of x.Y."}
    lost = {"key": "a/2", "code": "run-conf", "message": "Why."}
    first = kind(moved=4, failed_count=1, failed_by_code={"run-conf": 1}, failed=[lost])
    noticed = {"notices": [pickled], "noticed_by_code": {"run-conf-pickled": 1}}
    history = report(step("transfer.history", first | noticed), step("cutover.sync", kind(same=4) | noticed))
    run = history["kinds"]["run"]
    assert run["noticed_by_code"] == {"run-conf-pickled": 1}
    assert run["reasons"] == [lost, pickled]
    page = to_html(whole(step("transfer.history", first | noticed)))
    assert "It holds an object of x.Y." in page
    assert "run-conf-pickled" in page


def test_a_time_of_double_activity_stands_in_the_report() -> None:
    run = {"run_id": "scheduled__1", "state": "success", "logical_date": "2026-03-01T00:00:00.000000Z"}
    later = NOW + timedelta(minutes=1)
    window = SplitBrain("spb_1", "daily_sales", "wave-1", NOW, later, None, "alarm", (run, run), (run,))
    told = whole(both_active=(window,))
    assert told["active_on_both_sides"] == [
        {
            "dag_id": "daily_sales",
            "wave": "wave-1",
            "seen_whole_at": "2026-03-01T00:00:00.000000Z",
            "noticed_at": "2026-03-01T00:01:00.000000Z",
            "ended_at": None,
            "action": "alarm",
            "source_runs": [run, run],
            "doubled": [run],
        }
    ]
    page = to_html(told)
    assert "Active on both sides" in page
    assert "still active" in page


def test_what_moved_ahead_of_the_pause_counts_with_the_sync() -> None:
    view = step("cutover.sync", kind(moved=1))
    assert view.result is not None
    ahead = {"seconds": 0.5, "kinds": [kind(moved=4, same=2)]}
    both = replace(view, result={**view.result, "ahead": [ahead]})
    assert report(both)["kinds"]["run"]["moved"] == 5


def test_what_the_plan_leaves_out_is_told_of_each_dag() -> None:
    notices = [
        {"key": dag_id, "code": "left-out-by-plan", "message": "The plan leaves them out."} for dag_id in ("a", "b")
    ]
    left = kind(kind="xcom", notices=notices, noticed_by_code={"left-out-by-plan": 2})
    found = whole(step("transfer.history", left))["history"]["kinds"]["xcom"]
    assert (found["moved"], found["failed"], found["noticed_by_code"]) == (0, 0, {"left-out-by-plan": 2})
    assert [entry["key"] for entry in found["reasons"]] == ["a", "b"]
    assert "left-out-by-plan" in to_html(whole(step("transfer.history", left)))


def test_rows_that_a_source_never_gives_do_not_make_it_give_all_of_them_again() -> None:
    """Over Starship each costs a call, and the DAG is held meanwhile; any other refusal still does."""
    steps = {"transfer.history:0001": ["a", "b"]}

    def moved(code: str) -> dict[str, datetime]:
        item = kind(kind="xcom", failed_count=3, failed_by_code={code: 3})
        return moved_until({"transfer.history:0001": {"until": NOW.isoformat(), "history": {"kinds": [item]}}}, steps)

    assert moved("not-over-starship") == {"a": NOW, "b": NOW}
    assert moved("run-not-there") == {}
