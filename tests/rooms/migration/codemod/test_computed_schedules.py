"""A schedule that only the running file knows keeps its data intervals, and what the file gets for it does what it says."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES, computed_schedules

PINNING = Options(is_pinning_intervals=True)
HEAD = "from airflow import DAG\nfrom datetime import datetime\nimport cfg\n"


def upgraded(source: str) -> str:
    done = rewrite((HEAD + source).encode(), RULES, PINNING).text
    assert rewrite(done, RULES, PINNING).text == done
    compile(done, "upgraded", "exec")
    return done.decode()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "DAG('a', schedule=cfg.every, start_date=datetime(2024, 1, 1), catchup=False)\n",
            'schedule=_with_data_interval(cfg.every, timezone="UTC")',
        ),
        (
            "DAG('a', schedule=cfg.of('a'), start_date=datetime(2024, 1, 1), catchup=False)\n",
            "schedule=_with_data_interval(cfg.of('a'), timezone=\"UTC\")",
        ),
        (
            "DAG('a', schedule=cfg.every or '@daily', start_date=datetime(2024, 1, 1), catchup=False)\n",
            "schedule=_with_data_interval(cfg.every or '@daily', timezone=\"UTC\")",
        ),
        (
            "DAG('a', schedule='5 * * * *' if cfg.on else None, start_date=datetime(2024, 1, 1), catchup=False)\n",
            "schedule=CronDataIntervalTimetable('5 * * * *', timezone=\"UTC\") if cfg.on else None",
        ),
        (
            "DAG('a', schedule=f'{cfg.minute} 2 * * *', start_date=datetime(2024, 1, 1), catchup=False)\n",
            "schedule=CronDataIntervalTimetable(f'{cfg.minute} 2 * * *', timezone=\"UTC\")",
        ),
        (
            "DAG('a', schedule=cfg.every, start_date=cfg.first, catchup=False)\n",
            '_with_data_interval(cfg.every, timezone=str(getattr(cfg.first, "tzinfo", None) or "UTC"))',
        ),
        (
            "DAG('a', schedule='5 * * * *', default_args=cfg.args, catchup=False)\n",
            '(\'5 * * * *\', timezone=str(getattr(cfg.args.get("start_date"), "tzinfo", None) or "UTC"))'.replace(
                "'", '"', 2
            ),
        ),
        (
            "args = {**cfg.args, 'start_date': datetime(2024, 1, 1)}\nDAG('a', schedule='5 * * * *', default_args=args, catchup=False)\n",
            'schedule=CronDataIntervalTimetable("5 * * * *", timezone="UTC")',
        ),
    ],
)
def test_a_computed_schedule_is_pinned(source: str, expected: str) -> None:
    assert expected in upgraded(source)


@pytest.mark.parametrize(
    "schedule", ["cfg.MyTimetable('x')", "[cfg.table]", "cfg.a & cfg.b", "None", "'@once'", "cfg.Asset('x')"]
)
def test_what_is_no_cron_text_stays(schedule: str) -> None:
    done = upgraded(f"DAG('a', schedule={schedule}, start_date=datetime(2024, 1, 1), catchup=False)\n")
    assert f"schedule={schedule}" in done
    assert "_with_data_interval" not in done


def test_two_dags_share_the_function_and_a_comment_stays_with_its_dag() -> None:
    done = upgraded(
        "# the first\na = DAG('a', schedule=cfg.a, start_date=cfg.x, catchup=False)\n"
        "b = DAG('b', schedule=cfg.b, start_date=cfg.x, catchup=False)\n"
    )
    assert done.count("def _with_data_interval") == 1
    assert "return schedule\n\n\n# the first\na = DAG(" in done


def test_a_name_that_is_taken_leaves_the_schedule_to_a_person() -> None:
    source = HEAD + "timedelta = 3\nDAG('a', schedule=cfg.a, start_date=datetime(2024, 1, 1), catchup=False)\n"
    done = rewrite(source.encode(), RULES, PINNING)
    assert "_with_data_interval" not in done.text.decode()
    assert [code for code, _ in done.spots] == ["computed-schedule"]


def test_the_function_gives_what_it_says() -> None:
    class Timetable:
        def __init__(self, what: Any, timezone: str = "") -> None:
            self.what = (what, timezone)

    names: dict[str, Any] = {
        "timedelta": timedelta,
        "CronDataIntervalTimetable": Timetable,
        "DeltaDataIntervalTimetable": Timetable,
    }
    text = computed_schedules.RULE.after
    exec(text[text.index("def _with") : text.index("# one DAG")], names)
    pin = names["_with_data_interval"]
    assert pin("0 2 * * *", "UTC").what == ("0 2 * * *", "UTC")
    assert pin("@daily", "Asia/Tokyo").what == ("@daily", "Asia/Tokyo")
    assert pin(timedelta(hours=1), "UTC").what == (timedelta(hours=1), "")
    now = datetime(2024, 1, 1)  # noqa: DTZ001 - any other value
    for other in (None, "@once", "@continuous", ["a"], now):
        assert pin(other, "UTC") is other


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        ("pendulum.from_format('2023-07-18', 'YYYY-MM-DD').in_tz('Asia/Tokyo')", '"Asia/Tokyo"'),
        ("datetime.now().astimezone(pendulum.timezone('Asia/Tokyo'))", '"Asia/Tokyo"'),
        ("pytz.timezone('Asia/Tokyo').localize(datetime(2024, 1, 1))", '"Asia/Tokyo"'),
        ("cfg.first().replace(tzinfo=pytz.timezone('Asia/Tokyo'))", '"Asia/Tokyo"'),
        ("pendulum.from_format('2023-07-18', 'YYYY-MM-DD')", '"UTC"'),
        ("pendulum.from_format('2023-07-18', 'YYYY-MM-DD', 'Asia/Tokyo')", '"Asia/Tokyo"'),
        ("datetime.fromisoformat('2023-07-18')", '"UTC"'),
    ],
)
def test_the_zone_of_a_date_that_is_made_in_several_steps_is_seen(start: str, zone: str) -> None:
    done = upgraded(f"import pendulum\nimport pytz\nDAG('a', schedule='@daily', start_date={start}, catchup=False)\n")
    assert f'schedule=CronDataIntervalTimetable("0 0 * * *", timezone={zone})' in done


@pytest.mark.parametrize(
    "start",
    [
        "datetime.strptime(cfg.first, cfg.form)",
        "pendulum.parse('2024-01-01T00:00:00+03:00')",
        "pendulum.from_format(cfg.first, 'YYYY-MM-DD Z')",
        "datetime.fromisoformat(\n    cfg.first\n)",
        "cfg.first()",
    ],
)
@pytest.mark.parametrize("schedule", ["'5 4 * * *'", "cfg.every"])
def test_a_start_date_that_only_the_running_file_knows_gets_a_name(start: str, schedule: str) -> None:
    done = upgraded(
        "import pendulum\nfrom airflow.decorators import dag\n_start_date = 1\n\n\ndef of(x):\n    # one\n"
        f"    @dag(\n        schedule={schedule}, start_date={start}, catchup=False)\n    def made():\n        pass\n    return made()\n"
    )
    zone = 'timezone=str(getattr(_start_date2, "tzinfo", None) or "UTC")'
    code = f"({start})" if "\n" in start else start
    assert f"    # one\n    _start_date2 = {code}\n    @dag(\n" in done
    assert zone in done
    assert "start_date=_start_date2, catchup=False" in done


def test_default_args_that_are_called_for_get_a_name() -> None:
    done = upgraded("with DAG('a', schedule='@daily', default_args=cfg.args(), catchup=False) as a:\n    pass\n")
    assert "_default_args = cfg.args()\nwith DAG(" in done
    assert 'timezone=str(getattr(_default_args.get("start_date"), "tzinfo", None) or "UTC")' in done


@pytest.mark.parametrize("text", ["20200501", "2020-05-01", "2020-05-01 10:00"])
def test_a_text_without_an_offset_is_of_the_default_zone(text: str) -> None:
    done = upgraded(
        f"FIRST = '{text}'\nargs = {{'start_date': FIRST}}\nDAG('a', schedule='@daily', default_args=args, catchup=False)\n"
    )
    assert 'CronDataIntervalTimetable("0 0 * * *", timezone="UTC")' in done


def test_a_text_with_an_offset_is_left_to_a_person() -> None:
    source = "args = {'start_date': '2020-05-01T10:00:00+02:00'}\nDAG('a', schedule='@daily', default_args=args, catchup=False)\n"
    source += "DAG('b', schedule='@daily', default_args={'start_date': '2020-05-01T10:00:00+02:00'}, catchup=False)\n"
    done = rewrite((HEAD + source).encode(), RULES, PINNING)
    assert [code for code, _ in done.spots] == ["data-interval"] * 2
