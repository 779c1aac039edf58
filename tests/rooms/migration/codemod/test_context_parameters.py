"""Days that functions have as parameters: their tasks give them now. If these break, a task fails in Airflow 3, or reads None for a day."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import context_parameters

_HEAD = "from airflow.decorators import task\nfrom airflow.operators.python import PythonOperator\n\n\n"


def after(text: str) -> str:
    return rewrite((_HEAD + text).encode(), [context_parameters.RULE], Options()).text.decode().removeprefix(_HEAD)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "def load(tomorrow_ds, a=1): pass\nPythonOperator(task_id='l', python_callable=load, op_kwargs={'a': 2})\n",
            'op_kwargs={"tomorrow_ds": "{{ macros.ds_add(ds, 1) }}", \'a\': 2}',
        ),
        (
            "def load(yesterday_ds_nodash): pass\nPythonOperator(task_id='l', python_callable=load, op_kwargs={})\n",
            "op_kwargs={\"yesterday_ds_nodash\": \"{{ macros.ds_add(ds, -1) | replace('-', '') }}\"}",
        ),
        (
            "@task\ndef load(a=0, next_ds=None, yesterday_ds=None): pass\nload(a=1)\nload()\n",
            (
                'load(a=1, next_ds="{{ data_interval_end | ds }}", yesterday_ds="{{ macros.ds_add(ds, -1) }}")\n'
                'load(next_ds="{{ data_interval_end | ds }}", yesterday_ds="{{ macros.ds_add(ds, -1) }}")\n'
            ),
        ),
        ("@task.virtualenv\ndef load(next_ds=None): pass\nload()\n", 'load(next_ds="{{ data_interval_end | ds }}")'),
    ],
)
def test_a_day_is_given(text: str, wanted: str) -> None:
    assert wanted in after(text)
    assert after(after(text)) == after(text)


@pytest.mark.parametrize(
    "text",
    [
        "def load(next_ds): pass\nPythonOperator(task_id='l', python_callable=load, op_kwargs={'next_ds': 1})\n",
        "def load(next_ds): pass\nPythonOperator(task_id='l', python_callable=load, op_kwargs=ARGS)\n",
        "def load(next_ds): pass\nPythonOperator(task_id='l', python_callable=load, op_args=[1])\n",
        "def load(next_ds): pass\nPythonOperator(task_id='l', python_callable=load)\nload(3)\n",
        "def load(next_ds): pass\nload(next_ds=3)\n",
        "@task\ndef load(next_ds=None): pass\nload.expand(a=[1])\n",
        "@task\ndef load(a, next_ds=None): pass\nload(1)\n",
        "@task.docker(image='x')\ndef load(next_ds=None): pass\nload()\n",
        "@shop\ndef load(next_ds=None): pass\nload()\n",
        "def load(next_ds_nodash): pass\nPythonOperator(task_id='l', python_callable=load)\nDAG('a', render_template_as_native_obj=True)\n",
        "class A:\n    def load(self, next_ds): pass\n",
    ],
)
def test_what_cannot_be_seen_stays(text: str) -> None:
    assert after(text) == text


def test_nothing_is_found_where_it_is_given(tmp_path: Path) -> None:
    text = (
        _HEAD + "@task.virtualenv\ndef load(next_ds=None, next_execution_date=None):\n    print(next_ds)\n\n\nload()\n"
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in/dag.py").write_text(text)
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.1"))
    assert not done.findings
    assert "def load(next_ds=None, data_interval_end=None)" in (tmp_path / "out/dag.py").read_text()
