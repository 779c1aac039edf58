"""A function that nothing continues: the file imports, what calls it raises, and it is found in every upgrade. If these break, DAGs vanish from the target."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES

_TRIGGER = "from airflow.api.common.experimental.trigger_dag import trigger_dag\n"
_PLAIN = Options()


def upgraded(source: str, options: Options = _PLAIN) -> Rewritten:
    done = rewrite(source.encode(), RULES, options)
    again = rewrite(done.text, RULES, options)
    assert again.text == done.text
    assert [code for code, _ in again.spots] == [code for code, _ in done.spots]
    return done


@pytest.mark.parametrize(
    ("source", "is_stood_in_for"),
    [
        (f"{_TRIGGER}def f(): trigger_dag('x')\n", True),
        (f"{_TRIGGER.rstrip()} as t\ndef f(): t('x')\ng = lambda: t('y')\n", True),
        (f"{_TRIGGER}def f(): trigger_dag('x')\nPythonOperator(task_id='a', python_callable=trigger_dag)\n", True),
        (f"{_TRIGGER}trigger_dag('x')\n", False),
        (f"{_TRIGGER}def f(a=trigger_dag('x')): trigger_dag('y')\n", False),
        (f"{_TRIGGER}@trigger_dag('x')\ndef f(): trigger_dag('y')\n", False),
        (f"{_TRIGGER}def f(): trigger_dag('x')\nprint(trigger_dag.name)\n", False),
        (f"{_TRIGGER}trigger_dag = 1\ndef f(): trigger_dag('x')\n", False),
        (f"def f():\n    {_TRIGGER}    trigger_dag('x')\n", False),  # only this task fails
    ],
)
def test_where_a_function_stands_in(source: str, is_stood_in_for: bool) -> None:
    done = upgraded(source)
    assert ("raise AirflowFailException" in done.text.decode()) == is_stood_in_for
    codes = [code for code, spot in done.spots if "trigger_dag" in spot.message]
    assert ("gone-function" in codes, "moved-name" in codes) == (is_stood_in_for, not is_stood_in_for)
    assert (_TRIGGER.split()[1].encode() + b" import" in done.text) != is_stood_in_for


def test_other_targets_and_wishes() -> None:
    source = f"{_TRIGGER}def f(): trigger_dag('x')\n"
    assert upgraded(source, Options(is_keeping_gone=True)).text.decode() == source
    assert "raise" not in upgraded(source, Options(target="2.11.2")).text.decode()
    older = upgraded(source, Options(target="3.1.8")).text.decode()
    assert "from airflow.exceptions import AirflowFailException" in older


@pytest.mark.parametrize(
    ("source", "new"),
    [
        ("from airflow.models import DAG, datetime\n", "from airflow.sdk import DAG\nfrom datetime import datetime\n"),
        ("from airflow.models import datetime as dt, timedelta\n", "from datetime import datetime as dt, timedelta\n"),
        ("from airflow.models import json, os as o\n", "import json\nimport os as o\n"),
    ],
)
def test_pythons_own_names_come_from_python(source: str, new: str) -> None:
    assert upgraded(source).text.decode() == new


_TRIED = """
import json, sys
names = {}
exec(sys.stdin.read(), names)
try:
    names["f"]()
except names["AirflowFailException"] as error:
    sys.__stdout__.write("RESULT" + str(error))
"""


@pytest.mark.airflow
def test_what_stands_in_raises_in_a_real_airflow(airflow_venv: Callable[..., Venv]) -> None:
    done = subprocess.run(
        [airflow_venv("3.3.2").path / "bin/python", "-c", _TRIED],
        input=upgraded(f"{_TRIGGER}def f(): trigger_dag('x', execution_date=None)\n").text.decode(),
        capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "is gone in Airflow 3. Use TriggerDagRunOperator" in done.stdout.partition("RESULT")[2], done.stderr[-2000:]
