"""Defaults of the providers of Airflow 2 are said where today's are others. If these break, a task silently takes another connection."""

from __future__ import annotations

import pytest

from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import old_provider_defaults

_RDS = "from airflow.providers.amazon.aws.operators.rds import {0}\n{0}(task_id='a')\n"
_POD = "from airflow.providers.cncf.kubernetes.operators.kubernetes_pod import KubernetesPodOperator\n{}\n"


def after(text: str, version: str) -> Rewritten:
    options = Options(source_version=version)
    done = rewrite(text.encode(), [old_provider_defaults.RULE], options)
    assert rewrite(done.text, [old_provider_defaults.RULE], options).text == done.text
    return done


@pytest.mark.parametrize(
    ("text", "version", "wanted"),
    [
        (_RDS.format("RdsStopDbOperator"), "2.10.5", 'aws_conn_id="aws_conn_id")'),
        (_RDS.format("RdsStopDbOperator"), "2.9.1", 'aws_conn_id="aws_conn_id")'),
        (_RDS.format("RdsStopDbOperator"), "2.6.3", ""),  # it had aws_default itself
        (_RDS.format("RdsStopDbOperator"), "2.7.0", ""),
        (_RDS.format("RdsStopDbOperator"), "2.11.2", ""),
        (_RDS.format("RdsStopDbOperator"), "3.0.1", ""),
        (_RDS.format("RdsStopDbOperator"), "1.10.15", ""),
        (_RDS.format("RdsCreateDbSnapshotOperator"), "2.1.4", 'aws_conn_id="aws_conn_id")'),
        (_POD.format("KubernetesPodOperator(task_id='a')"), "2.4.3", "kubernetes_conn_id=None)"),
        (_POD.format("KubernetesPodOperator(task_id='a')"), "2.6.3", ""),
        (_POD.format("class A(KubernetesPodOperator): pass\nA(task_id='a')"), "2.4.0", "A(task_id='a', kubernetes_conn_id=None)"),
        (_POD.format("KubernetesPodOperator(task_id='a', kubernetes_conn_id='k')"), "2.4.3", ""),
        (_POD.format("KubernetesPodOperator(task_id='a', **MORE)"), "2.4.3", ""),
        (_POD.format("KubernetesPodOperator(task_id='a')\nargs = {'kubernetes_conn_id': 'k'}"), "2.4.3", ""),
    ],
)  # fmt: skip
def test_what_was_so_is_said(text: str, version: str, wanted: str) -> None:
    done = after(text, version)
    assert (done.text.decode() == text) == (not wanted)
    assert wanted in done.text.decode()
    assert len(done.notes) == bool(wanted)


def test_what_a_class_of_the_project_says_stays() -> None:
    init = "class A(KubernetesPodOperator):\n    def __init__(self, **kwargs):\n        super().__init__(kubernetes_conn_id='k', **kwargs)\n\n\nA(task_id='a')"
    text = _POD.format(init)
    assert after(text, "2.4.3").text.decode() == text
