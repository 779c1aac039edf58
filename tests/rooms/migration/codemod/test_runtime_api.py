"""What tasks and callbacks ask of their task instance, run, DAG and task: every way to them is followed, and what is gone is said."""

from __future__ import annotations

import ast

import pytest

from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES
from aerodrome.migration.codemod.runtime import gone_attributes

_HEAD = "from airflow.decorators import task\nfrom airflow.models import DagRun, TaskInstance\nfrom airflow.operators.python import PythonOperator, get_current_context\n"


def apply(source: str) -> Rewritten:
    rules = [rule for rule in RULES if rule.code in ("runtime-api", "external-trigger", "context-key")]
    return rewrite((_HEAD + source).encode(), rules, Options())


@pytest.mark.parametrize(
    "function",
    [
        "def alert(context):\n    {0}context['ti']{1}\n",
        "def alert(context):\n    ti = context['task_instance']\n    {0}ti{1}\n",
        "def alert(context):\n    ti: TaskInstance = context.get('ti')\n    {0}ti{1}\n",
        "def alert(what):\n    {0}what['ti']{1}\n\n\nargs = {{'on_retry_callback': alert}}\n",
        "def alert(channel, what):\n    {0}what['ti']{1}\n\n\ndef outer(context):\n    alert('a', context)\n",
        "def alert(ti):\n    {0}ti{1}\n\n\ndef outer(context):\n    alert(context['ti'])\n",
        "def alert(ti: TaskInstance):\n    {0}ti{1}\n",
        "args = {{'on_failure_callback': [lambda what: {0}what['ti']{1}]}}\n",
        "def go():\n    context = get_current_context()\n    ti = context['ti']\n    {0}ti{1}\n",
        "def go():\n    {0}get_current_context()['ti']{1}\n",
        "def go(**kwargs):\n    {0}kwargs.get('ti'){1}\n",
        "def go(ti, **kwargs):\n    {0}ti{1}\n\n\nfor name, f in {{'a': go}}.items():\n    PythonOperator(task_id=name, python_callable=f)\n",
        "@task\ndef go(**context):\n    def inner():\n        ti = context['ti']\n        return {0}ti{1}\n    return inner()\n",
    ],
)
def test_every_way_to_a_task_instance_is_followed(function: str) -> None:
    done = apply(function.format("", ".queued_dttm"))
    assert [spot.message.partition(" in ")[0] for _, spot in done.spots] == ["A task instance has no `queued_dttm`"]
    text = apply(function.format("", ".dag_run.external_trigger")).text.decode()
    assert ".run_type in ('manual'" in text.replace('"', "'")
    assert "ti.dag_run" not in text
    ast.parse(text)
    assert apply(text.removeprefix(_HEAD)).text.decode() == text


@pytest.mark.parametrize(
    "function",
    [
        "def go(ti):\n    print(ti.queued_dttm)\n",  # nobody is seen to call it
        "def go(what):\n    print(what['ti'].queued_dttm)\n",
        "def go(context):\n    context = load()\n    ti = context['state']\n    print(ti.run)\n",
        "@task\ndef go(task):\n    task.run()\n\n\ngo('a')\n",
        "def task_instance_mutation_hook(task_instance: TaskInstance):\n    print(task_instance.queued_dttm)\n",
        "class Handler:\n    def read(self, ti: TaskInstance):\n        return ti.dag_run, ti.execution_date\n",
        "def go(run):\n    run.update_state()\n    run['dag_run'].id = 1\n",
        "class A:\n    def go(self):\n        self.log.info('a')\n        self.dag_run.id\n",
    ],
)
def test_what_may_be_anything_is_left(function: str) -> None:
    done = apply(function)
    assert done.spots == []
    assert done.text.decode() == _HEAD + function


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f(context):\n    x = context['ti'].get_dagrun().conf\n", 'def f(context):\n    x = context["dag_run"].conf\n'),
        (
            "def f(context):\n    ti = context['ti']\n    return ti.dag_run.run_id, ti.logical_date\n",
            'def f(context):\n    ti = context[\'ti\']\n    return context["dag_run"].run_id, context["dag_run"].logical_date\n',
        ),
        (
            "@task\ndef f(ti=None, dag_run=None):\n    return ti.get_dagrun(session=None).conf\n",
            "@task\ndef f(ti=None, dag_run=None):\n    return dag_run.conf\n",
        ),
        (
            "@task\ndef f(ti=None):\n    return ti.get_dagrun().conf\n",
            '@task\ndef f(ti=None):\n    return ti.get_template_context()["dag_run"].conf\n',
        ),
        (
            'def f(ti: TaskInstance):\n    return f"{ti.dag_run.conf}"\n',
            "def f(ti: TaskInstance):\n    return f\"{ti.get_template_context()['dag_run'].conf}\"\n",
        ),
        (
            "def f(context):\n    ti = context['ti']\n    context = {}\n    return ti.dag_run.conf, context\n",
            "def f(context):\n    ti = context['ti']\n    context = {}\n    return ti.get_template_context()[\"dag_run\"].conf, context\n",
        ),
        (
            "def f(context):\n    run = context.get('dag_run')\n    return run.execution_date\n",
            "def f(context):\n    run = context.get('dag_run')\n    return run.logical_date\n",
        ),
        (
            "def f(context):\n    ti = context['ti']\n    return ti.pool_slots, ti.operator_name, ti.executor_config\n",
            "def f(context):\n    ti = context['ti']\n    return ti.task.pool_slots, ti.task.operator_name, ti.task.executor_config\n",
        ),
    ],
)  # fmt: skip
def test_what_has_an_equal_is_written(old: str, new: str) -> None:
    done = apply(old)
    assert done.text.decode() == _HEAD + new
    assert done.spots == []


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("ti.get_dagrun().state", "get_dagrun_state"),
        ("ti.dag_run.refresh_from_db()", "get_dagrun_state"),
        ("ti.next_try_number", "ti.try_number + 1"),
        ("ti.dag_model", "REST API"),
        ("context['dag_run'].queued_at", "dagRuns/{run_id}"),
        ("context['dag'].default_view", "one view"),
        ("context['task'].priority_weight_total", "task.priority_weight"),
        ("ti.task.dag.get_is_paused()", "/dags/{dag_id}."),
    ],
)
def test_what_is_gone_is_found_with_a_way(line: str, hint: str) -> None:
    source = f"def f(context):\n    ti = context['ti']\n    return {line}\n"
    done = apply(source)
    assert done.text.decode() == _HEAD + source
    assert [hint in spot.hint for _, spot in done.spots] == [True]


def test_the_table_has_what_was_measured() -> None:
    gone = gone_attributes()
    assert {"get_dagrun", "job_id", "queued_dttm"} <= gone["ti"]
    assert gone["ti"].isdisjoint({"task", "try_number", "xcom_pull", "state", "run_id", "log_url"})
    assert gone["dag_run"].isdisjoint({"conf", "run_id", "run_type", "logical_date", "state"})
    assert gone["dag"].isdisjoint({"dag_id", "fileloc", "tasks", "timetable"})
    assert "xcom_pull" in gone["task"]
