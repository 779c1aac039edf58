"""Criteria without a calendar hold for ever: their tests are compared with them over 28 years, and hold after the horizon."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from tests.rooms.migration.convert.controlm.sample import check_of, convert, dag_of, days, functions_of, runs

from aerodrome.migration.convert.controlm.dates.lasting import test_of as text_of
from aerodrome.migration.convert.controlm.dates.order_dates import Almanac, Horizon
from aerodrome.migration.convert.controlm.dates.timetables import nth_fields
from aerodrome.migration.convert.controlm.definitions.model import Rule

CYCLE = Horizon(date(2026, 1, 1), date(2053, 12, 31))
EVERY = days(CYCLE.first, (CYCLE.last - CYCLE.first).days + 1)
HORIZON = Horizon(date(2026, 1, 1), date(2030, 12, 31))


def chosen(test: str) -> frozenset[date]:
    return frozenset(day for day in EVERY if eval(test, {"day": day, "timedelta": timedelta}))


@pytest.mark.parametrize(
    ("rule", "test"),
    [
        (Rule(days="1,15", weekdays="1,2", is_and=True), "day.isoweekday() % 7 in {1, 2} and day.day in {1, 15}"),
        (Rule(days="L2"), "(day + timedelta(days=2)).day == 1"),
        (Rule(days="1,L2"), "day.day in {1} or (day + timedelta(days=2)).day == 1"),
        (
            Rule(days="L1", weekdays="5", is_and=True),
            "day.isoweekday() % 7 in {5} and (day + timedelta(days=1)).day == 1",
        ),
        (Rule(days="-15"), "not (day.day in {15})"),
        (Rule(days="-L1"), "not ((day + timedelta(days=1)).day == 1)"),
        (Rule(days="1", shift_days=-3), "(day + timedelta(days=3)).day == 1"),
        (
            Rule(dates=((3, 1), (12, 24))),
            "day.month in {3} and day.day in {1} or day.month in {12} and day.day in {24}",
        ),
        (
            Rule(days="L1", weekdays="1", months=frozenset({2, 7})),
            "day.month in {2, 7} and (day.isoweekday() % 7 in {1} or (day + timedelta(days=1)).day == 1)",
        ),
    ],
)
def test_criteria_are_a_test_of_a_date(rule: Rule, test: str) -> None:
    dates = Almanac({}, CYCLE).dates(rule)
    assert text_of(dates, CYCLE) == test
    assert chosen(test) == dates


@pytest.mark.parametrize("seed", range(20))
def test_a_test_is_exact_or_there_is_none(seed: int) -> None:
    random = Random(seed)
    words = [*map(str, range(1, 32)), "L1", "L2", "L5", "-L1", "-31", "-2"]
    rules = [
        Rule(
            days=",".join(random.sample(words, random.randint(1, 4))),
            weekdays=",".join(random.sample([*"0123456", "-2"], random.randint(1, 2))) if random.random() < 0.6 else "",
            is_and=random.random() < 0.5,
            months=frozenset(random.sample(range(1, 13), random.choice((2, 12)))),
            shift_days=random.choice((0, 0, 1, -2)),
        )
        for _ in range(random.choice((1, 1, 2)))
    ]
    almanac = Almanac({}, CYCLE, week_starts_on_sunday=seed % 2 == 1)
    dates = frozenset[date]().union(*(almanac.dates(rule) for rule in rules))
    test = text_of(dates, CYCLE)
    assert test is None or chosen(test) == dates
    if len(rules) == 1 and not rules[0].shift_days:
        assert test is not None or not dates, rules


FOLDER = """<SMART_FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="{}" DAYS="ALL"><RULE_BASED_CALENDAR NAME="ALL" DAYS="ALL"/>
<JOB JOBNAME="ALWAYS" CMDLINE="a"/><JOB JOBNAME="J" CMDLINE="b" {}/></SMART_FOLDER>"""


def ordered(folder: Path, attributes: str, method: str = "SYSTEM", **profile: object) -> tuple[Any, set[str]]:
    made = dag_of(convert(folder, FOLDER.format(method, attributes), profile), "F")
    space = functions_of(made)
    check = check_of(made, "J") or ""
    return space[check.removeprefix("only_on(").removesuffix(")")], {item.code for item in made.accounts}


@pytest.mark.parametrize("method", ["SYSTEM", "", "PLAN_1200"])
def test_a_job_is_ordered_by_its_criteria_after_the_horizon(tmp_path: Path, method: str) -> None:
    is_ordered, codes = ordered(tmp_path, 'DAYS="1,2,3,4,5,6,7,L1" WEEKDAYS="1" DAYS_AND_OR="A"', method)
    for day in days(date(2026, 1, 1), 20000):
        is_chosen = day.weekday() == 0 and (day.day < 8 or (day + timedelta(days=1)).day == 1)
        assert is_ordered(day) == is_chosen, day
    assert "dates-listed" not in codes


def test_a_time_that_a_job_is_active_is_listed(tmp_path: Path) -> None:
    is_ordered, codes = ordered(tmp_path, 'DAYS="2,L2" ACTIVE_FROM="20270101" ACTIVE_TILL="20281231"')
    assert "dates-listed" in codes
    assert [is_ordered(date(year, 3, 2)) for year in (2026, 2027, 2028, 2029)] == [False, True, True, False]
    with pytest.raises(Exception, match="convert again"):
        is_ordered(date(2031, 1, 1))


def test_what_ends_after_the_horizon_is_not_taken_as_everlasting(tmp_path: Path) -> None:
    is_ordered, codes = ordered(tmp_path, 'DAYS="2,L2" ACTIVE_FROM="20200101" ACTIVE_TILL="20351231"')
    assert "dates-listed" in codes
    assert is_ordered(date(2030, 3, 2))


def test_dates_of_a_calendar_are_listed_though_they_look_like_criteria(tmp_path: Path) -> None:
    marks = {
        year: "".join(
            "Y" if (day + timedelta(days=2)).day == 1 else "N"
            for day in days(date(year, 1, 1), (date(year + 1, 1, 1) - date(year, 1, 1)).days)
        )
        for year in range(2026, 2031)
    }
    years = "".join(f'<YEAR NAME="{year}" DAYS="{text}"/>' for year, text in marks.items())
    (tmp_path / "calendars.xml").write_text(f'<DEFCAL><CALENDAR NAME="C" TYPE="Regular">{years}</CALENDAR></DEFCAL>')
    is_ordered, codes = ordered(tmp_path, 'DAYSCAL="C"')
    assert "dates-listed" in codes
    assert is_ordered(date(2030, 12, 30))
    is_ordered, codes = ordered(tmp_path, 'DAYS="L2"')  # the same dates, of criteria
    assert "dates-listed" not in codes
    assert is_ordered(date(2060, 12, 30))


def test_a_job_that_waits_days_longer_is_ordered_on_the_same_dates(tmp_path: Path) -> None:
    for longer in ("", 'MAXWAIT="3"'):
        is_ordered, codes = ordered(tmp_path, f'DAYS="1,L2" {longer}')
        assert "dates-listed" not in codes
        found = [day for day in days(date(2040, 1, 1), 366) if is_ordered(day)]
        assert found == [d for d in days(date(2040, 1, 1), 366) if d.day == 1 or (d + timedelta(days=2)).day == 1]


def test_a_cyclic_job_keeps_its_dates_for_ever(tmp_path: Path) -> None:
    text = '<FOLDER FOLDER_NAME="C" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="J" CMDLINE="x" DAYS="L2,3" CYCLIC="1" INTERVAL="00002H" TIMEFROM="0800" TIMETO="1200"/></FOLDER>'
    made = dag_of(convert(tmp_path, text), "C__J")
    assert "dates-listed" not in {item.code for item in made.accounts}
    space = functions_of(made)
    run = {"dag_run": SimpleNamespace(conf={}, logical_date=datetime(2049, 3, 30, 8, tzinfo=space["ZoneInfo"]("UTC")))}
    eval(check_of(made, "J") or "", space)(run)
    run["dag_run"].logical_date += timedelta(days=1)
    with pytest.raises(Exception, match=r"2049|ordered"):
        eval(check_of(made, "J") or "", space)(run)


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        (Rule(days="1,2,3,4,5,6,7", weekdays="1", is_and=True), "* * 1#1"),
        (Rule(days="8,9,10,11,12,13,14", weekdays="2,4", is_and=True, months=frozenset({3, 6})), "* 3,6 2#2,4#2"),
        (Rule(days="L1,L2,L3,L4,L5,L6,L7", weekdays="5", is_and=True), "* * L5"),
        (
            Rule(days="29,30,31", weekdays="0", is_and=True),
            "None",
        ),  # in February it is on days that no short horizon has
    ],
)
def test_the_nth_weekday_of_a_month_is_a_cron_expression(rule: Rule, fields: str) -> None:
    assert str(nth_fields(Almanac({}, HORIZON).dates(rule), HORIZON)) == fields


def test_a_folder_of_first_mondays_and_last_fridays_runs_for_ever(tmp_path: Path) -> None:
    text = """<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">
    <JOB JOBNAME="A" CMDLINE="a" DAYS="1,2,3,4,5,6,7" WEEKDAYS="1" DAYS_AND_OR="A" TIMEFROM="0615"/>
    <JOB JOBNAME="B" CMDLINE="b" DAYS="L1,L2,L3,L4,L5,L6,L7" WEEKDAYS="5" DAYS_AND_OR="A" TIMEFROM="0615"/></FOLDER>"""
    made = dag_of(convert(tmp_path, text), "F")
    assert "dates-listed" not in {item.code for item in made.accounts}
    expected = [
        datetime(d.year, d.month, d.day, 6, 15)  # noqa: DTZ001
        for d in days(date(2035, 1, 1), 730)
        if (d.weekday() == 0 and d.day < 8) or (d.weekday() == 4 and (d + timedelta(days=7)).day < 8)
    ]
    assert runs(made, datetime(2035, 1, 1), datetime(2036, 12, 30)) == expected  # noqa: DTZ001


def test_one_year_does_not_make_an_nth_weekday(tmp_path: Path) -> None:
    year = Horizon(date(2026, 1, 1), date(2026, 12, 31))
    assert nth_fields(frozenset({date(2026, 4, 6)}), year) is None
