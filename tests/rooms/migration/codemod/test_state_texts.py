"""Kinds and states of runs as texts, and names of the context that others than Airflow fill."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

OURS = [rule for rule in RULES if rule.code == "state-text"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("str(dag_run.run_type)", "dag_run.run_type.value"),
        ("f'{dag_run.run_type}__{dag_run.run_id}'", "f'{dag_run.run_type.value}__{dag_run.run_id}'"),
        ("'%s' % context['dag_run'].state", "'%s' % context['dag_run'].state.value"),
        ("f'{ti.state}'", "f'{(ti.state and ti.state.value)}'"),
        ("print(ti.dag_run.run_type)", "print(ti.dag_run.run_type.value)"),
        ("dag_run.run_type == 'manual'", "dag_run.run_type == 'manual'"),
        ("'a' + dag_run.run_type", "'a' + dag_run.run_type"),
        ("{'a': dag_run.state}", "{'a': dag_run.state}"),
        ("f'{pod.state}'", "f'{pod.state}'"),
        ("'{{ dag_run.run_type }}'", "'{{ dag_run.run_type.value }}'"),
        ("'{{ ti.state }}'", "'{{ ti.state.value if ti.state else ti.state }}'"),
        ("'{{ dag_run.run_type ~ ds }}'", "'{{ dag_run.run_type.value ~ ds }}'"),
        ("'{{ dag_run.run_type == 1 }}{{ dag_run.conf }}'", "'{{ dag_run.run_type == 1 }}{{ dag_run.conf }}'"),
    ],
)
def test_what_is_written_out(old: str, new: str) -> None:
    source = f"from airflow.decorators import task\n\n\n@task\ndef tell(dag_run=None, ti=None, pod=None, **context):\n    return {old}\n"
    done = rewrite(source.encode(), OURS, Options(source_version="2.9.3"))
    assert done.text.decode() == source.replace(old, new)
    assert rewrite(done.text, OURS, Options(source_version="2.9.3")).text == done.text
    assert rewrite(source.encode(), OURS, Options(source_version="3.0.1")).text.decode() == source


@pytest.mark.parametrize(
    ("version", "new"), [("2.9.3", "{{ dag_run.run_type.value }}"), ("3.0.1", "{{ dag_run.run_type }}")]
)
def test_files_of_templates(version: str, new: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/tell.sql").write_text("select '{{ dag_run.run_type }}'\n")
    upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version=version))
    assert (tmp_path / "out/tell.sql").read_text() == f"select '{new}'\n"


def test_what_op_kwargs_fill_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/sales.py").write_text(
        """from airflow import DAG
from airflow.operators.python import PythonOperator


def load(execution_date, **kwargs):
    return execution_date, kwargs["prev_ds"], kwargs.get("prev_ds_nodash"), kwargs["execution_date"]


def other(**kwargs):
    return kwargs["prev_ds"]


with DAG("sales", schedule=None):
    PythonOperator(task_id="a", python_callable=load, op_kwargs={"execution_date": "x", "prev_ds": 1, "prev_ds_nodash": 2})
    PythonOperator(task_id="b", python_callable=other)
"""
    )
    result = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.3"))
    found = [
        (item.rule, item.line) for item in result.findings if item.rule in ("context-key", "context-renamed", "AIR301")
    ]
    line = (tmp_path / "out/sales.py").read_text().splitlines().index('    return kwargs["prev_ds"]') + 1
    assert found == [("context-key", line)]
