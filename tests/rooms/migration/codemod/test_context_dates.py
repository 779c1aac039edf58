"""Days of the context that left it, as Python code reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.airflowkit.code import facts
from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

PINNING = Options(is_pinning_intervals=True)
HEAD = "from airflow.operators.python import PythonOperator\n"


def upgraded(text: str) -> str:
    done = rewrite(f"{HEAD}{text}\n".encode(), RULES, PINNING).text.decode()
    assert rewrite(done.encode(), RULES, PINNING).text.decode() == done
    return done


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("kwargs['next_ds']", "kwargs['data_interval_end'].strftime('%Y-%m-%d')"),
        ('kwargs["next_ds_nodash"]', 'kwargs["data_interval_end"].strftime("%Y%m%d")'),
        ('kwargs.get("yesterday_ds")', 'kwargs["macros"].ds_add(kwargs["ds"], -1)'),
        ("kwargs['tomorrow_ds_nodash']", "kwargs['macros'].ds_add(kwargs['ds'], 1).replace('-', '')"),
        ("f\"a {kwargs['yesterday_ds']} {kwargs['next_ds']}\"", "f\"a {kwargs['macros'].ds_add(kwargs['ds'], -1)} {kwargs['data_interval_end'].strftime('%Y-%m-%d')}\""),
        ("kwargs['prev_ds']", "kwargs['prev_ds']"),
        ("kwargs.get('yesterday_ds', 'x')", "kwargs.get('yesterday_ds', 'x')"),
    ],
)  # fmt: skip
def test_a_day_is_made_from_what_is_there(before: str, after: str) -> None:
    done = upgraded(f"def load(**kwargs):\n    return {before}\nPythonOperator(task_id='a', python_callable=load)")
    assert f"    return {after}\n" in done


@pytest.mark.parametrize(
    ("arguments", "after"),
    [
        ("ds, **kwargs", "kwargs['macros'].ds_add(ds, -1)"),
        ("macros, ds, **kwargs", "macros.ds_add(ds, -1)"),
    ],
)
def test_what_the_function_names_itself_is_not_in_its_kwargs(arguments: str, after: str) -> None:
    text = f"def load({arguments}):\n    return kwargs['yesterday_ds']\n"
    assert f"return {after}\n" in upgraded(f"{text}PythonOperator(task_id='a', python_callable=load)")


@pytest.mark.parametrize(
    "text",
    [
        "def load(**kwargs):\n    return kwargs['next_ds']\nPythonOperator(task_id='a', python_callable=load, op_kwargs={'next_ds': 'x'})",
        "def load(**kwargs):\n    return kwargs['next_ds']\nload(next_ds='x')",
        "def load(**kwargs):\n    return kwargs['next_ds']",
        "def load(**kwargs):\n    return kwargs['yesterday_ds']\nPythonOperator(task_id='a', python_callable=load, op_kwargs={'ds': 'x'})",
        "def load(**kwargs):\n    kwargs['next_ds'] = 'x'\n    return kwargs['next_ds']",
        "def load(ds, **kwargs):\n    ds = 'x'\n    return kwargs['yesterday_ds']",
    ],
)  # fmt: skip
def test_what_may_be_something_else_stays(text: str) -> None:
    assert text in upgraded(text)


def test_hints_beside_python_are_python() -> None:
    hints = {
        fact.line: fact.hint
        for fact in facts("def load(next_ds, **kwargs):\n    kwargs['yesterday_ds']\n    '{{ next_ds }}'\n")
    }
    assert hints[1] == 'Use data_interval_end.strftime("%Y-%m-%d").'
    assert hints[2] == "Use macros.ds_add(ds, -1)."
    assert hints[3] == "Use data_interval_end | ds."


@pytest.mark.parametrize(
    ("schedule", "name"),
    [
        ("timetable=StreamTimetable('x')", "StreamTimetable"),
        ("schedule=CronTriggerTimetable('0 0 * * *', timezone='UTC')", "CronTriggerTimetable"),
        ("schedule=CronDataIntervalTimetable('0 0 * * *', 'UTC')", ""),
        ("schedule='@daily'", ""),
        ("schedule=timedelta(days=1)", ""),
        ("schedule=[Dataset('a')]", ""),
    ],
)
def test_the_next_date_of_a_timetable_with_gaps_is_told(schedule: str, name: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.py").write_text(
        "from datetime import timedelta\nfrom airflow import DAG, Dataset\nfrom airflow.timetables.interval import CronDataIntervalTimetable\n"
        "from airflow.timetables.trigger import CronTriggerTimetable\nfrom streams import StreamTimetable\n"
        f"with DAG('a', {schedule}, catchup=False):\n    BashOperator(task_id='b', bash_command='{{{{ next_execution_date }}}}')\n"
    )
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.1"))
    found = [item.message for item in done.findings if item.rule == "next-date"]
    expected = f"next_execution_date was the date of the run that {name} gives next"
    assert [message.partition(";")[0] for message in found] == ([expected] if name else [])
