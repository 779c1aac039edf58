"""Two runs beside each other: each kind of difference is found, named, and explained only where there is a reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from aerodrome.migration.parity import Declarations, RunFacts, Side, compare_runs, read_declarations, verdict_of
from aerodrome.migration.parity.contract import Row, TaskKey
from aerodrome.migration.parity.values import Display, are_close

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def task(state: str = "success", tries: int = 1, duration: float | None = 2.0) -> dict[str, Any]:
    return {"state": state, "try_number": tries, "duration": duration}


def facts(run_id: str = "scheduled__a", **changes: Any) -> RunFacts:
    tasks: dict[TaskKey, dict[str, Any]] = {("load", -1): task(), ("count", 0): task()}
    base = RunFacts(
        {"run_id": run_id, "state": "success"}, tasks, {("load", -1, "return_value"): '{"rows": 3}'},
        {("load", -1): {"sql": "select 1"}}, {("load", -1): "INFO all well"},
    )  # fmt: skip
    return replace(base, **changes)


def rows(source: RunFacts, target: RunFacts, declared: Declarations | None = None) -> list[Row]:
    left, right = (Side(side.run_id, NOW, NOW) for side in (source, target))
    return compare_runs("sales", source, target, left, right, Display(b"k"), declared or Declarations())


def worse(found: list[Row]) -> list[tuple[str, str, str, str]]:
    return [(row.outcome, row.aspect, row.subject, row.code) for row in found if row.outcome != "equal"]


def test_equal_runs_match() -> None:
    found = rows(facts(), facts("shadow__b"))
    assert worse(found) == []
    assert {row.aspect for row in found} == {"state", "tries", "duration", "xcom", "rendered", "logs"}
    assert verdict_of(found) == "match"


def test_each_difference_is_found_where_it_is() -> None:
    target = facts(
        "shadow__b",
        run={"run_id": "shadow__b", "state": "failed"},
        tasks={("load", -1): task("failed", 3, 90.0), ("new", -1): task()},
        xcoms={("load", -1, "return_value"): '{"rows": 4}', ("load", -1, "extra"): "1"},
        rendered={("load", -1): {"sql": "select 2"}},
        logs={("load", -1): "ERROR - relation sales does not exist\nValueError: no rows"},
    )
    found = rows(facts(), target)
    assert worse(found) == [
        ("different", "state", "", "run-state"),
        ("different", "state", "count[0]", "task-missing"),
        ("different", "state", "load", "task-state"),
        ("different", "tries", "load", "more-tries"),
        ("different", "duration", "load", "slower"),
        ("different", "state", "new", "task-missing"),
        ("different", "xcom", "load", "missing"),
        ("different", "xcom", "load", "value"),
        ("different", "rendered", "load", "value"),
        ("different", "logs", "load", "new-errors"),
    ]
    assert verdict_of(found) == "mismatch"


def test_what_is_better_or_not_kept_is_explained() -> None:
    source = facts(tasks={("load", -1): task(tries=3)}, logs={("load", -1): "ERROR - once"}, rendered={})
    target = facts("shadow__b", tasks={("load", -1): task(tries=1)}, logs={("load", -1): "fine"})
    found = rows(source, target)
    assert worse(found) == [
        ("explained", "tries", "load", "fewer-tries"),
        ("not-compared", "rendered", "load", "not-kept"),
        ("explained", "logs", "load", "fewer-errors"),
    ]
    assert verdict_of(found) == "explained"


def test_a_side_that_cannot_give_a_part_says_so() -> None:
    found = rows(
        facts(xcoms=None, rendered=None, logs=None, unread=("XComs do not come over REST.",)), facts("shadow__b")
    )
    assert worse(found) == [("not-compared", "run", "", "unread")]
    assert not any(row.aspect in ("xcom", "rendered", "logs") for row in found)


def test_people_explain_what_they_know_and_only_that() -> None:
    declared = read_declarations(
        "explain: [{dag: 'sal*', aspect: xcom, task: load, field: return_value, reason: sandbox rows}]\n"
        "tolerance: {factor: 60, seconds: 0}"
    )
    target = facts(
        "shadow__b",
        xcoms={("load", -1, "return_value"): "9"},
        tasks={("load", -1): task(duration=100.0), ("count", 0): task("failed")},
    )
    found = rows(facts(), target, declared)
    assert worse(found) == [("different", "state", "count[0]", "task-state"), ("explained", "xcom", "load", "declared")]
    assert next(row for row in found if row.code == "declared").message == "sandbox rows"


def test_no_secret_stands_in_a_row() -> None:
    target = facts(
        "shadow__b", xcoms={("load", -1, "token"): '"canary-1"'}, rendered={("load", -1): {"password": "canary-2"}}
    )
    assert "canary" not in repr(rows(facts(), target))


def test_a_task_may_have_a_tolerance_of_its_own_for_time_and_numbers() -> None:
    target = facts(
        "shadow__b",
        tasks={("load", -1): task(duration=90.0), ("count", 0): task()},
        xcoms={("load", -1, "return_value"): '{"rows": 3.02}'},
    )
    own = "{dag: sal*, task: load, seconds: 600, numbers: 0.01}"
    assert worse(rows(facts(), target, read_declarations(f"tolerance: {{only: [{own}]}}"))) == [
        ("explained", "xcom", "load", "within-tolerance")
    ]
    for other in ("{dag: other, seconds: 600, numbers: 0.01}", "{task: count, seconds: 600, numbers: 0.01}"):
        found = worse(rows(facts(), target, read_declarations(f"tolerance: {{only: [{other}]}}")))
        assert ("different", "duration", "load", "slower") in found
        assert ("different", "xcom", "load", "value") in found
    assert not read_declarations("tolerance: {numbers: 0.5}").tolerances
    assert are_close('[1, {"a": true}, "x"]', '[1.4, {"a": true}, "x"]', 0.5)
    for different in ('[9, {"a": true}, "x"]', '[1, {"a": 1}, "x"]', '[1, {"a": true}]', "no json", None):
        assert not are_close('[1, {"a": true}, "x"]', different, 0.5)
