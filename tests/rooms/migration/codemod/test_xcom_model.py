"""Calls of XCom's own methods in tasks are those that Airflow 3 takes, or are found."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.rules import RULES

OURS = [rule for rule in RULES if rule.code == "xcom-model"]
HEAD = "from airflow.decorators import task\nfrom airflow.models import XCom\n\n\n@task\ndef load(ti=None, **context):\n    return "
OWN = "key='a', dag_id='b', task_id='c'"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (f"XCom.get_one(execution_date=context['execution_date'], {OWN})", f"XCom.get_one(run_id=ti.run_id, {OWN})"),
        (f"XCom.get_one({OWN}, run_id=ti.run_id, session=None)", f"XCom.get_one({OWN}, run_id=ti.run_id)"),
        ("XCom.get_value(ti_key=ti.key, key='a')", "XCom.get_value(ti_key=ti, key='a')"),
        ("XCom.set('a', 1, dag_id='b', task_id='c', execution_date=context['logical_date'])", "XCom.set('a', 1, dag_id='b', task_id='c', run_id=ti.run_id)"),
        (f"XCom.get_one({OWN}, run_id=ti.run_id)", None),
        ("XCom.get_one(**context)", None),
        ("Other.get_one(1)", None),
    ],
)  # fmt: skip
def test_calls_that_airflow_3_takes(old: str, new: str | None) -> None:
    done = rewrite((HEAD + old + "\n").encode(), OURS, Options(source_version="2.9.3"))
    assert done.text.decode() == HEAD + (new or old) + "\n"
    assert not done.spots
    assert rewrite(done.text, OURS, Options(source_version="2.9.3")).text == done.text


@pytest.mark.parametrize(
    "code",
    [
        f"XCom.get_one(execution_date=other, {OWN})",
        "XCom.get_one(run_id=ti.run_id, task_id='c', dag_id='b')",
        "XCom.get_one(key=None, run_id=ti.run_id, task_id='c', dag_id='b')",
        "XCom.get_one(context['execution_date'], 'a', 'b', 'c')",
        "XCom.get_value(ti_key=ti.key)",
    ],
)
def test_calls_that_cannot_be_made_so_are_found(code: str) -> None:
    done = rewrite((HEAD + code + "\n").encode(), OURS, Options(source_version="2.9.3"))
    assert done.text.decode() == HEAD + code + "\n"
    assert "needs" in str(done.spots)


_FACTS = """
import inspect, json
from airflow.models import XCom
print("RESULT", json.dumps({n: [p.name for p in inspect.signature(getattr(XCom, n)).parameters.values() if p.default is p.empty] for n in ("get_one", "get_value", "set")}))
"""


@pytest.mark.airflow
def test_the_real_one_takes_the_same(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    command = [str(airflow_venv("3.3.2").path / "bin/python"), "-W", "ignore", "-c", _FACTS]
    env = {"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout.rpartition("RESULT ")[2]) == {
        "get_one": ["key", "dag_id", "task_id", "run_id"],
        "get_value": ["ti_key", "key"],
        "set": ["key", "value", "dag_id", "task_id", "run_id"],
    }
