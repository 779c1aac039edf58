"""The comparison file: a mistake names its field, and no check can write."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.kernel.errors import Invalid
from aerodrome.migration.parity import declarations
from aerodrome.migration.parity.data import Answer, compare, list_folder
from aerodrome.migration.parity.declarations import DataCheck, filled, read_declarations
from aerodrome.migration.parity.logs import error_patterns


def test_the_example_of_the_module_is_read() -> None:
    text = (declarations.__doc__ or "").split("```yaml")[1].split("```")[0]
    found = read_declarations(text)
    assert (found.factor, found.seconds, found.connections, found.hosts) == (
        2.0,
        30.0,
        ("public_api",),
        ("api.example.org",),
    )
    assert [(check.kind, check.name) for check in found.checks] == [
        ("sql", "orders"),
        ("files", "files"),
        ("s3", "lake"),
    ]
    assert [check.name for check in found.checks_of("daily_sales")] == ["orders", "files"]
    assert [check.name for check in found.checks_of("")] == ["lake"]
    assert found.reason("daily_x", "xcom", "load", "return_value") == "counts rows of a sandbox"
    assert found.reason("daily_x", "state", "load", "return_value") is None
    assert read_declarations(None) == read_declarations("  \n")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("tolerances: {}", "tolerances"),
        ("tolerance: {factor: 0.5}", "tolerance.factor"),
        ("tolerance: {seconds: .inf}", "tolerance.seconds"),
        ("tolerance: {seconds: .nan}", "tolerance.seconds"),
        ("checks: {}", "checks"),
        ("checks: [{name: a}]", "checks[0]"),
        ("checks: [{name: a, sql: select 1, files: {}}]", "checks[0]"),
        ("checks: [{name: a, sql: select 1, source: w}]", "checks[0].target"),
        ("checks: [{name: a, sql: delete from orders, source: w, target: w}]", "checks[0].sql"),
        ("checks: [{name: a, sql: 'select 1; drop table x', source: w, target: w}]", "checks[0].sql"),
        ("checks: [{name: a, sql: select 1, source: w, target: w, compare: [sum]}]", "checks[0].compare"),
        (
            "checks: [{name: a, s3: {source: {connection: c}, target: {connection: c, bucket: b}}}]",
            "checks[0].s3.source.bucket",
        ),
        ("explain: [{dag: a}]", "explain[0].reason"),
        ("explain: [{aspect: colour, reason: x}]", "explain[0].aspect"),
    ],
)
def test_a_mistake_names_its_field(text: str, field: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_declarations(text)
    assert caught.value.code == "comparison-file-invalid"
    assert caught.value.details["field"] == field


def test_a_syntax_error_names_its_line() -> None:
    with pytest.raises(Invalid, match="Line 2"):
        read_declarations("checks: []\n  - [")
    for text in ("checks: 2026-13-45", "[" * 5000):
        with pytest.raises(Invalid):
            read_declarations(text)


def test_folders_are_listed_and_compared(tmp_path: Path) -> None:
    for side, text in (("one", "a"), ("two", "b")):
        (tmp_path / side / "sub").mkdir(parents=True)
        (tmp_path / side / "sub" / "x.csv").write_text(text)
        (tmp_path / side / "same.csv").write_text("s")
    (tmp_path / "two" / "new.csv").write_text("n")
    (tmp_path / "two" / "other.txt").write_text("n")
    ways = ("names", "sizes", "checksum")
    check = DataCheck("files", "", "files", ways, {}, {}, pattern="*.csv")
    sides = [list_folder(str(tmp_path / side), "*.csv", ways) for side in ("one", "two")]
    assert {row.outcome for row in compare(check, sides[0], sides[0])} == {"equal"}
    found = {row.field: row for row in compare(check, *sides)}
    assert found["names"].message == "new: new.csv"
    assert found["checksum"].outcome == "different"
    (row,) = compare(check, sides[0], list_folder(str(tmp_path / "gone"), "*", ways))
    assert (row.outcome, row.code) == ("different", "check-failed")
    (row,) = compare(check, Answer({}, "refused"), sides[0])
    assert "refused" in row.message


def test_moments_are_filled_in() -> None:
    assert filled("/data/{ds}/{hour}", {"ds": "2026-03-01"}) == "/data/2026-03-01/{hour}"


def test_error_patterns_are_the_same_for_the_same_complaint() -> None:
    first = "[2026-03-01T02:00:00+0000] {taskinstance.py:123} ERROR - Order 17 of /data/a/b.csv failed at 0x7ffa\nTraceback (most recent call last):\n  x\nValueError: bad row 3"
    other = "[2026-03-09T04:10:00+0000] {taskinstance.py:999} ERROR - Order 99 of /data/z/y.csv failed at 0x1\nTraceback (most recent call last):\n  y\nValueError: bad row 12"
    assert error_patterns(first) == error_patterns(other)
    assert len(error_patterns(first)) == 2
    assert not error_patterns("INFO - the ErrorHandler was loaded\nvalue_error = 3")


def test_end_to_end_tests_are_dags_or_commands() -> None:
    found = read_declarations(
        "tests:\n- {name: chain, dag: e2e, conf: {day: '2026-01-01'}, timeout_s: 30}\n- {name: unit, command: [python, -c, pass]}\n"
    ).tests
    assert [(item.name, item.dag, item.command, item.timeout_s) for item in found] == [
        ("chain", "e2e", (), 30.0),
        ("unit", "", ("python", "-c", "pass"), 600.0),
    ]
    assert found[0].conf == {"day": "2026-01-01"}
    for text, place in (
        ("tests: [{name: a}]", "tests[0]"),
        ("tests: [{name: a, dag: d, command: [x]}]", "tests[0]"),
        ("tests: [{name: a, command: []}]", "tests[0].command"),
        ("tests: [{name: a, command: [x], conf: {}}]", "tests[0].conf"),
        ("tests: [{dag: d}]", "tests[0].name"),
        ("tests: [{name: a, dag: d}, {name: a, dag: d}]", "tests[1].name"),
        ("tests: [{name: a, dag: d, timeout_s: 0}]", "tests[0].timeout_s"),
    ):
        with pytest.raises(Invalid) as caught:
            read_declarations(text)
        assert caught.value.details["field"] == place
