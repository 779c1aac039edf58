"""Lineage of before Airflow 3 and params that JSON cannot hold are found, and nothing else of their kind is."""

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

_HEAD = (
    "import pendulum\nfrom datetime import date, datetime, timedelta\nfrom airflow.lineage import AUTO\n"
    "from airflow.sdk import DAG, Asset, Param\nfrom airflow.providers.standard.operators.bash import BashOperator\n"
)


def found(line: str, code: str) -> list[str]:
    done = rewrite((_HEAD + line + "\n").encode(), RULES, Options(is_pinning_intervals=True))
    assert done.text.decode().splitlines()[-1] == line
    return [spot.message for rule, spot in done.spots if rule == code and spot.line > _HEAD.count("\n")]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("AUTO", "took over what the tasks before it had"),
        ("[AUTO]", "took over what the tasks before it had"),
        ("'auto'", "took over what the tasks before it had"),
        ("{'auto': True}", "takes the names of its keys for assets"),
        ("['load']", "names tasks"),
    ],
)
def test_lineage_that_airflow_3_takes_for_something_else(value: str, message: str) -> None:
    for line in (f"BashOperator(task_id='a', bash_command='b', inlets={value})", f"args = {{'inlets': {value}}}"):
        assert [message in text for text in found(line, "lineage")] == [True]


@pytest.mark.parametrize("value", ["[Asset('s3://shop/sales')]", "assets", "[]", "None"])
def test_assets_are_no_lineage_of_before(value: str) -> None:
    assert not found(f"BashOperator(task_id='a', bash_command='b', inlets={value}, outlets={value})", "lineage")


def test_the_import_of_auto_is_found() -> None:
    done = rewrite(b"from airflow.lineage import AUTO\n", RULES, Options())
    assert [spot.message for code, spot in done.spots if code == "lineage"] == [
        "`airflow.lineage.AUTO` is gone: a file that imports it cannot be read."
    ]


_BAD = (
    "datetime(2024, 1, 1)", "date.today()", "timedelta(days=1)", "datetime.now() - timedelta(days=1)", "pendulum.now()", "{1, 2}",
    "set([1])", "{c for c in 'ab'}", "b'a'", "[datetime(2024, 1, 1)]", "{'deep': {1}}", "lambda: 1",
)  # fmt: skip
_GOOD = (
    "datetime(2024, 1, 1).isoformat()", "str(date.today())", "(1, 2)", "{'a': [1, None, True]}", "'{{ ds }}'",
    "datetime.now().strftime('%Y')", "datetime(2024, 1, 1).year + 1", "timedelta(days=1).total_seconds()",
)  # fmt: skip


@pytest.mark.parametrize("value", _BAD)
def test_params_that_json_cannot_hold(value: str) -> None:
    for line in (
        f"DAG('a', schedule=None, params={{'x': {value}}})",
        f"BashOperator(task_id='a', bash_command='b', params={{'x': {value}}})",
        f"DAG('a', schedule=None, default_args={{'params': {{'x': {value}}}}})",
        f"Param({value}, description='x')",
        f"Param(default={value})",
    ):
        assert len(found(line, "param-not-json")) == 1, line


def test_bytes_in_params_are_told_without_what_they_are() -> None:
    (text,) = found("DAG('a', schedule=None, params={'key': b'canary'})", "param-not-json")
    assert "'key'" in text
    assert "canary" not in text


@pytest.mark.parametrize("value", _GOOD)
def test_params_that_json_can_hold(value: str) -> None:
    assert not found(f"DAG('a', schedule=None, params={{'x': {value}, 'y': Param({value})}})", "param-not-json")


def test_params_of_something_else_are_no_params_of_airflow() -> None:
    assert not found("call = {'params': {'x': datetime(2024, 1, 1)}}", "param-not-json")
    assert not found("requests.get('x', params={'x': datetime(2024, 1, 1)})", "param-not-json")


_TRY = """
import json, sys
from datetime import date, datetime, timedelta
import pendulum
from airflow.sdk import Param
refused = []
for text in json.load(sys.stdin):
    try:
        Param(eval(text))
    except Exception:
        refused.append(text)
print("RESULT" + json.dumps(refused))
"""


@pytest.mark.airflow
def test_a_real_airflow_refuses_the_same(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    run = subprocess.run(
        [airflow_venv("3.3.2").path / "bin" / "python", "-c", _TRY],
        input=json.dumps([*_BAD, *_GOOD]),
        env={"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(run.stdout.rpartition("RESULT")[2]) == list(_BAD)
