"""A job that runs on a wrong date is a wrong migration: order dates against plain day-by-day arithmetic, over 400 days."""

# ruff: noqa: DTZ001  (times of a wall clock)

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.rooms.migration.convert.controlm.sample import check_of, convert, dag_of, days, functions_of, runs

from aerodrome.migration.convert.contract import Code, Conversion
from aerodrome.migration.convert.controlm.dates.order_dates import Almanac, Horizon, Unknown
from aerodrome.migration.convert.controlm.dates.timetables import cron_of_times, day_fields
from aerodrome.migration.convert.controlm.definitions.model import Calendar, Rule
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.emission.dagfile import write_dag

DAYS = days(date(2026, 1, 1), 400)
HOLIDAYS = {date(2026, 1, 1), date(2026, 5, 1), date(2026, 12, 25), date(2027, 1, 1)}
WORKING = frozenset(day for day in days(date(2026, 1, 1), 730) if day.weekday() < 5 and day not in HOLIDAYS)
BANK = Calendar("BANK", WORKING, date(2026, 1, 1), date(2027, 12, 31))


def last_of_month(day: date) -> bool:
    return (day + timedelta(days=1)).month != day.month


def working_in_month(day: date) -> list[date]:
    return sorted(item for item in WORKING if (item.year, item.month) == (day.year, day.month))


def next_working(day: date) -> date:
    while day not in WORKING:
        day += timedelta(days=1)
    return day


CASES: list[tuple[str, Rule, Callable[[date], bool]]] = [
    ("every day", Rule(days="ALL"), lambda day: True),
    ("weekdays, 0 is Sunday", Rule(weekdays="0,2"), lambda day: day.strftime("%a") in ("Sun", "Tue")),
    ("days of the month", Rule(days="1,15"), lambda day: day.day in (1, 15)),
    ("last day", Rule(days="L1"), last_of_month),
    ("last day but one", Rule(days="L2"), lambda day: last_of_month(day + timedelta(days=1))),
    ("either", Rule(days="1", weekdays="1"), lambda day: day.day == 1 or day.strftime("%a") == "Mon"),
    ("both", Rule(days="1,2,3", weekdays="1", is_and=True), lambda day: day.day < 4 and day.strftime("%a") == "Mon"),
    ("months", Rule(days="ALL", months=frozenset({2, 7})), lambda day: day.month in (2, 7)),
    ("dates", Rule(dates=((3, 1), (12, 24))), lambda day: (day.month, day.day) in ((3, 1), (12, 24))),
    ("a calendar", Rule(days_calendar="BANK"), lambda day: day in WORKING),
    ("all days of a calendar", Rule(days="ALL", days_calendar="BANK"), lambda day: day in WORKING),
    ("a day only when it works", Rule(days="1", days_calendar="BANK"), lambda day: day.day == 1 and day in WORKING),
    ("a calendar and one day more", Rule(days="+3", days_calendar="BANK"), lambda day: day in WORKING or day.day == 3),
    ("a calendar without a day", Rule(days="-3", days_calendar="BANK"), lambda day: day in WORKING and day.day != 3),
    ("second working day", Rule(days="D2", days_calendar="BANK"), lambda day: working_in_month(day)[1] == day),
    ("last working day", Rule(days="L1", days_calendar="BANK"), lambda day: working_in_month(day)[-1] == day),
    (
        "all but the first working day",
        Rule(days="-D1", days_calendar="BANK"),
        lambda day: day in WORKING and working_in_month(day)[0] != day,
    ),
    (
        "the 1st or the next working day",
        Rule(days=">1", days_calendar="BANK"),
        lambda day: day == next_working(day.replace(day=1)),
    ),
    (
        "confirmed: next working day",
        Rule(days="1", confirm_calendar="BANK", shift="next"),
        lambda day: day == next_working(day.replace(day=1)),
    ),
    ("confirmed: ignored", Rule(days="1", confirm_calendar="BANK"), lambda day: day.day == 1 and day in WORKING),
    ("not confirmed, ordered anyway", Rule(days="1", confirm_calendar="BANK", shift="none"), lambda day: day.day == 1),
    (
        "one working day later",
        Rule(days="10", confirm_calendar="BANK", shift="next", shift_days=1),
        lambda day: day == next_working(next_working(day.replace(day=10)) + timedelta(days=1)),
    ),
    ("one day later", Rule(days="10", shift_days=1), lambda day: day.day == 11),
    (
        "active for a while",
        Rule(days="ALL", active_from=date(2026, 3, 1), active_till=date(2026, 3, 31)),
        lambda day: (day.year, day.month) == (2026, 3),
    ),
    (
        "weekdays of a calendar",
        Rule(weekdays="1", weeks_calendar="BANK"),
        lambda day: day.weekday() == 0 and day in WORKING,
    ),
    ("no criteria", Rule(), lambda day: False),
]


@pytest.mark.parametrize(("rule", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_rule_chooses_the_dates_that_the_calendar_on_the_wall_says(
    rule: Rule, expected: Callable[[date], bool]
) -> None:
    almanac = Almanac({"BANK": BANK}, Horizon(DAYS[0], DAYS[-1]))
    assert sorted(almanac.dates(rule)) == [day for day in DAYS if expected(day)]


def test_a_week_may_start_on_sunday() -> None:
    almanac = Almanac({}, Horizon(DAYS[0], DAYS[-1]), week_starts_on_sunday=True)
    assert {day.strftime("%a") for day in almanac.dates(Rule(weekdays="1,0"))} == {"Sun", "Sat"}


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (Rule(days_calendar="NOT_THERE"), "calendar-missing"),
        (Rule(days="ALL", confirm_calendar="NOT_THERE"), "calendar-missing"),
        (Rule(days="D1"), "days-need-calendar"),
        (Rule(weekdays="D1W2"), "days-not-understood"),
        (Rule(days="SA"), "days-not-understood"),
    ],
)
def test_what_cannot_be_said_is_not_guessed(rule: Rule, code: str) -> None:
    with pytest.raises(Unknown) as why:
        Almanac({}, Horizon(DAYS[0], DAYS[-1])).dates(rule)
    assert why.value.code == code


@pytest.mark.parametrize(
    ("rule", "cron"),
    [
        (Rule(days="ALL"), "* * *"),
        (Rule(weekdays="1,2,3,4,5"), "* * 1-5"),
        (Rule(days="1,15", months=frozenset({1, 7})), "1,15 1,7 *"),
        (Rule(days="L1"), "L * *"),
        (Rule(days="1", weekdays="0"), "1 * 0"),
    ],
)
def test_a_cron_expression_is_used_where_it_is_exact(rule: Rule, cron: str) -> None:
    horizon = Horizon(DAYS[0], DAYS[-1])
    assert str(day_fields(Almanac({}, horizon).dates(rule), horizon)) == cron


def test_no_cron_expression_is_used_for_both_days_and_weekdays() -> None:
    horizon = Horizon(DAYS[0], DAYS[-1])
    assert day_fields(Almanac({}, horizon).dates(Rule(days="1,2", weekdays="1", is_and=True)), horizon) is None


def test_times_of_a_day_as_cron_fields() -> None:
    assert cron_of_times([480, 495, 510, 525, 540, 555, 570, 585]) == ("*/15 8,9", True)
    assert cron_of_times([480, 550]) == ("0,10 8,9", False)


FOLDER = """
<SMART_FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM">
  <RULE_BASED_CALENDAR NAME="WORK" WEEKDAYS="1,2,3,4,5"/>
  <RULE_BASED_CALENDAR NAME="FIRST" DAYS="1"/>
  <RULE_BASED_CALENDAR NAME="HALF" DAYS="15"/>
  <JOB JOBNAME="WORKING" CMDLINE="a" TIMEFROM="0300"><RULE_BASED_CALENDARS NAME="WORK"/></JOB>
  <JOB JOBNAME="START" CMDLINE="b"><RULE_BASED_CALENDARS NAME="FIRST"/></JOB>
  <JOB JOBNAME="ALWAYS" CMDLINE="c"><RULE_BASED_CALENDARS NAME="*"/></JOB>
  <JOB JOBNAME="BUT" CMDLINE="d"><RULE_BASED_CALENDARS NAME="WORK"/><EXCLUDE_RULE_BASED_CALENDARS NAME="HALF"/></JOB>
  <JOB JOBNAME="MONDAYS" CMDLINE="e" WEEKDAYS="1" RULE_BASED_CALENDAR_RELATIONSHIP="A"><RULE_BASED_CALENDARS NAME="WORK"/></JOB>
</SMART_FOLDER>"""


@pytest.mark.parametrize("new_day", ["00:00", "07:00"])
def test_every_job_of_a_folder_runs_on_its_dates_for_400_days(tmp_path: Path, new_day: str) -> None:
    dag = dag_of(convert(tmp_path, FOLDER, {"timezone": "Europe/Paris", "new_day": new_day}), "F")
    space = functions_of(dag)
    expected: dict[str, Callable[[date], bool]] = {
        "WORKING": lambda day: day.weekday() < 5,
        "START": lambda day: day.day == 1,
        "ALWAYS": lambda day: day.weekday() < 5 or day.day in (1, 15),
        "BUT": lambda day: day.weekday() < 5 and day.day != 15,
        "MONDAYS": lambda day: day.weekday() == 0,
    }
    first = datetime(2026, 1, 1, 7 if new_day == "07:00" else 0)
    zone = space["ZoneInfo"]("Europe/Paris")
    dates = [
        space["order_date"](moment.replace(tzinfo=zone)) for moment in runs(dag, first, first + timedelta(days=399))
    ]
    for job, is_expected in expected.items():
        check = check_of(dag, job)
        is_ordered = space[check[len("only_on(") : -1]] if check else lambda _day: True
        assert [day for day in dates if is_ordered(day)] == [day for day in DAYS if is_expected(day)], job


def test_a_time_before_the_new_day_is_on_the_next_calendar_day(tmp_path: Path) -> None:
    text = '<FOLDER FOLDER_NAME="N" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="J" CMDLINE="x" DAYS="1" TIMEFROM="0200"/></FOLDER>'
    dag = dag_of(convert(tmp_path, text, {"new_day": "07:00"}), "N")
    moments = runs(dag, datetime(2026, 1, 1), datetime(2026, 4, 1))
    assert moments == [datetime(2026, month, 2, 2) for month in (1, 2, 3)]
    space = functions_of(
        dag_of(convert(tmp_path, text.replace("<JOB", "<JOB TIMETO='0400'", 1), {"new_day": "07:00"}), "N")
    )
    utc = space["ZoneInfo"]("UTC")
    assert [space["order_date"](moment.replace(tzinfo=utc)) for moment in moments] == [
        date(2026, month, 1) for month in (1, 2, 3)
    ]


def test_a_missing_calendar_is_a_question_and_no_schedule(tmp_path: Path) -> None:
    text = (
        '<FOLDER FOLDER_NAME="M" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="J" CMDLINE="x" DAYSCAL="PAYDAYS"/></FOLDER>'
    )
    conversion = convert(tmp_path, text)
    assert dag_of(conversion, "M").schedule.expression is None
    assert [(item.code, item.dag_id) for item in conversion.questions] == [("calendar-missing", "M")]
    assert "PAYDAYS" in conversion.questions[0].text


def test_the_calendar_of_another_file_is_used(tmp_path: Path) -> None:
    marks = "".join("Y" if day in (1, 32) else "N" for day in range(1, 366))
    (tmp_path / "calendars.xml").write_text(
        f'<DEFCAL><CALENDAR NAME="PAYDAYS" TYPE="Regular"><YEAR NAME="2026" DAYS="{marks}"/></CALENDAR></DEFCAL>'
    )
    text = '<FOLDER FOLDER_NAME="M" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="J" CMDLINE="x" DAYSCAL="PAYDAYS" TIMEFROM="0615"/></FOLDER>'
    conversion = convert(tmp_path, text)
    moments = runs(dag_of(conversion, "M"), datetime(2026, 1, 1), datetime(2027, 12, 31))
    assert moments == [datetime(2026, 1, 1, 6, 15), datetime(2026, 2, 1, 6, 15)]
    assert not conversion.questions


@pytest.mark.parametrize(
    ("attributes", "times"),
    [
        ('INTERVAL="00030M" TIMEFROM="0800" TIMETO="1000"', ["08:00", "08:30", "09:00", "09:30", "10:00"]),
        ('INTERVAL="00002H" TIMEFROM="1800" MAXRUNS="2"', ["18:00", "20:00"]),
        ('CYCLIC_TYPE="S" SPECIFIC_TIMES="0900,1130,1745"', ["09:00", "11:30", "17:45"]),
        ('CYCLIC_TYPE="V" INTERVAL_SEQUENCE="+15M,+2H" TIMEFROM="0600"', ["06:00", "06:15", "08:15"]),
        ('CYCLIC_TYPE="V" CYCLIC_INTERVAL_SEQUENCE="+15M,+2H" TIMEFROM="0600"', ["06:00", "06:15", "08:15"]),
        ('CYCLIC_TYPE="S" CYCLIC_TIMES_SEQUENCE="0900,1130"', ["09:00", "11:30"]),
    ],
)
def test_a_cyclic_job_runs_at_its_times(tmp_path: Path, attributes: str, times: list[str]) -> None:
    text = f'<FOLDER FOLDER_NAME="C" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="J" CMDLINE="x" WEEKDAYS="1" CYCLIC="1" {attributes}/></FOLDER>'
    dag = dag_of(convert(tmp_path, text), "C__J")
    moments = runs(dag, datetime(2026, 1, 5), datetime(2026, 1, 11, 23, 59))
    if check := check_of(dag, "J"):
        kept = eval(check.removeprefix("only_at(").rpartition(", ")[0], {})
        moments = [moment for moment in moments if moment.hour * 60 + moment.minute in kept]
    assert [f"{moment:%a %H:%M}" for moment in moments] == [f"Mon {time}" for time in times]
    assert dag.max_active_runs == 1


def cyclic(folder: Path, attributes: str, inside: str = "") -> Conversion:
    return convert(
        folder,
        f'<FOLDER FOLDER_NAME="C" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="J" CMDLINE="x" NODEID="h" DAYS="ALL" CYCLIC="1" {attributes}>{inside}</JOB></FOLDER>',
    )


@pytest.mark.parametrize(
    "attributes",
    [
        'INTERVAL="00090S"',
        'INTERVAL="00030S"',
        'CYCLIC_TYPE="V" INTERVAL_SEQUENCE="+30S,+1H"',
        'CYCLIC_TYPE="S" SPECIFIC_TIMES="0900,NOON"',
    ],
)
def test_times_that_a_schedule_cannot_say_are_asked_for(tmp_path: Path, attributes: str) -> None:
    conversion = cyclic(tmp_path, attributes)
    assert dag_of(conversion, "C__J").schedule.expression is None
    assert [item.code for item in conversion.questions] == ["cyclic-times"]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('INTERVAL="00001D" MAXWAIT="5"', {"cyclic-drift", "cyclic-days"}),
        ('INTERVAL="00002H" TIMEFROM="2200" TIMETO="0300"', {"cyclic-drift", "cyclic-window"}),
        ('INTERVAL="00002H" TIMEFROM="2200" TIMETO="0000"', {"cyclic-drift"}),
        ('CYCLIC_TYPE="S" SPECIFIC_TIMES="0900" MAXWAIT="5"', set()),
    ],
)
def test_runs_of_a_cyclic_job_after_its_date_are_told(tmp_path: Path, attributes: str, expected: set[str]) -> None:
    dag = dag_of(cyclic(tmp_path, attributes), "C__J")
    assert {item.code for item in dag.accounts if item.code.startswith("cyclic")} == expected


@pytest.mark.parametrize("code", ["OK", "NOTOK"])
def test_a_cyclic_job_that_stops_itself_does_not_run_again_on_that_date(tmp_path: Path, code: str) -> None:
    stop = f'<ON STMT="*" CODE="{code}"><DOACTION ACTION="SPCYC"/></ON>'
    dag = dag_of(cyclic(tmp_path, 'INTERVAL="00030M" TIMEFROM="0800"', stop), "C__J")
    assert "stop-cyclic" not in {item.code for item in dag.accounts}
    given = dict(dag.task("J_stops").arguments)["op_kwargs"]
    assert isinstance(given, dict)
    kept: dict[str, str] = {}
    space = functions_of(dag) | {"Variable": SimpleNamespace(get=kept.get)}
    space["not_stopped"].__globals__["Variable"] = space["Variable"]
    check = eval(check_of(dag, "J") or "", space)
    run = {"dag_run": SimpleNamespace(conf={"odate": "20260303"})}
    check(run)
    kept[given["name"]] = "20260303"  # what the task behind the job writes
    assert given["value"] == "{{ odate(dag_run).strftime('%Y%m%d') }}"
    with pytest.raises(Exception, match="stopped"):
        check(run)
    check({"dag_run": SimpleNamespace(conf={"odate": "20260304"})})
    write_dag(dag, "3.3")


def test_a_cyclic_job_that_turns_its_end_and_stops_is_told(tmp_path: Path) -> None:
    """The task behind NOTOK that would stop it never runs, for the job ends OK."""
    stop = '<ON STMT="*" CODE="NOTOK"><DOACTION ACTION="SPCYC"/><DOACTION ACTION="OK"/></ON>'
    dag = dag_of(cyclic(tmp_path, 'INTERVAL="00030M" TIMEFROM="0800"', stop), "C__J")
    assert "stop-cyclic" in {item.code for item in dag.accounts}
    assert "J_stops" not in {task.full_id for task in dag.tasks}


CYCLIC_FOLDER = """<FOLDER FOLDER_NAME="P" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="M" CMDLINE="m" DAYS="ALL" TIMEFROM="0600">
<OUTCOND NAME="X" ODATE="ODAT" SIGN="+"/></JOB></FOLDER><SMART_FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD="SYSTEM" CYCLIC="1" INTERVAL="00030M" DAYS="ALL"
TIMEFROM="0600" TIMETO="0720" {}><JOB JOBNAME="A" CMDLINE="a" {}><INCOND NAME="X" ODATE="ODAT" AND_OR="A"/><OUTCOND NAME="Y" ODATE="ODAT" SIGN="+"/></JOB>
<JOB JOBNAME="B" CMDLINE="b"><INCOND NAME="Y" ODATE="ODAT" AND_OR="A"/></JOB></SMART_FOLDER>"""


def test_a_cyclic_folder_repeats_as_a_whole(tmp_path: Path) -> None:
    dag = dag_of(convert(tmp_path, CYCLIC_FOLDER.format("", "")), "F")
    moments = runs(dag, datetime(2026, 1, 5), datetime(2026, 1, 5, 23, 59))
    kept = eval((check_of(dag, "A") or "").removeprefix("only_at(").rpartition(", ")[0], {})
    assert check_of(dag, "B") == check_of(dag, "A")
    moments = [moment for moment in moments if moment.hour * 60 + moment.minute in kept]
    assert [f"{moment:%H:%M}" for moment in moments] == ["06:00", "06:30", "07:00"]
    assert dag.max_active_runs == 1
    assert [item.code for item in dag.accounts if item.code == "folder-cyclic"] == ["folder-cyclic"]
    space = functions_of(dag)  # every run waits for the one run of P on its date
    call = dict(dag.task("A_waits_X_M").arguments)["execution_date_fn"]
    assert isinstance(call, Code)
    later = space["datetime"](2026, 1, 5, 7, 0, tzinfo=space["ZoneInfo"]("UTC"))
    assert f"{space[call.text](later, SimpleNamespace(conf={}, logical_date=later)):%d %H:%M}" == "05 06:00"
    write_dag(dag, "3.3")


@pytest.mark.parametrize(("folder", "job"), [("", 'WEEKDAYS="1"'), ('CYCLIC_TYPE="S"', "")], ids=["dates", "times"])
def test_a_cyclic_folder_that_cannot_repeat_is_told(tmp_path: Path, folder: str, job: str) -> None:
    text = CYCLIC_FOLDER.format(folder, job).replace('INTERVAL="00030M"', "" if folder else 'INTERVAL="00030M"')
    dag = dag_of(convert(tmp_path, text), "F")
    assert "once on each date" in next(item.reason for item in dag.accounts if item.code == "folder-cyclic")


def test_a_folder_that_somebody_orders_has_no_schedule(tmp_path: Path) -> None:
    text = '<FOLDER FOLDER_NAME="H" FOLDER_ORDER_METHOD=""><JOB JOBNAME="J" CMDLINE="x" DAYS="ALL"/></FOLDER>'
    dag = dag_of(convert(tmp_path, text), "H")
    assert dag.schedule.expression is None
    assert "manual-order" in {item.code for item in dag.accounts}


def test_a_user_daily_is_asked_for(tmp_path: Path) -> None:
    text = '<FOLDER FOLDER_NAME="U" FOLDER_ORDER_METHOD="PLAN_1200"><JOB JOBNAME="J" CMDLINE="x" DAYS="ALL"/></FOLDER>'
    assert [item.code for item in convert(tmp_path, text).questions] == ["user-daily"]
    known = convert(tmp_path, text, {"user_dailies": {"PLAN_1200": True}})
    assert dag_of(known, "U").schedule.expression is not None


NEVER = """{"F": {"Type": "Folder", "When": {"WeekDays": ["ALL"]},
 "Never": {"Type": "Job:Command", "Command": "x", "When": {"WeekDays": ["NONE"], "Months": ["NONE"], "MonthDays": ["NONE"]}},
 "Daily": {"Type": "Job:Command", "Command": "y"}}}"""


def test_a_job_of_no_month_is_never_ordered(tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text(NEVER)
    made = dag_of(read(tmp_path, {}), "F")
    assert {item.name for item in made.accounts if item.code == "never-ordered"} == {"Never"}
    assert "pre_execute" in dict(made.task("Never").arguments)
    assert "pre_execute" not in dict(made.task("Daily").arguments)


def test_a_folder_that_people_order_keeps_the_criteria_of_its_jobs(tmp_path: Path) -> None:
    inside = (
        '<JOB JOBNAME="MONDAYS" CMDLINE="x" WEEKDAYS="1"/><JOB JOBNAME="ALWAYS" CMDLINE="y" DAYS="ALL"/>'
        '<JOB JOBNAME="OPEN" CMDLINE="z"/>'
    )
    for tag, gates in (("FOLDER", {"MONDAYS", "OPEN"}), ("SMART_FOLDER", {"MONDAYS"})):
        made = dag_of(convert(tmp_path, f'<{tag} FOLDER_NAME="F" FOLDER_ORDER_METHOD="">{inside}</{tag}>'), "F")
        assert made.schedule.expression is None
        gated = {task.full_id for task in made.tasks if "pre_execute" in dict(task.arguments)}
        assert gated == gates, tag  # what has no criteria comes with a SMART folder, and with nothing else
        assert "criteria do not choose its date" in next(a.reason for a in made.accounts if a.code == "manual-order")


def test_a_run_that_another_job_forces_ignores_the_criteria_of_jobs(tmp_path: Path) -> None:
    force = '<ON STMT="*" CODE="OK"><DOFORCEJOB TABLE_NAME="F" NAME="" ODATE="ODAT"/></ON>'
    text = (
        '<FOLDER FOLDER_NAME="F" FOLDER_ORDER_METHOD=""><JOB JOBNAME="MONDAYS" CMDLINE="x" WEEKDAYS="1"/></FOLDER>'
        f'<FOLDER FOLDER_NAME="G" FOLDER_ORDER_METHOD="SYSTEM"><JOB JOBNAME="J" CMDLINE="x" DAYS="ALL">{force}</JOB></FOLDER>'
    )
    made = convert(tmp_path, text)
    gate = functions_of(dag_of(made, "F"))["only_on"](lambda _day: False)
    run = SimpleNamespace(conf={"is_forced": True}, logical_date=datetime(2026, 3, 3, tzinfo=UTC))
    assert gate({"dag_run": run}) is None
    forcing = next(task for task in dag_of(made, "G").tasks if task.operator.name == "TriggerDagRunOperator")
    given = dict(forcing.arguments)["conf"]
    assert isinstance(given, dict)
    assert given["is_forced"] is True
