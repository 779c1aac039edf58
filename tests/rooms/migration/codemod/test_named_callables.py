"""Functions that reach tasks by a loop, a table or another function are known as callables, and their moments go on as texts of 1.10."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

_HEAD = (
    "import logging\nfrom functools import partial\nfrom airflow.operators.python_operator import PythonOperator\n\n\n"
)
_FUNCTION = "def load(execution_date, **kwargs):\n    return str(kwargs['execution_date']), str(execution_date)\n\n\n"


def apply(source: str) -> str:
    rules = [rule for rule in RULES if rule.code in ("pendulum-moment", "context-key")]
    return rewrite((_HEAD + source).encode(), rules, Options(source_version="1.10.15")).text.decode()


@pytest.mark.parametrize(
    "tasks",
    [
        "PythonOperator(task_id='a', python_callable=load)\n",
        "for f in (load, print):\n    PythonOperator(task_id='a', python_callable=f)\n",
        "STEPS = [('a', load)]\nfor name, f in STEPS:\n    PythonOperator(task_id=name, python_callable=f)\n",
        "STEPS = {'a': load}\nfor name, f in STEPS.items():\n    PythonOperator(task_id=name, python_callable=f)\n",
        "STEPS = {'a': load}\nfor name in STEPS:\n    PythonOperator(task_id=name, python_callable=STEPS[name])\n",
        "tasks = [PythonOperator(task_id='a', python_callable=f) for f in [load]]\n",
        "PythonOperator(task_id='a', python_callable=partial(load, full=True))\n",
    ],
)
def test_callables_that_are_named_otherwise(tasks: str) -> None:
    done = apply(_FUNCTION + tasks)
    assert "def load(logical_date, **kwargs):" in done
    assert "return kwargs['logical_date'].isoformat(), logical_date.isoformat()" in done


@pytest.mark.parametrize(
    "tasks",
    [
        "load('2020-01-01', execution_date='a')\n",
        "for f in (load,):\n    f('2020-01-01')\n",
        "for f in (load,):\n    PythonOperator(task_id='a', python_callable=f, op_kwargs={'execution_date': 'a'})\n",
    ],
)
def test_what_others_fill_is_left(tasks: str) -> None:
    done = apply(_FUNCTION + tasks)
    assert "str(execution_date)" in done
    assert "isoformat" not in done


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("print(when)", "print(when.isoformat())"),
        ("other = when; x = f'{other}'", "other = when; x = f'{other.isoformat()}'"),
        ("logging.info('at %s, %d', when, 3)", "logging.info('at %s, %d', when.isoformat(), 3)"),
        ("logging.info('%d%% at %s', 3, when)", "logging.info('%d%% at %s', 3, when.isoformat())"),
        ("logging.info('at %r', when)", "logging.info('at %r', when)"),
        ("logging.info('at %(a)s', when)", "logging.info('at %(a)s', when)"),
        ("client.info(when)", "client.info(when)"),
    ],
)
def test_moments_that_are_written(line: str, written: str) -> None:
    body = f"def load(**context):\n    when = context['execution_date']\n    {{}}\n\n\n{'PythonOperator(task_id=1, python_callable=load)'}\n"
    assert written in apply(body.format(line))


def test_a_context_that_is_handed_on() -> None:
    head = "def tell(context):\n    return str(context['execution_date'])\n\n\n"
    task = "def load(**kwargs):\n    tell(kwargs)\n\n\nPythonOperator(task_id='a', python_callable=load)\n"
    assert ".isoformat()" in apply(head + task)
    assert ".isoformat()" not in apply(head + task + "tell({'execution_date': 'a'})\n")
    filled = task.replace("task_id", "op_kwargs={'execution_date': 'a'}, task_id")
    assert ".isoformat()" not in apply(head + filled)
