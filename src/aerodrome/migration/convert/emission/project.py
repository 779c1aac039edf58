"""Writes a conversion into a folder: DAG files, plugins, requirements, connections, and tests that the team runs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from ruff.__main__ import find_ruff_bin

from aerodrome.kernel.errors import Broken, Conflict
from aerodrome.migration.convert.contract import Conversion, Dag, Target
from aerodrome.migration.convert.emission.dagfile import write_dag

_AIRFLOW = {"2.11": "apache-airflow>=2.11,<3", "3.3": "apache-airflow>=3.3,<3.4"}
_LINE, _PYTHON = 110, "py310"
_RUFF = f"""# How the files of this project are formatted: `ruff format` leaves them as they are.
line-length = {_LINE}
target-version = "{_PYTHON}"
"""
_TEST = '''"""Checks that every converted DAG is read by Airflow with the tasks and edges that it was converted with: `pytest tests`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from airflow.{module} import DagBag

ROOT = Path(__file__).parent.parent
EXPECTED = json.loads((ROOT / "tests" / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def dags() -> DagBag:
    return DagBag(str(ROOT / "dags"){examples})


def test_every_file_is_read(dags: DagBag) -> None:
    assert dags.import_errors == {{}}
    assert set(dags.dags) == set(EXPECTED)


@pytest.mark.parametrize("dag_id", EXPECTED)
def test_tasks_and_edges(dags: DagBag, dag_id: str) -> None:
    found = {{task.task_id: sorted(task.downstream_task_ids) for task in dags.dags[dag_id].tasks}}
    assert found == EXPECTED[dag_id]
'''

_CONFTEST = '''"""Lets Airflow find the plugins of this project; runs before Airflow is imported."""

import os
import sys
from pathlib import Path

PLUGINS = Path(__file__).parent.parent / "plugins"
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(PLUGINS)
sys.path.append(str(PLUGINS))
'''


def compose(conversion: Conversion, target: Target) -> dict[str, str]:
    """Give every file of the project (path -> text), not formatted; touches no disk."""
    files: dict[str, str] = {}
    packages: set[str] = set()
    names = file_names(conversion.dags)
    for dag in conversion.dags:
        text, used = write_dag(dag, target)
        packages |= {symbol.packages.get(target, "") for symbol in used} - {""}
        files[f"dags/{names[dag.dag_id]}.py"] = text
    for extra in conversion.files:
        if target in extra.targets:
            files[extra.path] = extra.text
    stated = {re.split(r"[\[<>=]", package)[0] for package in conversion.packages}
    packages = {package for package in packages if package not in stated} | set(conversion.packages)
    files["requirements.txt"] = "\n".join([_AIRFLOW[target], *sorted(packages)]) + "\n"
    files["tests/expected.json"] = (
        json.dumps({dag.dag_id: expected(dag) for dag in conversion.dags}, indent=1, sort_keys=True) + "\n"
    )
    files["tests/test_dags.py"] = (
        _TEST.format(module="models", examples=", include_examples=False")
        if target == "2.11"
        else _TEST.format(module="dag_processing.dagbag", examples="")
    )
    files["tests/conftest.py"] = _CONFTEST
    files["ruff.toml"] = _RUFF
    if conversion.connections:
        files["connections.yaml"] = _connections(conversion)
    if conversion.pools:
        pools = {
            item.name: {"slots": item.slots, "description": item.why, "include_deferred": False}
            for item in conversion.pools
        }
        files["pools.json"] = json.dumps(pools, indent=1, sort_keys=True) + "\n"
    if conversion.variables:
        values = {item.name: item.value for item in conversion.variables}
        files["variables.json"] = json.dumps(values, indent=1, sort_keys=True) + "\n"
    return files


def emit(files: Mapping[str, str], out: Path) -> None:
    """Write composed files into a new or empty folder and format the Python ones."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict(f"{out} is not empty.", code="convert-out-not-empty", hint="Give a new folder as --out.")
    for name, text in files.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
    python = [name for name in files if name.endswith(".py")]
    if not python:
        return
    command = [
        find_ruff_bin(),
        "format",
        "--isolated",
        "--no-cache",
        "--line-length",
        str(_LINE),
        "--target-version",
        _PYTHON,
        "--quiet",
        ".",
    ]
    done = subprocess.run(command, cwd=out, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Broken(
            f"A converted file is not valid Python: {done.stderr.strip()[:400]}",
            code="convert-invalid-python",
            hint="Please report it.",
        )


def file_names(dags: Iterable[Dag]) -> dict[str, str]:
    """Give the file of each DAG, without its ending; no two have the same."""
    taken: set[str] = set()
    found: dict[str, str] = {}
    for dag in dags:
        name = number = file_name(dag.dag_id)
        for count in range(2, 10_000):
            if number not in taken:
                break
            number = f"{name}_{count}"
        taken.add(number)
        found[dag.dag_id] = number
    return found


def file_name(dag_id: str) -> str:
    """Give the file of a DAG, without its ending: never the name of a module that somebody imports (email, spark)."""
    name = re.sub(r"\W+", "_", dag_id).strip("_").lower() or "converted"
    return name if "_" in name and name not in sys.stdlib_module_names else f"{name}_dag"


def expected(dag: Dag) -> dict[str, list[str]]:
    """Give the tasks of a DAG with the tasks after each."""
    after: dict[str, set[str]] = {task.full_id: set() for task in dag.tasks}
    for edge in dag.edges:
        after[edge.before].add(edge.after)
    return {task: sorted(following) for task, following in after.items()}


def _connections(conversion: Conversion) -> str:
    content = {}
    for need in sorted(conversion.connections, key=lambda item: item.conn_id):
        fields = {
            "conn_type": need.conn_type,
            "description": need.why,
            "host": need.host,
            "port": need.port,
            "login": need.login,
            "schema": need.schema,
            "extra": dict(need.extra),
        }
        content[need.conn_id] = {key: value for key, value in fields.items() if value}
    head = "# Connections that the DAGs use. Passwords and keys are not here: add them, then `airflow connections import connections.yaml`.\n"
    return head + yaml.safe_dump(content, sort_keys=True, allow_unicode=True)
