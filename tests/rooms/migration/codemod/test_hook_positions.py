"""What constructors of hooks take by position today is not taken for what it was: the arguments get names, or somebody is told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.moves import table
from aerodrome.migration.codemod.positions import changed_positions
from aerodrome.migration.codemod.rules import RULES

_HEAD = (
    "from airflow.contrib.hooks.aws_lambda_hook import AwsLambdaHook as Old\n"
    "from airflow.contrib.hooks.aws_logs_hook import AwsLogsHook\n"
    "from airflow.contrib.hooks.bigquery_hook import BigQueryHook\n"
    "from airflow.contrib.hooks.ssh_hook import SSHHook\n"
    "from airflow.providers.amazon.aws.hooks.lambda_function import AwsLambdaHook, LambdaHook\n"
    "from airflow.providers.google.cloud.hooks.gcs import GCSHook\n"
    "from airflow.providers.ssh.hooks.ssh import SSHHook as Ssh\n"
)


def rewritten(line: str, version: str = "1.10.15", target: str = "3.3.2") -> Rewritten:
    options = Options(is_pinning_intervals=True, source_version=version, target=target)
    done = rewrite((_HEAD + line + "\n").encode(), RULES, options)
    compile(done.text, "x", "exec")
    return done


def found(done: Rewritten) -> list[str]:
    return [spot.message for code, spot in done.spots if code == "hook-position"]


@pytest.mark.parametrize(
    ("line", "new"),
    [
        ("Old('resize', 'eu-west-1')", "Old(function_name='resize', region_name='eu-west-1')"),
        ("Old('resize', log_type='Tail')", "Old(function_name='resize', log_type='Tail')"),
        ("AwsLambdaHook('resize', 'Tail')", "LambdaHook(function_name='resize', log_type='Tail')"),
        ("AwsLogsHook(REGION)", "AwsLogsHook(region_name=REGION)"),
        ("AwsLogsHook(region_name=REGION)", "AwsLogsHook(region_name=REGION)"),
        ("BigQueryHook('warehouse')", "BigQueryHook(gcp_conn_id='warehouse')"),
        ("SSHHook('host', None, 'me')", "SSHHook('host', None, 'me')"),
        ("LambdaHook('aws')", "LambdaHook('aws')"),
    ],
)
def test_what_is_given_by_position_gets_its_name(line: str, new: str) -> None:
    done = rewritten(line)
    assert done.text.decode().splitlines()[-1] == new
    assert found(done) == []


@pytest.mark.parametrize("target", ["3.3.2", "2.11.2"])
def test_what_has_no_name_any_more_is_found_as_well(target: str) -> None:
    done = rewritten("Old('resize')", target=target)
    (said,) = (spot for code, spot in done.spots if code == "changed-argument")
    assert "`function_name`" in said.message
    assert "invoke_lambda" in said.hint


@pytest.mark.parametrize(
    ("line", "version", "said"),
    [
        ("GCSHook('files', None)", "2.3.0", "GCSHook takes other arguments by position"),
        ("GCSHook('files')", "2.3.0", ""),
        ("GCSHook('files', None)", "3.0.1", ""),
        ("AwsLogsHook('aws')", "2.3.0", ""),
        ("Old(*GIVEN)", "1.10.15", "LambdaHook takes other arguments by position"),
        ("Old('resize', function_name='other')", "1.10.15", ""),
    ],
)
def test_what_may_mean_either_is_found(line: str, version: str, said: str) -> None:
    done = rewritten(line, version)
    assert [said in message for message in found(done)] == ([True] if said else [])
    if said or version != "1.10.15":
        assert line.partition("(")[2] in done.text.decode()


def test_the_constructor_of_a_base_is_looked_at() -> None:
    own = "class Mine(Old):\n    def __init__(self, name):\n        super().__init__(name, log_type='Tail')\n"
    done = rewritten(own)
    assert "super().__init__(function_name=name, log_type='Tail')" in done.text.decode()
    said = [spot.message for code, spot in done.spots if code == "changed-argument"]
    assert ["`function_name`" in said[0], "`log_type`" in said[1]] == [True, True]


_ORDERS = """
import importlib, inspect, json, sys
given, found = json.load(sys.stdin), {}
for name in given:
    module, _, item = name.rpartition(".")
    try:
        cls = getattr(importlib.import_module(module), item)
    except Exception:
        continue
    init = inspect.unwrap(cls.__init__)
    kinds = inspect.Parameter
    found[name] = [
        each.name
        for each in list(inspect.signature(init).parameters.values())[1:]
        if each.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    ]
print("RESULT" + json.dumps(found))
"""


@pytest.mark.airflow
def test_the_table_says_what_todays_constructors_take(airflow_venv: Callable[..., Venv]) -> None:
    venv = airflow_venv("3.3.2", ("apache-airflow-providers-amazon", "apache-airflow-providers-hashicorp"))
    new = {table().moves.get(name, name): entry.today for name, entry in changed_positions().items()}
    answer = subprocess.run(
        [venv.path / "bin" / "python", "-c", _ORDERS],
        input=json.dumps(sorted(new)),
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(answer.stdout.partition("RESULT")[2])
    assert len(found) > 5
    for name, order in found.items():
        assert list(new[name][: len(order)]) == order, name
