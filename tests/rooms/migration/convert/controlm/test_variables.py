"""A command line that differs by one character is another command: %% variables rendered by Jinja against what Control-M writes."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from jinja2 import Environment, StrictUndefined

from aerodrome.migration.convert.controlm.snippets import CALCDATE, odate
from aerodrome.migration.convert.controlm.variables.autoedit import Scope, compile_text, joined_lines

SYSTEM = {"JOBNAME": "LOAD", "SCHEDTAB": "F", "APPLIC": "RETAIL", "NODEID": "app01"}


class Stored:
    """Airflow variables as a template sees them: an attribute each, and one that is not there raises (VariableAccessor)."""

    def __getattr__(self, name: str) -> str:
        return {"controlm.REGION": "north", "controlm.POOL.KEY": "7"}[name]


def rendered(text: str, variables: dict[str, str] | None = None, *, is_week_from_sunday: bool = False) -> str:
    """Render what a text compiles to, on the order date 2026-03-01, with the functions that a DAG file carries."""
    space: dict[str, object] = {}
    exec(
        "from datetime import datetime, timedelta\nfrom zoneinfo import ZoneInfo\n"
        + odate("UTC", 0).source
        + CALCDATE.source,
        space,
    )
    done = compile_text(text, Scope(SYSTEM, variables or {}, is_week_from_sunday))
    assert not done.problems
    run = type("Run", (), {"conf": {}, "logical_date": datetime(2026, 3, 1, tzinfo=UTC)})()
    now = lambda: datetime(2026, 3, 2, 14, 5, 9, tzinfo=UTC)  # noqa: E731
    names = {
        "dag_run": run,
        "run_id": "r1",
        "ti": type("T", (), {"try_number": 2})(),
        "now": now,
        "var": type("V", (), {"value": Stored()})(),
    }
    template = Environment(undefined=StrictUndefined, autoescape=False).from_string(done.text)
    return template.render(odate=space["odate"], calcdate=space["calcdate"], **names)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("run %%ODATE", "run 260301"),
        ("run %%$ODATE", "run 20260301"),
        ("run %%DATE %%TIME", "run 260302 140509"),
        ("%%$OYEAR-%%OMONTH-%%ODAY", "2026-03-01"),
        ("%%JOBNAME/%%SCHEDTAB@%%NODEID", "LOAD/F@app01"),
        ("file_%%ODATE..csv", "file_260301.csv"),
        ("%%ODATE._%%RUNCOUNT", "260301_2"),
        ("%%APPLIC.%%JOBNAME", "RETAILLOAD"),
        ("%%JOBNAME%%.X", "LOADX"),
        ("100%% sure", "100%% sure"),
        ("awk '{{print}}' {% x %} {# y #}", "awk '{{print}}' {% x %} {# y #}"),
        ("%%REGION", "north"),
        ("%%\\REGION and %%\\\\POOL\\KEY.", "north and 7"),
        ("a%%BLANK3.b", "a   b"),
        ("%%ORDERID", "r1"),
        ('say "it\'s" $HOME `x`', 'say "it\'s" $HOME `x`'),
    ],
)
def test_a_text_renders_as_control_m_writes_it(text: str, expected: str) -> None:
    assert rendered(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("/data/%%ODATE", "/data/260301"),
        ("%%SUBSTR %%$ODATE 1 6", "202603"),
        ("%%SUBSTR %%ODATE 3 4", "0301"),
        ("%%CALCDATE %%ODATE -1", "260228"),
        ("%%$CALCDATE %%$ODATE +1", "20260302"),
        ("%%COUNT %%PLUS 1", "6"),
        ("%%COUNT %%MINUS 2", "3"),
        ("%%SUBSTR %%INNER 1 3", "abc"),
    ],
)
def test_the_value_of_a_variable_is_computed(value: str, expected: str) -> None:
    assert rendered("<%%MINE>", {"MINE": value, "COUNT": "5", "INNER": "abcdef"}) == f"<{expected}>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%TAPE_%%ODAY", "first"),  # the variable that the value names
        ("%%TAPE_%%ODAY...x %%N", "first.x 1"),
        ("%%TAPE_0%%N", "first"),  # known when the file is written
        ("%%REG%%END", "north"),  # nothing in the exports defines it: an Airflow variable
        ("%%TAPE_0.%%N", "last1"),
        ("%%#TAPE_%%N", "%%TAPE_1"),
    ],
)
def test_two_variables_without_a_period_name_a_third_one(text: str, expected: str) -> None:
    variables = {"TAPE_01": "first", "TAPE_02": "second", "TAPE_0": "last", "N": "1", "END": "ION"}
    assert rendered(text, variables) == expected


def test_a_variable_with_a_hyphen_is_known_only_when_it_is_defined() -> None:
    assert rendered("%%JOB-ID-x", {"JOB-ID": "9"}) == "9-x"
    assert rendered("%%ODATE-x") == "260301-x"


def test_what_is_not_defined_becomes_an_airflow_variable_whose_absence_fails() -> None:
    done = compile_text("%%NOWHERE", Scope())
    assert done.unknown == ["controlm.NOWHERE"]
    with pytest.raises(KeyError):
        rendered("%%NOWHERE")


@pytest.mark.parametrize("value", ["%%WCALCDATE %%ODATE CAL -1", "x %%SUBSTR %%ODATE 1 2", "%%MINE"])
def test_what_cannot_be_compiled_is_a_problem(value: str) -> None:
    assert (
        compile_text("%%MINE", Scope({}, {"MINE": value})).problems
        or compile_text("%%MINE", Scope({}, {"MINE": value})).unknown
    )


def test_a_variable_that_contains_itself_is_a_problem() -> None:
    assert compile_text("%%A", Scope({}, {"A": "%%B", "B": "%%A"})).problems


def test_lines_with_length_marks_are_joined() -> None:
    assert joined_lines("0005first0006second") == "first\nsecond"
    assert joined_lines("0005 is no mark here") == "0005 is no mark here"
    assert joined_lines("0002ab00000003cde") == "ab\n\ncde"
    assert joined_lines("0005caf\u00e90003yes") == "caf\u00e9\nyes"  # lengths in bytes
    assert joined_lines("0004caf\u00e90003yes") == "caf\u00e9\nyes"
    assert joined_lines("0000") == "0000"


def test_the_number_of_a_weekday_depends_on_where_the_week_starts() -> None:
    assert rendered("%%OWDAY %%WDAY") == "0 1"  # Sunday, Monday
    assert rendered("%%OWDAY %%WDAY", is_week_from_sunday=True) == "1 2"
    assert rendered("%%SUB", {"SUB": "%%SUBSTR %%OWDAY 1 1"}, is_week_from_sunday=True) == "1"
    assert rendered("%%N", {"N": "%%OWDAY %%PLUS 1"}, is_week_from_sunday=True) == "2"
