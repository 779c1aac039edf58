"""The date of the run before, as templates of 1.10 and 2.x had it; what is written gives the same under real Jinja."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import jinja2
import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

HEAD = "from datetime import datetime, timedelta\nimport pendulum\nfrom airflow import DAG\nfrom airflow.operators.bash import BashOperator\n"
START = "start_date=datetime(2024, 1, 1)"


def upgraded(schedule: str, block: str, start: str = START) -> str:
    code = f"{HEAD}with DAG('a', schedule_interval={schedule}, {start}, catchup=False):\n    BashOperator(task_id='b', bash_command='{block}')\n"
    options = Options(is_pinning_intervals=True, source_version="2.9.1")
    done = rewrite(code.encode(), RULES, options).text
    assert rewrite(done, RULES, options).text == done
    return done.decode().partition("bash_command='")[2].rpartition("')")[0]


def rendered(template: str, run_type: str) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters |= {"ds": lambda at: at.strftime("%Y-%m-%d"), "ds_nodash": lambda at: at.strftime("%Y%m%d")}
    at = datetime(2024, 3, 1, tzinfo=UTC)
    return environment.from_string(template).render(
        logical_date=at, dag_run=SimpleNamespace(run_type=run_type), macros=SimpleNamespace(timedelta=timedelta)
    )


@pytest.mark.parametrize(
    ("schedule", "block", "planned", "by_hand"),
    [
        ("'@daily'", "{{ prev_ds }}", "2024-02-29", "2024-03-01"),
        ("'30 2 * * *'", "{{ prev_ds_nodash }}/x", "20240229/x", "20240301/x"),
        ("'@hourly'", "{{ prev_execution_date.hour }}", "23", "0"),
        ("'5 * * * *'", "{{ prev_execution_date.hour }}", "23", "0"),
        ("'*/15 * * * *'", "{{ prev_execution_date.minute }}", "45", "0"),
        ("'0 */6 * * *'", "{{ prev_execution_date.hour }}", "18", "0"),
        ("'0 3 * * 1'", "{{ prev_ds ~ 1 }}", "2024-02-231", "2024-03-011"),
        ("timedelta(days=2)", "{{ prev_ds }}", "2024-02-28", "2024-03-01"),
    ],
)
def test_the_run_before_is_one_step_away(schedule: str, block: str, planned: str, by_hand: str) -> None:
    template = upgraded(schedule, block)
    assert rendered(template, "scheduled") == planned
    assert rendered(template, "manual") == by_hand


@pytest.mark.parametrize(
    ("schedule", "start"),
    [
        ("'@daily'", "start_date=pendulum.datetime(2024, 1, 1, tz='Europe/Paris')"),
        ("'@monthly'", START),
        ("'*/7 * * * *'", START),
        ("'0 2,5 * * *'", START),
        ("'0 2 * * 1-5'", START),
        ("None", START),
        ("cfg.every", START),
        ("timedelta(days=STEP)", START),
    ],
)
def test_schedules_without_one_step_are_left_to_a_person(schedule: str, start: str) -> None:
    assert upgraded(schedule, "{{ prev_ds }}", start) == "{{ prev_ds }}"
