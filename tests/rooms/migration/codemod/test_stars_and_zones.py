"""What stars bring is written out, what plugins put among Airflow's names is told, and dates without a zone are the source's."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.origin import default_timezone
from aerodrome.migration.codemod.rules import RULES

PINNING = Options(is_pinning_intervals=True)


def rewritten(source: str, options: Options = PINNING) -> Rewritten:
    done = rewrite(source.encode(), RULES, options)
    assert rewrite(done.text, RULES, options).text == done.text
    compile(done.text, "x", "exec")
    return done


def project(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "in" / name).write_text(text)
    return folder / "in"


def test_a_star_of_airflow_itself_hides_no_dag_from_the_rules() -> None:
    done = rewritten("from airflow import *\n\nwith DAG('a', schedule_interval=None):\n    pass\n")
    assert done.text.decode() == "from airflow import DAG\n\nwith DAG('a', schedule=None):\n    pass\n"


def test_a_star_that_may_bring_more_stays_beside_what_is_known() -> None:
    source = (
        "from airflow import *\nfrom shop import *\n\nwith DAG('a', schedule_interval=None):\n    pack(Label('x'))\n"
    )
    text = rewritten(source).text.decode()
    assert text.startswith("from airflow import *\nfrom airflow import DAG\nfrom shop import *\n")
    assert "schedule=None" in text


def test_a_star_of_a_provider_stays_and_what_moved_within_it_is_named() -> None:
    source = (
        "from airflow.providers.http.operators.http import *\n\na = SimpleHttpOperator(task_id='a', endpoint='b')\n"
    )
    text = rewritten(source).text.decode()
    assert text == (
        "from airflow.providers.http.operators.http import *\nfrom airflow.providers.http.operators.http import HttpOperator\n"
        "\na = HttpOperator(task_id='a', endpoint='b')\n"
    )


def test_a_star_of_airflow_that_nobody_needs_stays() -> None:
    source = "from airflow import *\nfrom shop import load\n\nload()\n"
    assert rewritten(source).text.decode() == source


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("from airflow.operators import ShopOperator", ["airflow.operators.ShopOperator"]),
        ("from airflow.hooks import ShopHook, BaseHook", ["airflow.hooks.ShopHook"]),
        ("from airflow.operators import BashOperator", []),
        ("from airflow.operators import PostgresOperator", []),
        ("from airflow.hooks import base", []),
    ],
)
def test_names_that_plugins_put_among_airflows_are_told(line: str, told: list[str]) -> None:
    spots = [spot for code, spot in rewritten(f"{line}\n").spots if code == "moved-name" and "plugin" in spot.message]
    assert [spot.message.split("`")[1] for spot in spots] == told


@pytest.mark.parametrize(
    "line",
    [
        "from airflow.providers.postgres.operators.postgres import PostgresOperator",
        "from airflow.operators import PostgresOperator",
        "from airflow.providers.snowflake.operators.snowflake import SnowflakeOperator",
        "from airflow.providers.cncf.kubernetes.backcompat.volume import Volume",
    ],
)
def test_an_unused_import_of_a_replaced_class_goes(line: str, tmp_path: Path) -> None:
    source = project(
        tmp_path, {"d.py": f"{line}\nfrom airflow.providers.postgres.hooks.postgres import PostgresHook\n"}
    )
    upgrade(source, tmp_path / "out", "3.3.2")
    assert (
        tmp_path / "out" / "d.py"
    ).read_text() == "from airflow.providers.postgres.hooks.postgres import PostgresHook\n"


def test_none_where_airflow_3_wants_a_type_is_left_out() -> None:
    done = rewritten(
        "from airflow import DAG\n\nDAG('a', schedule=None, default_args=None, tags=None, owner_links=None)\n"
    )
    assert "DAG('a', schedule=None, tags=None)" in done.text.decode()


def test_a_webhook_of_slack_says_where_its_token_must_be() -> None:
    source = (
        "from airflow.providers.slack.operators.slack_webhook import SlackWebhookOperator\n\n"
        "tell = SlackWebhookOperator(task_id='tell', http_conn_id='slack', message='done')\n"
    )
    notes = [spot for code, spot in rewritten(source).notes if code == "renamed-argument"]
    assert [(spot.line, "password of the connection 'slack'" in spot.message) for spot in notes] == [(3, True)]


_NAIVE = (
    "from airflow import DAG\nfrom datetime import datetime\n\n"
    "DAG('a', schedule='0 2 * * *', start_date=datetime(2024, 1, 1), catchup=True)\n"
)


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        ("datetime(2024, 1, 1)", "Asia/Seoul"),
        ("datetime.now() - timedelta(days=1)", "Asia/Seoul"),
        ("pendulum.datetime(2024, 1, 1)", "UTC"),
        ("days_ago(1)", "UTC"),
        ('pendulum.datetime(2024, 1, 1, tz="Europe/Oslo")', "Europe/Oslo"),
    ],
)
def test_a_cron_runs_in_the_zone_of_the_source(start: str, zone: str) -> None:
    head = "from airflow import DAG\nfrom airflow.utils.dates import days_ago\nfrom datetime import datetime, timedelta\nimport pendulum\n\n"
    source = f"{head}DAG('a', schedule='0 2 * * *', start_date={start}, catchup=True)\n"
    options = Options(is_pinning_intervals=True, default_timezone="Asia/Seoul")
    assert f'CronDataIntervalTimetable("0 2 * * *", timezone="{zone}")' in rewritten(source, options).text.decode()


def test_a_start_date_that_only_the_running_file_knows_falls_back_to_the_zone_of_the_source() -> None:
    source = "from airflow import DAG\nfrom shop import FIRST\n\nDAG('a', schedule='0 2 * * *', start_date=FIRST, catchup=True)\n"
    text = rewritten(source, Options(is_pinning_intervals=True, default_timezone="Asia/Seoul")).text.decode()
    assert 'timezone=str(getattr(FIRST, "tzinfo", None) or "Asia/Seoul")' in text


def test_the_zone_of_the_sources_machine_is_nobodys_guess() -> None:
    options = Options(is_pinning_intervals=True, default_timezone="system")
    done = rewritten(_NAIVE, options)
    assert "CronDataIntervalTimetable" not in done.text.decode()
    assert [code for code, _ in done.spots] == ["data-interval"]
    defaults = "from airflow import DAG\n\nd = {'start_date': '2024-01-01'}\nDAG('a', schedule=None, default_args=d)\n"
    told = rewritten(defaults, options)
    assert "'2024-01-01'" in told.text.decode()
    assert ("argument-type", 3) in [(code, spot.line) for code, spot in told.spots]


def test_dates_in_texts_are_of_the_zone_of_the_source() -> None:
    source = "from airflow import DAG\n\nd = {'start_date': '2024-01-01'}\nDAG('a', schedule=None, default_args=d)\n"
    text = rewritten(source, Options(default_timezone="Asia/Seoul")).text.decode()
    assert 'pendulum.datetime(2024, 1, 1, tz="Asia/Seoul")' in text


@pytest.mark.parametrize(
    ("name", "text", "zone"),
    [
        ("airflow.cfg", "[core]\n# default_timezone = utc\ndefault_timezone = America/Argentina/Buenos_Aires\n", "America/Argentina/Buenos_Aires"),
        ("Dockerfile", "FROM apache/airflow:2.9.3\nENV AIRFLOW__CORE__DEFAULT_TIMEZONE=Asia/Seoul\n", "Asia/Seoul"),
        (".env", 'AIRFLOW__CORE__DEFAULT_TIMEZONE="Asia/Seoul"\n', "Asia/Seoul"),
        ("docker-compose.yaml", "environment:\n  - AIRFLOW__CORE__DEFAULT_TIMEZONE=Asia/Seoul\n", "Asia/Seoul"),
        ("docker-compose.yml", "environment:\n  AIRFLOW__CORE__DEFAULT_TIMEZONE: 'Asia/Seoul'\n", "Asia/Seoul"),
        ("airflow.cfg", "[core]\n# default_timezone = Asia/Seoul\n[webserver]\ndefault_ui_timezone = Asia/Seoul\n", ""),
        ("docker-compose.yaml", "environment:\n  AIRFLOW__CORE__DEFAULT_TIMEZONE: ${TZ}\n", ""),
    ],
)  # fmt: skip
def test_the_zone_is_found_in_the_projects_files(name: str, text: str, zone: str, tmp_path: Path) -> None:
    found = project(tmp_path, {name: text, "dags/d.py": _NAIVE})
    assert default_timezone(found) == default_timezone(found / "dags") == zone
    upgrade(found, tmp_path / "out", "3.3.2", PINNING)
    assert f'timezone="{zone or "UTC"}"' in (tmp_path / "out" / "dags" / "d.py").read_text()


def test_what_the_caller_says_of_the_zone_counts_more_than_the_projects_files(tmp_path: Path) -> None:
    found = project(tmp_path, {"airflow.cfg": "[core]\ndefault_timezone = Asia/Seoul\n", "dags/d.py": _NAIVE})
    upgrade(found, tmp_path / "out", "3.3.2", Options(is_pinning_intervals=True, default_timezone="Europe/Oslo"))
    assert 'timezone="Europe/Oslo"' in (tmp_path / "out" / "dags" / "d.py").read_text()


def test_a_star_of_datetime_brings_what_dates_are_made_of() -> None:
    source = (
        "from datetime import *\nfrom airflow import DAG\n\nwith DAG('a', schedule='@daily', start_date=datetime(2024, 1, 1), "
        "dagrun_timeout=timedelta(1), catchup=False):\n    pass\n"
    )
    assert 'CronDataIntervalTimetable("0 0 * * *", timezone="UTC")' in rewritten(source).text.decode()


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        ("datetime.now(tz=timezone.utc) - timedelta(days=60)", '"UTC"'),
        ("datetime.now(timezone.utc)", '"UTC"'),
        ("datetime.now() - timedelta(days=1)", '"UTC"'),
        ('pendulum.today("Europe/Paris").add(days=-1)', '"Europe/Paris"'),
        ('pendulum.now(tz="Asia/Tokyo")', '"Asia/Tokyo"'),
    ],
)
def test_a_start_date_of_today_has_the_zone_that_it_was_asked_in(start: str, zone: str) -> None:
    source = (
        "import pendulum\nfrom datetime import datetime, timedelta, timezone\nfrom airflow import DAG\n\n"
        f"dag = DAG('a', schedule='@daily', start_date={start}, catchup=False)\n"
    )
    assert f'CronDataIntervalTimetable("0 0 * * *", timezone={zone})' in rewritten(source).text.decode()


def test_a_start_date_that_only_default_args_can_say_is_asked_at_run_time() -> None:
    source = (
        "from airflow import DAG\nfrom shop import first_day\n\ndefaults = {'start_date': first_day(3)}\n"
        "dag = DAG('a', schedule='@daily', default_args=defaults, catchup=False)\n"
    )
    expected = 'timezone=str(getattr(defaults.get("start_date"), "tzinfo", None) or "UTC")'
    assert expected in rewritten(source).text.decode()


def test_a_date_that_is_made_in_the_call_gets_a_name_and_is_asked_at_run_time() -> None:
    source = "from airflow import DAG\nfrom shop import first_day\n\ndag = DAG('a', schedule='@daily', start_date=first_day(3), catchup=False)\n"
    text = rewritten(source).text.decode()
    assert "\n_start_date = first_day(3)\ndag = DAG('a', " in text
    assert 'timezone=str(getattr(_start_date, "tzinfo", None) or "UTC")), start_date=_start_date' in text
