"""Run times are Oozie's nominal times: by the plugin, by translated cron, against an oracle that was written apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter

from aerodrome.migration.convert.contract import Call
from aerodrome.migration.convert.oozie.frequency import (
    TIMETABLE,
    Frequency,
    ending_of,
    read_frequency,
    read_time,
    read_zone,
    server_zone,
    timetable,
    translate_cron,
)
from aerodrome.migration.convert.oozie.inside.oozie_cron import CronTimes
from aerodrome.migration.convert.oozie.inside.oozie_instances import Instances, days_in_month, hours_in_day, tz_offset
from aerodrome.migration.convert.oozie.oracle import nominal_times
from aerodrome.migration.convert.oozie.properties import Layer, Scope


@pytest.mark.parametrize(
    ("unit", "amount", "zone", "end_of", "start"),
    [
        ("days", 1, "Europe/Paris", "", "2015-03-25T01:30+00:00"),
        ("days", 1, "Europe/Paris", "", "2015-10-20T00:30+00:00"),
        ("days", 1, "Europe/Paris", "", "2016-02-01T01:30+00:00"),
        ("days", 3, "America/Los_Angeles", "", "2015-01-01T10:15+00:00"),
        ("months", 1, "UTC", "", "2015-01-31T05:00+00:00"),
        ("months", 5, "Europe/Paris", "", "2015-08-31T01:30+00:00"),
        ("days", 1, "Europe/Paris", "days", "2015-03-20T05:00+00:00"),
        ("months", 1, "Asia/Kolkata", "months", "2015-03-20T05:00+00:00"),
        ("days", 1, "+05:30", "days", "2015-03-20T05:00+00:00"),
        ("months", 1, "-03:30", "", "2015-03-20T05:00+00:00"),
        ("days", 7, "UTC", "weeks", "2015-03-20T05:00+00:00"),
        ("hours", 24, "Europe/Paris", "", "2015-03-25T01:30+00:00"),
    ],
)
def test_the_plugin_computes_as_the_oracle(unit: str, amount: int, zone: str, end_of: str, start: str) -> None:
    moment = datetime.fromisoformat(start)
    series = Instances(moment, unit, amount, zone, end_of)
    oracle = {
        "unit": unit,
        "amount": str(amount),
        "end_of": end_of,
        "cron": "",
        "zone": zone,
        "start": start,
        "end": "",
    }
    wanted = nominal_times(oracle, 400)
    assert [series.at(number) for number in range(400)] == wanted
    assert [series.number_at(moment) for moment in wanted] == list(range(400))


def test_the_wall_clock_is_kept_over_a_change() -> None:
    series = Instances("2015-03-28T07:00Z", "days", 1, "Europe/Paris")
    assert [series.at(number).hour for number in (0, 1, 2)] == [7, 6, 6]


@pytest.mark.parametrize(
    "cron", ["10 4 * * *", "0/20 * * * *", "0 3 ? * 2-6", "15 1 1,15 * *", "0 0 L * ?", "5 5 * JAN-MAR MON", "0 6 13 * FRI", "0 2 ? * 6#2", "0 2 ? * 6L", "0 9 * * FRI-MON", "7 7 1/5 * ?"]
)  # fmt: skip
def test_cron_is_translated(cron: str) -> None:
    translated = translate_cron(cron)
    assert translated is not None
    start = datetime(2015, 1, 1, tzinfo=UTC)
    wanted = nominal_times({"cron": cron, "start": start.isoformat(), "end": ""}, 30)
    times = croniter(translated, start - timedelta(minutes=1))
    assert [times.get_next(datetime) for _ in wanted] == wanted


@pytest.mark.parametrize(
    "cron", ["0 6 15W * ?", "30 5,17 1W * *", "0 0 LW * ?", "0 12 L-3 * ?", "0 12 L-2W * ?", "0 6 15W * FRI", "0 2 ? * 6#5", "5/25 0-3 L 2 ?", "0 2 ? 2 MON#1", "0 2 28W 2 ?"]
)  # fmt: skip
def test_what_only_quartz_knows_is_computed_by_the_plugin(cron: str) -> None:
    start = datetime(2015, 1, 1, 5, 30, tzinfo=UTC)
    wanted = nominal_times({"cron": cron, "start": start.isoformat(), "end": ""}, 60)
    times = CronTimes(cron, start)
    found = [times.after(start - timedelta(minutes=1))]
    while len(found) < len(wanted):
        assert found[-1] is not None
        found.append(times.after(found[-1]))
    assert found == wanted
    assert [times.last(moment) for moment in wanted] == wanted
    assert [times.last(moment + timedelta(seconds=30)) for moment in wanted] == wanted
    assert times.last(start - timedelta(days=1)) is None
    made = timetable(Frequency(cron=cron), start, "UTC", is_catching_up=True)
    assert isinstance(made, Call)


@pytest.mark.parametrize(
    ("begin", "server", "first"),
    [
        ("2026-01-01T00:00Z", "UTC", "2026-01-01T05:00+00:00"),
        ("2026-01-01T00:00+0000", "UTC", "2026-01-01T05:00+00:00"),
        ("2026-01-01T00:00+0900", "Etc/GMT-9", "2025-12-31T20:00+00:00"),
        ("2026-01-01T00:00-0500", "Etc/GMT+5", "2026-01-01T10:00+00:00"),
        ("2026-01-01T00:00+0530", "+05:30", "2025-12-31T23:30+00:00"),
    ],
)
def test_crons_count_in_the_zone_of_the_server(begin: str, server: str, first: str) -> None:
    """Its times say which it is: Oozie refuses an offset of another zone."""
    start = read_time(begin)
    assert start is not None
    assert server_zone(ending_of(begin)) == server
    oracle = {"cron": "0 5 * * *", "start": start.isoformat(), "end": "", "server": server}
    assert nominal_times(oracle, 1) == [datetime.fromisoformat(first)]
    made = timetable(Frequency(cron="0 5 * * *"), start, "UTC", is_catching_up=True, server=server)
    assert (made is None) is (":" in server)
    if isinstance(made, Call):
        assert made.keywords == (("timezone", server),)
        zone = ZoneInfo(server)
        assert croniter("0 5 * * *", start.astimezone(zone)).get_next(datetime) == datetime.fromisoformat(first)
    assert timetable(Frequency(cron="0 6 15W * ?"), start, "UTC", is_catching_up=True, server="Etc/GMT-9") is None


def test_the_nearest_weekday_stays_in_its_month() -> None:
    def days(cron: str, first: str) -> list[str]:
        times = CronTimes(cron, f"{first}T00:00Z")
        moment = times.after(datetime.fromisoformat(f"{first}T00:00+00:00") - timedelta(minutes=1))
        return [] if moment is None else [f"{moment:%m-%d}"]

    assert days("0 0 1W * ?", "2026-08-01") == ["08-03"]  # the 1st is a Saturday
    assert days("0 0 15W * ?", "2026-08-01") == ["08-14"]
    assert days("0 0 LW * ?", "2026-05-01") == ["05-29"]  # the 31st is a Sunday
    assert days("0 0 16W * ?", "2026-08-01") == ["08-17"]


@pytest.mark.parametrize(
    "cron", ["0 0 15W,20 * ?", "0 0 31W * ?", "0 0 32 * ?", "0 0 L,3 * ?", "0 0 ? * 8", "0 0 ? * 6#6", "61 0 * * ?", "0 0 X * ?", "0/0 * * * *", "0 0 * 13 ?"]
)  # fmt: skip
def test_cron_without_equivalent(cron: str) -> None:
    assert timetable(Frequency(cron=cron), datetime(2015, 1, 1, tzinfo=UTC), "UTC", is_catching_up=True) is None


def test_a_day_that_never_comes_ends_the_search() -> None:
    assert CronTimes("0 0 30 2 ?", "2026-01-01T00:00Z").after(datetime(2026, 1, 1, tzinfo=UTC)) is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("${coord:days(1)}", Frequency("days", 1)),
        ("${coord:hours(n)}", Frequency("hours", 6)),
        ("60", Frequency("minutes", 60)),
        ("${every}", Frequency("days", 2)),
        ("${n * 10}", None),
        ("${coord:endOfMonths(1)}", Frequency("months", 1, "months")),
        ("0 5 * * 1", Frequency(cron="0 5 * * 1")),
        ("${unknown}", None),
    ],
)
def test_frequencies_are_read(text: str, found: Frequency | None) -> None:
    assert read_frequency(text, Scope((Layer("job", {"n": "6", "every": "${coord:days(2)}"}),))) == found


def test_plain_frequencies_need_no_plugin() -> None:
    start = datetime(2015, 1, 5, 4, 30, tzinfo=UTC)
    for frequency in (Frequency("days", 1), Frequency("hours", 6), Frequency("months", 1), Frequency("days", 3)):
        made = timetable(frequency, start, "UTC", is_catching_up=True)
        assert isinstance(made, Call)
        assert made.symbol is not TIMETABLE
    paris = timetable(Frequency("days", 1), start, "Europe/Paris", is_catching_up=True)
    assert isinstance(paris, Call)
    assert paris.symbol is TIMETABLE


def test_times_and_zones_are_read() -> None:
    assert read_time("2009-01-01T08:00+0530") == datetime(2009, 1, 1, 2, 30, tzinfo=UTC)
    assert read_time("${start}") is None
    assert read_zone("Universal") == "UTC"
    assert read_zone("GMT+02:00") == "Etc/GMT-2"
    assert read_zone("GMT+0530") == "+05:30"
    assert read_zone("GMT+9999") is None
    assert read_zone("GMT+18:30") == "+18:30"
    assert [read_zone(name) for name in ("GMT+9", "UTC+9", "UTC+09:00", "GMT+9:00", "GMT+24:00", "utc", "Z")] == [
        None
    ] * 7
    assert read_zone("Mars/Base") is None
    assert (read_zone("ECT"), read_zone("BST"), read_zone("MST")) == ("Europe/Paris", "Asia/Dhaka", "Etc/GMT+7")


def test_instances_of_datasets() -> None:
    hourly = Instances("2015-01-01T00:00Z", "hours", 1)
    nominal = datetime(2015, 1, 1, 2, 30, tzinfo=UTC)
    assert [moment.hour for moment in hourly.between(nominal, -5, 0)] == [2, 1, 0]  # the newest first
    assert hourly.between(datetime(2014, 1, 1, tzinfo=UTC), 0, 0) == []
    assert [moment.hour for moment in hourly.latest(nominal, -1, 0, lambda moment: moment.hour != 1) or []] == [2, 0]
    assert hourly.latest(nominal, -3, 0, lambda moment: moment.hour != 1) is None
    assert [moment.hour for moment in hourly.future(nominal, 0, 1, 5, lambda moment: moment.hour != 3) or []] == [2, 4]
    assert [moment.day for moment in Instances("2015-01-01T00:00Z", "days", 1).offset(nominal, 2, "DAY")] == [3]
    assert (
        days_in_month(nominal, "UTC", 1, "months"),
        hours_in_day(datetime(2015, 3, 29, 12, tzinfo=UTC), "Europe/Paris"),
    ) == (
        28,
        23,
    )
    ends = Instances("2015-01-31T00:00Z", "months", 1)
    assert [moment.day for moment in ends.between(datetime(2015, 4, 1, tzinfo=UTC), -1, 1)] == [28, 28, 28]  # stepwise
    assert tz_offset(nominal, "Europe/Paris", "UTC") == 60


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2018-12-2T01:00Z", "2018-12-02T01:00"),
        (" 2018- 2-\t3T 1:5Z ", "2018-02-03T01:05"),
        ("02018-012-002T001:000Z", "2018-12-02T01:00"),
        ("2018-12-2T01:00+0900", "2018-12-01T16:00"),
        ("2018-12-02T1:5-0800", "2018-12-02T09:05"),
        ("2018-02-30T01:00Z", None),
        ("2018-12-02T24:00Z", None),
        ("2018-12-02T23:60Z", None),
        ("2018-12-00T00:00Z", None),
        ("2018-12-02T01:00:00Z", None),
        ("2018-12-02T01:00", None),
        ("2018-12-02T01:00z", None),
        ("2018-12-02t01:00Z", None),
        ("2018-12-02 T01:00Z", None),
        ("2018-12-02T01:00 Z", None),
        ("2018-12-02T01:00+09:00", None),
        ("2018-12-02T01:00+2400", None),
        ("+2018-12-02T01:00Z", None),
        ("0000-12-02T01:00Z", None),
        ("18-12-02T01:00Z", None),
        ("9999-12-31T23:00-0800", None),
        ("2018-12-02T01:" + "0" * 5000 + "Z", None),
    ],
)
def test_times_are_read_as_java_reads_them(text: str, found: str | None) -> None:
    """Each was given to SimpleDateFormat as DateUtils.parseDateOozieTZ calls it (OpenJDK 17); years before 1583 are ours to refuse."""
    wanted = None if found is None else datetime.fromisoformat(f"{found}+00:00")
    assert read_time(text) == wanted


def test_a_server_takes_times_of_its_own_zone_only() -> None:
    assert read_time("2018-12-02T01:00+0900", "+0900") == datetime(2018, 12, 1, 16, tzinfo=UTC)
    assert read_time("2018-12-02T01:00+0000", "+0000") == datetime(2018, 12, 2, 1, tzinfo=UTC)
    for text, ending in (
        ("2018-12-02T01:00Z", "+0900"),
        ("2018-12-02T01:00+0000", "Z"),
        ("2018-12-02T01:00+0800", "+0900"),
    ):
        assert read_time(text, ending) is None
