"""The arithmetic of intervals against Airflow's own. If these differ, a good hand-over is refused or a gap is not seen."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from tests.rooms.migration.plan.conftest import dag

from aerodrome.builds import Venv
from aerodrome.migration.cutover.expectation import compare
from aerodrome.migration.estate.calendars import (
    CONVERTED_CRON,
    Calendar,
    CronCalendar,
    DeltaCalendar,
    Interval,
    after,
    between,
    calendar_of,
    due,
)

CRONS = ("0 0 * * *", "*/5 * * * *", "30 2 * * *", "15 * * * *", "0 0 1 */3 *", "0 9-17 * * 1-5", "0 0 13 * 5")
ZONES = ("UTC", "Europe/Warsaw", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")

ORACLE = """
import json, sys
from datetime import datetime, timedelta
import pendulum
from airflow.timetables import interval
from airflow.timetables.base import DataInterval, TimeRestriction

answers = []
for case in json.load(sys.stdin):
    if case["cron"]:
        timetable = interval.CronDataIntervalTimetable(case["cron"], pendulum.timezone(case["zone"]))
    else:
        timetable = interval.DeltaDataIntervalTimetable(timedelta(seconds=case["seconds"]))
    now = pendulum.instance(datetime.fromisoformat(case["now"]))
    interval.utcnow = lambda: now
    last = DataInterval(*(pendulum.instance(datetime.fromisoformat(text)) for text in case["last"]))
    info = timetable.next_dagrun_info(
        last_automated_data_interval=last, restriction=TimeRestriction(None, None, case["catchup"])
    )
    answers.append([info.data_interval.start.isoformat(), info.data_interval.end.isoformat()])
print("ANSWERS" + json.dumps(answers))
"""


def _cases(random: Random) -> list[dict[str, object]]:
    cases: list[dict[str, object]] = []
    for number in range(600):
        zone, cron = random.choice(ZONES), random.choice(CRONS)
        calendar: Calendar = CronCalendar(cron, ZoneInfo(zone))
        seconds = random.choice([60, 600, 3600, 86400])
        if number % 5 == 0:
            calendar, cron = DeltaCalendar(timedelta(seconds=seconds)), ""
        days = random.choice([random.uniform(0, 365), 88.0 + random.uniform(-1, 1), 298.0 + random.uniform(-1, 1)])
        near = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days)  # often near a change of the clocks
        start = calendar.following(near.replace(microsecond=0))
        last = (start, calendar.following(start))
        now = last[1] + timedelta(seconds=random.choice([0, 1, 59, 3600, 90_000, 400_000]))
        cases.append(
            {
                "cron": cron,
                "zone": zone,
                "seconds": seconds,
                "last": [moment.isoformat() for moment in last],
                "now": now.isoformat(),
                "catchup": random.random() < 0.5,
            }
        )
    return cases


@pytest.mark.airflow
@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_the_next_interval_is_the_one_that_airflow_computes(
    version: str, airflow_venv: Callable[..., Venv], tmp_path: Path
) -> None:
    cases = _cases(Random(7))
    environment = {"AIRFLOW_HOME": str(tmp_path), "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    answer = subprocess.run(
        [airflow_venv(version).path / "bin/python", "-c", ORACLE],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    expected = json.loads(answer.stdout.rsplit("ANSWERS", 1)[1])
    wrong = []
    for case, texts in zip(cases, expected, strict=True):
        zone = ZoneInfo(str(case["zone"]))
        calendar: Calendar = (
            CronCalendar(str(case["cron"]), zone)
            if case["cron"]
            else DeltaCalendar(timedelta(seconds=float(str(case["seconds"]))))
        )
        first, second = (datetime.fromisoformat(text) for text in case["last"])  # type: ignore[attr-defined]
        now = datetime.fromisoformat(str(case["now"]))
        got = due(calendar, (first, second), now, catchup=bool(case["catchup"]))
        if got != tuple(datetime.fromisoformat(text) for text in texts):
            wrong.append((case, texts, [moment.isoformat() for moment in got]))
    assert wrong == []


HOUR = timedelta(hours=1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOURLY = DeltaCalendar(HOUR)


def hour(number: int) -> Interval:
    return NOON + number * HOUR, NOON + (number + 1) * HOUR


def test_intervals_follow_each_other() -> None:
    assert after(HOURLY, hour(0)) == hour(1)
    assert list(between(HOURLY, hour(0), hour(3))) == [hour(1), hour(2)]
    assert list(between(HOURLY, hour(0), hour(1))) == []
    assert list(between(HOURLY, hour(0), hour(99), limit=2)) == [hour(1), hour(2)]


@pytest.mark.parametrize(
    ("catchup", "last", "source", "target", "now", "is_agreed", "missed"),
    [
        (True, hour(0), hour(1), hour(1), NOON + 9 * HOUR, True, 0),
        (True, hour(0), hour(1), hour(2), NOON + 9 * HOUR, False, 1),
        (True, hour(0), hour(1), hour(0), NOON + 9 * HOUR, False, 0),  # would run again
        (False, hour(0), hour(1), hour(1), NOON + 1.5 * HOUR, True, 0),
        (False, hour(0), hour(1), hour(3), NOON + 4.1 * HOUR, True, 2),  # held over two fire times
        (False, hour(0), hour(3), hour(2), NOON + 4.1 * HOUR, True, 1),  # the source parsed later than the target
        (False, hour(0), hour(1), hour(3), NOON + 3.9 * HOUR, False, 2),  # skips one that is not over
        (
            False,
            hour(0),
            hour(1),
            (NOON + 1.5 * HOUR, NOON + 2 * HOUR),
            NOON + 4 * HOUR,
            False,
            0,
        ),  # not of the schedule
        (False, None, hour(1), hour(1), NOON, True, 0),
        (False, hour(0), hour(1), None, NOON, False, 0),
        (False, hour(0), None, hour(1), NOON, False, 0),
        (False, None, None, None, NOON, True, 0),
    ],
)
def test_the_sides_agree_or_not(
    catchup: bool,
    last: Interval | None,
    source: Interval | None,
    target: Interval | None,
    now: datetime,
    is_agreed: bool,
    missed: int,
) -> None:
    verdict = compare(catchup=catchup, calendar=HOURLY, last=last, source_next=source, target_next=target, now=now)
    assert verdict.is_agreed is is_agreed, verdict.reason
    if is_agreed:
        assert len(verdict.missed) == missed


@pytest.mark.parametrize(
    ("schedule", "kind", "timetable"),
    [
        (None, "none", None),
        ("dataset", "dataset", None),
        ("@once", "preset", None),
        ("0 0 * * *", "cron", "airflow.timetables.trigger.CronTriggerTimetable"),
        ("WorkdayTimetable", "timetable", "plugins.WorkdayTimetable"),
        ("not a cron", "cron", None),
    ],
)
def test_what_has_no_calendar(schedule: str | None, kind: str, timetable: str | None) -> None:
    assert calendar_of(dag("x", schedule=schedule, schedule_kind=kind, timetable=timetable)) is None


def test_an_unknown_timetable_must_agree_exactly() -> None:
    arguments = {"catchup": False, "calendar": None, "last": hour(0), "source_next": hour(1), "now": NOON}
    assert compare(**arguments, target_next=hour(1)).is_agreed  # type: ignore[arg-type]
    assert not compare(**arguments, target_next=hour(2)).is_agreed  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "now", "is_agreed", "missed"),
    [
        (10, 5, True, 0),  # the very next one
        (20, 12, True, 1),  # one passed a while ago, and the target goes on with the clock
        (10, 12, True, 0),  # one has just passed: it runs
        (30, 12, False, 0),  # the target would skip one that is still to come
        (0, 5, False, 0),  # it ran in the source
        (15, 12, False, 0),  # no time of the schedule
    ],
)
def test_times_without_intervals_may_pass_while_nothing_catches_up(
    minutes: int, now: int, is_agreed: bool, missed: int
) -> None:
    record = dag("load", schedule="*/10 * * * *", schedule_kind="cron", timetable=CONVERTED_CRON)
    calendar = calendar_of(record)
    start = datetime(2026, 3, 1, tzinfo=UTC)
    last, coming, target = ((start + timedelta(minutes=at),) * 2 for at in (0, 10, minutes))
    verdict = compare(
        catchup=False,
        calendar=calendar,
        last=last,
        source_next=coming,
        target_next=target,
        now=start + timedelta(minutes=now),
    )
    assert (verdict.is_agreed, len(verdict.missed)) == (is_agreed, missed), verdict
