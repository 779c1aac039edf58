"""Variables of Hive are those that Oozie takes, others fail as they do there."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest

from aerodrome.migration.convert.contract import Dag
from aerodrome.migration.convert.oozie.reading import read

_HIVE = '<hive xmlns="uri:oozie:hive-action:0.5"><query>q</query>{}</hive>'
_HIVE2 = (
    '<hive2 xmlns="uri:oozie:hive2-action:0.2"><jdbc-url>jdbc:hive2://quay:1/x</jdbc-url><query>q</query>{}</hive2>'
)


def convert(folder: Path, body: str) -> Dag:
    text = f"""<workflow-app xmlns="uri:oozie:workflow:0.5" name="w"><start to="a"/><action name="a">{body}<ok to="end"/><error to="k"/></action>
      <kill name="k"><message>no</message></kill><end name="end"/></workflow-app>"""
    (folder / "workflow.xml").write_text(text)
    (dag,) = read(folder, {}).dags
    return dag


def outcome(folder: Path, dag: Dag, **params: str) -> tuple[int, list[str]]:
    """Run the lines with a client that prints its words, one a line."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters["quote"] = shlex.quote
    arguments: dict[str, Any] = dict(dag.task("a").arguments)
    text = environment.from_string(arguments["bash_command"]).render(
        params={item.name: item.default for item in dag.parameters} | params
    )
    text = f'hive() {{ printf "%s\\n" "$@"; }}\nbeeline() {{ hive "$@"; }}\nhdfs() {{ false; }}\n{text}'
    done = subprocess.run(["bash", "-c", text], cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


@pytest.mark.parametrize("body", [_HIVE, _HIVE2])
@pytest.mark.parametrize("param", ["tide", "=high"])
def test_what_names_no_variable_raises(tmp_path: Path, body: str, param: str) -> None:
    dag = convert(tmp_path, body.format(f"<param>{param}</param>"))
    assert [item.code for item in dag.accounts if item.outcome == "raises"] == ["hive-param"]


@pytest.mark.parametrize("body", [_HIVE, _HIVE2])
@pytest.mark.parametrize(
    ("value", "is_right"), [("tide=high & dry", True), ("tide", False), ("=high", False), ("", False)]
)
def test_what_only_the_run_knows_is_looked_at_there(tmp_path: Path, body: str, value: str, is_right: bool) -> None:
    code, words = outcome(tmp_path, convert(tmp_path, body.format("<param>${both}</param>")), both=value)
    assert (code == 0) is is_right
    assert (value in words) is is_right


def test_one_that_says_its_name_is_not_looked_at(tmp_path: Path) -> None:
    dag = convert(tmp_path, _HIVE.format("<param>tide=${level}</param>"))
    assert "is no NAME=VALUE" not in str(dict(dag.task("a").arguments)["bash_command"])
    assert outcome(tmp_path, dag, level="") == (0, ["--hivevar", "tide=", "-e", "q"])
