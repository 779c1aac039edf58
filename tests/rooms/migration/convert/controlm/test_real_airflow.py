"""What is emitted is read and kept by the real Airflow 2.11 and 3.3, task for task and edge for edge."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.rooms.migration.convert.controlm.sample import EXPORTS

from aerodrome.builds import Venv
from aerodrome.migration.convert.contract import Target
from aerodrome.migration.convert.controlm.reading import read
from aerodrome.migration.convert.controlm.variables.autoedit import Scope, compile_text
from aerodrome.migration.convert.emission import compose, emit

PROBE = Path(__file__).parent / "probe.py"
VERSIONS: tuple[tuple[Target, str], ...] = (("2.11", "2.11.2"), ("3.3", "3.3.2"))
PROVIDERS = tuple(
    f"apache-airflow-providers-{name}"
    for name in ("standard", "ssh", "sftp", "common-io", "smtp", "common-sql", "http", "amazon")
)


def check(venv: Venv, project: Path, home: Path) -> dict[str, Any]:
    """Read a project with an Airflow; give what it saw."""
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(project / "plugins"),
    }
    done = subprocess.run(
        [str(venv.path / "bin/python"), str(PROBE), str(project)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.mark.airflow
@pytest.mark.parametrize(("target", "version"), VERSIONS)
def test_emitted_files_are_read_and_kept(
    tmp_path: Path, airflow_venv: Callable[..., Venv], target: Target, version: str
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    for name in ("retail.xml", "calendars.xml"):  # what an Airflow without further providers can read
        shutil.copy(EXPORTS / name, source)
    conversion = read(source, {"default_host": "worker", "timezone": "Europe/Paris", "new_day": "07:00"})
    emit(compose(conversion, target), tmp_path / "project")
    seen = check(airflow_venv(version), tmp_path / "project", tmp_path / "home")
    assert seen["errors"] == {}
    assert seen["dags"] == json.loads((tmp_path / "project" / "tests" / "expected.json").read_text())


@pytest.mark.airflow
@pytest.mark.matrix
@pytest.mark.parametrize(("target", "version"), VERSIONS)
def test_every_emitted_file_is_read_and_kept(
    tmp_path: Path, airflow_venv: Callable[..., Venv], target: Target, version: str
) -> None:
    emit(compose(read(EXPORTS, {}), target), tmp_path / "project")
    seen = check(airflow_venv(version, PROVIDERS), tmp_path / "project", tmp_path / "home")
    assert seen["errors"] == {}
    assert seen["dags"] == json.loads((tmp_path / "project" / "tests" / "expected.json").read_text())


ABSENT = """
import sys

import jinja2

try:
    from airflow.sdk.execution_time.context import VariableAccessor
except ImportError:
    from airflow.utils.context import VariableAccessor

try:
    print("rendered", jinja2.Environment().from_string(sys.argv[1]).render(var={"value": VariableAccessor(deserialize_json=False)}))
except Exception as error:
    print("raised", str(error))
"""


@pytest.mark.airflow
@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_a_variable_that_nobody_has_set_fails_the_task(
    tmp_path: Path, airflow_venv: Callable[..., Venv], version: str
) -> None:
    """`var.value.get` of 3.3.2 gives the text NOTSET for it."""
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW_VAR_CONTROLM.HERE": "north"}
    python = str(airflow_venv(version).path / "bin/python")
    subprocess.run(
        [python, "-m", "airflow", "db", "migrate"], env=environment, capture_output=True, check=True, timeout=300
    )
    told = []
    texts = [compile_text(text, Scope()).text for text in ("load %%HERE", "load %%NOWHERE")]
    for made in (*texts, "{{ var.value.get('nowhere') }}"):
        done = subprocess.run(
            [python, "-c", ABSENT, made], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        told.append(done.stdout.splitlines()[-1])
    assert told[0] == "rendered load north"
    assert told[1].startswith("raised")
    assert "controlm.NOWHERE" in told[1]
    assert told[2].startswith("raised" if version.startswith("2") else "rendered NOTSET")
