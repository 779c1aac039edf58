"""A target of 2.11 gets only what it cannot understand changed: flat imports, contrib without a shim, unknown arguments, Python 2."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options, Rule, upgrade
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.moves import package_of, table
from aerodrome.migration.codemod.rules import RULES

OF_2 = Options(target="2.11.2", is_pinning_intervals=True)


def apply(source: str) -> str:
    return rewrite(source.encode(), RULES, OF_2).text.decode()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "from airflow.operators import BashOperator\nBashOperator(task_id='a', bash_command='b', name='c')\n",
            "from airflow.operators.bash import BashOperator\nBashOperator(task_id='a', bash_command='b')\n",
        ),
        ("from airflow.contrib.operators.ssh_operator import SSHOperator\n", None),  # 2.11 has a shim
        ("from airflow.operators.bash_operator import BashOperator\n", None),
        ("from airflow import DAG\nDAG('a', schedule_interval='@daily', default_view='tree', concurrency=3)\n", None),
        ("from airflow.operators.subdag_operator import SubDagOperator\n", None),
        ("from airflow.utils.dates import days_ago\nx = days_ago(1), '{{ execution_date }}'\n", None),
        (
            "from airflow.operators.trigger_dagrun import TriggerDagRunOperator\nTriggerDagRunOperator(task_id='a', execution_date=d)\n",
            None,
        ),
        (
            "from airflow.operators.postgres_operator import PostgresOperator\nPostgresOperator(task_id='a', sql='b', postgres_conn_id='c')\n",
            (
                "from airflow.operators.postgres_operator import PostgresOperator\n"
                "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator\n"
                "SQLExecuteQueryOperator(task_id='a', sql='b', conn_id='c', do_xcom_push=False)\n"
            ),
        ),
    ],
)
def test_only_what_2_cannot_understand_changes(old: str, new: str | None) -> None:
    done = rewrite(old.encode(), RULES, OF_2)
    assert done.text.decode() == (new or old)
    assert new or done.spots == []  # an import that nothing uses any more goes later
    assert apply(done.text.decode()) == done.text.decode()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_nothing_of_airflow_3_is_written(rule: Rule) -> None:
    once = apply(rule.before)
    compile(once, "once", "exec")
    assert apply(once) == once
    for word in ("airflow.sdk", "airflow.providers.standard", "fail_fast", "logical_date", "TaskGroup", "catchup=True"):
        assert once.count(word) <= rule.before.count(word)


def test_no_way_leads_to_airflow_3() -> None:
    known = table(2)
    assert len(known.moves) > 50
    assert not any(new.startswith(("airflow.sdk", "airflow.providers.standard")) for new in known.moves.values())
    assert not set(known.moves.values()) & (set(known.moves) | known.gone)


def test_requirements_and_commands_of_1_10(tmp_path: Path) -> None:
    (source := tmp_path / "in").mkdir()
    (source / "requirements.txt").write_text("apache-airflow[ssh]==1.10.15\nrequests\n")
    (source / "run.sh").write_text("airflow trigger_dag a\nairflow db init\n")
    done = upgrade(source, tmp_path / "out", "2.11.2", OF_2)
    assert (tmp_path / "out/requirements.txt").read_text() == "requests\n"
    assert [(item.file, item.line, item.rule) for item in done.findings] == [
        ("requirements.txt", 1, "airflow-pin"),
        ("run.sh", 1, "old-cli"),
    ]


def test_imports_that_became_unused_go_and_are_no_finding(tmp_path: Path) -> None:
    (source := tmp_path / "in").mkdir()
    text = "from airflow.operators.postgres_operator import PostgresOperator\nPostgresOperator(task_id='a', sql='b', postgres_conn_id='c')\n"
    (source / "d.py").write_text(text)
    done = upgrade(source, tmp_path / "out", "2.11.2", OF_2)
    assert {item.rule for item in done.findings} == {
        "provider-needed"
    }  # of the database; Airflow itself does not bring it
    assert "postgres_operator" not in (tmp_path / "out/d.py").read_text()


_IMPORT = """
import importlib, json, logging, sys, warnings
warnings.simplefilter("ignore"); logging.disable(50)
def works(name):
    module, _, item = name.rpartition(".")
    try:
        getattr(importlib.import_module(module), item)
    except Exception:
        return False
    return True
print("RESULT" + json.dumps([name for name in json.load(sys.stdin) if works(name)]))
"""


@pytest.mark.airflow
def test_airflow_2_11_imports_what_the_table_says(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    own = {old: new for old, new in table(2).moves.items() if package_of(new) is None and new.startswith("airflow.")}
    env = {key: value for key, value in os.environ.items() if not key.startswith("AIRFLOW")}
    env |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/none.db"}
    command = [str(airflow_venv("2.11.2").path / "bin/python"), "-c", _IMPORT]
    names = json.dumps(sorted({*own, *own.values()}))
    done = subprocess.run(command, input=names, env=env, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout.rpartition("RESULT")[2])) == set(own.values())
