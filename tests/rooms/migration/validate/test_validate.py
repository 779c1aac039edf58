"""The rows of validate. If these break, a DAG that changed on its way is waved through, or a good one is stopped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.rooms.migration.plan.conftest import dag as make_dag

from aerodrome.airflowkit.rest import RestDag, RestTaskSpec
from aerodrome.kernel.errors import NotFound
from aerodrome.migration.estate.records import DagRecord
from aerodrome.migration.validate import CheckRow, validate_dags
from aerodrome.migration.validate.checks import is_same_file, shorten
from aerodrome.migration.validate.structure import compare, expected_schedule

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
NEXT = datetime(2026, 3, 2, tzinfo=UTC)

RECORD = make_dag(
    "daily_sales",
    file="shop/daily_sales.py",
    tasks=(
        {"task_id": "load", "downstream": ["report"]},
        {"task_id": "report", "downstream": []},
    ),
    next_interval_start="2026-03-01T00:00:00.000000Z",
    next_interval_end="2026-03-02T00:00:00.000000Z",
)
SEEN = RestDag(
    dag_id="daily_sales",
    is_paused=True,
    is_stale=False,
    has_import_errors=False,
    file="shop/daily_sales.py",
    parsed_at=MIDNIGHT,
    bundle_version=None,
    next_logical_date=MIDNIGHT,
    next_interval=(MIDNIGHT, NEXT),
    next_run_after=NEXT,
    file_token="",
    schedule="0 0 * * *",
)
TASKS = [RestTaskSpec("load", "PythonOperator", ("report",), False), RestTaskSpec("report", None, (), False)]


@dataclass
class Seen:
    """What the target's API answers."""

    dag: RestDag | None = SEEN
    specs: list[RestTaskSpec] | None = field(default_factory=lambda: TASKS)
    errors: list[tuple[str, str]] = field(default_factory=list)

    def dags(self) -> list[RestDag]:
        return [self.dag] if self.dag else []

    def tasks(self, dag_id: str) -> list[RestTaskSpec]:
        if self.specs is None:
            raise NotFound(f"no {dag_id}", code="airflow-not-found")
        return self.specs

    def import_errors(self) -> list[tuple[str, str]]:
        return self.errors


@dataclass
class Found:
    record: DagRecord = RECORD

    def records(self, kind: str) -> Iterable[Any]:
        return [self.record] if kind == "dag" else []


def bad(rows: Iterable[CheckRow]) -> list[tuple[str, str, str]]:
    return [(row.check, row.severity, row.subject) for row in rows if not row.is_ok]


def test_a_dag_that_arrived_unchanged_has_only_good_rows() -> None:
    rows = validate_dags(Seen(), Found(), ["daily_sales"])
    assert bad(rows) == []
    assert [row.check for row in rows] == ["dag-parsed", "same-tasks", "same-order", "same-schedule", "data-intervals"]


@pytest.mark.parametrize(
    ("seen", "check", "text"),
    [
        (Seen(dag=None), "dag-parsed", "parsed no file"),
        (Seen(dag=replace(SEEN, is_stale=True)), "dag-parsed", "parsed no file"),
        (Seen(specs=None), "same-tasks", "does not show its tasks yet"),
        (Seen(specs=TASKS[:1]), "same-tasks", "missing: report"),
        (Seen(specs=[*TASKS, RestTaskSpec("extra", None, (), False)]), "same-tasks", "new: extra"),
        (Seen(specs=[replace(TASKS[0], downstream=()), TASKS[1]]), "same-order", "missing: load → report"),
        (Seen(dag=replace(SEEN, schedule="0 1 * * *")), "same-schedule", "by 0 1 * * *, the source by 0 0 * * *"),
        (Seen(dag=replace(SEEN, schedule=None)), "same-schedule", "by None"),
        (Seen(dag=replace(SEEN, next_interval=(NEXT, NEXT))), "data-intervals", "makes no data intervals"),
    ],
)
def test_a_difference_is_a_blocker_that_shows_both_sides(seen: Seen, check: str, text: str) -> None:
    rows = validate_dags(seen, Found(), ["daily_sales"])
    assert (check, "blocker", "daily_sales") in bad(rows)
    assert any(text in row.message and row.hint for row in rows if not row.is_ok)


def test_an_import_error_is_told_once_with_its_file_and_reason() -> None:
    trace = "\n".join(f"  line {number}" for number in range(40)) + "\nImportError: cannot import name 'BashOperator'"
    errors = [("/srv/bundle/dags/shop/daily_sales.py", trace), ("other.py", "SyntaxError: invalid syntax")]
    rows = validate_dags(Seen(dag=None, errors=errors), Found(), ["daily_sales"])
    assert bad(rows) == [
        ("file-imports", "blocker", "/srv/bundle/dags/shop/daily_sales.py"),
        ("file-imports", "warning", "other.py"),
        ("dag-parsed", "blocker", "daily_sales"),
    ]
    assert rows[0].message.startswith("…\n")
    assert rows[0].message.endswith("ImportError: cannot import name 'BashOperator'")
    assert "daily_sales" in rows[0].hint


def test_an_unknown_dag_is_a_row_and_no_error() -> None:
    assert bad(validate_dags(Seen(), Found(), ["gone"])) == [("dag-known", "blocker", "gone")]


@pytest.mark.parametrize(
    ("schedule", "kind", "expected"),
    [
        ("@daily", "preset", "0 0 * * *"),
        ("*/5 * * * *", "cron", "*/5 * * * *"),
        ("timedelta:600", "timedelta", "0:10:00"),
        ("timedelta:86400", "timedelta", "1 day, 0:00:00"),
        (None, "none", "None"),
        ("dataset", "dataset", "Asset"),
        ("@once", "preset", "@once"),
        ("@continuous", "continuous", "@continuous"),
        ("WorkdayTimetable", "timetable", None),
    ],
)
def test_a_schedule_is_compared_as_airflow_3_shows_it(schedule: str | None, kind: str, expected: str | None) -> None:
    assert expected_schedule(make_dag("x", schedule=schedule, schedule_kind=kind)) == expected


def test_files_and_texts() -> None:
    assert is_same_file("/a/dags/x.py", "x.py")
    assert not is_same_file("/a/dags/ax.py", "x.py")
    assert shorten("one\n\ntwo\n") == "one\ntwo"
    assert len(shorten("x" * 9000)) <= 2001


def test_what_the_source_did_not_tell_is_no_difference() -> None:
    record = replace(make_dag("daily_sales"), tasks=(), unread=("tasks",))
    rows = {row.check: row for row in compare(record, SEEN, TASKS)}
    for name in ("same-tasks", "same-order"):
        assert (rows[name].is_ok, rows[name].severity) == (True, "info")
        assert "did not tell" in rows[name].message
    told = {row.check: row for row in compare(replace(record, unread=()), SEEN, TASKS)}
    assert not told["same-tasks"].is_ok
