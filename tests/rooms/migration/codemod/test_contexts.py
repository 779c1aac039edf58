"""Contexts of tasks are known by what binds them, under any name; what only has such a name is left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

OURS = [rule for rule in RULES if rule.code in ("context-key", "context-date", "pendulum-moment", "asset-event")]

NOT_OF_AIRFLOW = [
    'def build():\n    context = {"execution_date": 1}\n    return context["execution_date"]\n',
    'def build():\n    kwargs = dict(execution_date=3)\n    return kwargs.get("execution_date")\n',
    'def render(context):\n    return context["execution_date"]\n\n\nrender({"execution_date": 1})\n',
    'def render(**kwargs):\n    return kwargs["execution_date"]\n\n\nrender(execution_date=1)\n',
    'class Runner:\n    def execute(self, context):\n        return context["execution_date"]\n\n\nRunner().execute({"execution_date": 1})\n',
    'class Base(object):\n    pass\n\n\nclass Runner(Base):\n    def execute(self, context):\n        return context["execution_date"]\n\n\nRunner().execute({"execution_date": 1})\n',
    "def tell(dag_run):\n    return dag_run.execution_date\n\n\ntell(client.run(1))\n",
    'def render(context):\n    return "{}".format(context["execution_date"])\n\n\nrender(load(1))\n',
    (
        'from airflow.operators.python import PythonOperator\n\n\ndef load(context):\n    return context["execution_date"]\n\n\n'
        'PythonOperator(task_id="a", python_callable=load, op_args=[{"execution_date": 1}])\n'
    ),
    'from airflow.decorators import task\n\n\n@task\ndef load(**kwargs):\n    return kwargs["execution_date"]\n\n\nload(execution_date=4)\n',
]


@pytest.mark.parametrize("code", NOT_OF_AIRFLOW)
def test_another_mapping_of_the_same_name_stays(code: str) -> None:
    assert rewrite(code.encode(), OURS, Options(source_version="2.7.3")).text.decode() == code


_OPERATOR = (
    "from airflow.models import BaseOperator\n\n\nclass Load(BaseOperator):\n    def {head}:\n        return {0}\n"
)
_CALLABLE = (
    "from airflow.operators.python import PythonOperator\n\n\ndef load(**ours):\n    return {0}\n\n\n"
    'PythonOperator(task_id="a", python_callable=load)\n'
)
OF_AIRFLOW = [
    (_OPERATOR.replace("{head}", "execute(self, c)"), 'c["execution_date"]', 'c["logical_date"]'),
    (_OPERATOR.replace("{head}", "poke(self, c)"), 'c.get("execution_date")', 'c.get("logical_date")'),
    (
        ("from airflow.models import BaseOperator\n\n\nclass Load(BaseOperator):\n    def execute(self, c):\n        self.all = c\n\n"
        "    def tell(self):\n        return {0}\n"),
        'self.all["execution_date"]',
        'self.all["logical_date"]',
    ),
    (
        _OPERATOR.replace("{head}", "done(self, c, event)") + '\n    def wait(self):\n        self.defer(trigger=1, method_name="done")\n',
        'c["execution_date"]',
        'c["logical_date"]',
    ),
    (_CALLABLE, 'ours["execution_date"]', 'ours["logical_date"]'),
    (_CALLABLE, 'ours["dag_run"].execution_date', 'ours["dag_run"].logical_date'),
    (_CALLABLE, 'ours["next_ds"]', 'ours["data_interval_end"].strftime("%Y-%m-%d")'),
    (_CALLABLE, 'str(ours["logical_date"])', 'ours["logical_date"].isoformat()'),
    ("def tell(what):\n    return {0}\n\n\nargs = dict(on_failure_callback=tell)\n", 'what["ti"].execution_date', 'what["logical_date"]'),
    ("def tell(what):\n    return {0}\n\n\nBash(pre_execute=tell)\n", 'what["execution_date"]', 'what["logical_date"]'),
    ("def check(answer, **w):\n    return {0}\n\n\nHttp(response_check=check)\n", 'w["execution_date"]', 'w["logical_date"]'),
    ("load = Python(python_callable=lambda **w: {0})\n", 'w["execution_date"]', 'w["logical_date"]'),
    (
        "def tell(given):\n    return {0}\n\n\ndef alert(what):\n    tell(what)\n\n\nargs = dict(on_failure_callback=alert)\n",
        'given["execution_date"]',
        'given["logical_date"]',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("code", "old", "new"), OF_AIRFLOW)
def test_a_context_of_any_name_is_one(code: str, old: str, new: str) -> None:
    done = rewrite(code.replace("{0}", old).encode(), OURS, Options(source_version="2.7.3"))
    assert done.text.decode() == code.replace("{0}", new)


def findings(tmp_path: Path, code: str) -> list[tuple[str, int, str]]:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/sales.py").write_text(code)
    result = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.3"))
    return [
        (item.rule, item.line, item.message.split("`")[1])
        for item in result.findings
        if item.rule in ("context-key", "context-renamed", "AIR301")
    ]


def test_what_callers_fill_is_not_found_by_ruff_either(tmp_path: Path) -> None:
    code = """from airflow.sdk import task


@task
def load(execution_date, prev_ds=None):
    return execution_date, prev_ds


@task
def more(**kwargs):
    return kwargs["prev_ds"], kwargs.get("next_ds")


def render(context, prev_ds):
    return context["prev_ds"]


load(execution_date=1, prev_ds=2)
more(prev_ds=1, next_ds=2)
render({"prev_ds": 1}, 2)
"""
    assert findings(tmp_path, code) == []


def test_what_one_caller_does_not_fill_is_found(tmp_path: Path) -> None:
    code = """from airflow.sdk import task


@task
def load(prev_ds=None):
    return prev_ds


load(prev_ds=2)
load()
"""
    assert ("AIR301", 5, "prev_ds") in findings(tmp_path, code)


def test_a_name_that_is_gone_is_found_in_a_context_of_any_name(tmp_path: Path) -> None:
    code = """from airflow.sdk import BaseOperator


class Load(BaseOperator):
    def execute(self, c):
        return c["prev_ds"]
"""
    assert ("context-key", 6, "prev_ds") in findings(tmp_path, code)
