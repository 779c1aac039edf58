"""Functions that run in another Python: only their own text gets there. If these break, a task fails for a name that the upgrade moved to the top of its file."""

from __future__ import annotations

import builtins
import symtable
from pathlib import Path

import pytest
from tests.rooms.migration.codemod.projects import upgraded

from aerodrome.migration.codemod import CodeUpgrade, Options, upgrade

_HEAD = "from airflow import DAG\nfrom airflow.decorators import task\nfrom airflow.operators.python import ExternalPythonOperator, PythonOperator, PythonVirtualenvOperator\n\n\n"
_BODY = """    from airflow import models
    from airflow.datasets import Dataset
    from airflow.hooks.base_hook import BaseHook
    from airflow.models import Variable
    from airflow.utils.dates import days_ago

    return days_ago(1), Variable.get("a", default_var=1), models.Variable.get("b"), BaseHook, Dataset("s3://a/b")
"""


def run(folder: Path, files: dict[str, str]) -> tuple[CodeUpgrade, dict[str, str]]:
    """Upgrade a project; what its second upgrade finds in such functions is what the first one found."""
    done, texts = upgraded(folder, files)
    again = upgrade(folder / "out", folder / "third", "3.3.2", Options(source_version="2.9.1"))
    assert {item.message for item in again.findings if item.rule.startswith("isolated")} == {
        item.message for item in done.findings if item.rule.startswith("isolated")
    }
    return done, texts


def unbound(text: str, name: str) -> set[str]:
    """Give the names that a function asks its module for."""
    table = symtable.symtable(text, "dag", "exec")
    inner = next(child for child in table.get_children() if child.get_name() == name)
    return {item.get_name() for item in inner.get_symbols() if item.is_global()} - set(dir(builtins))


@pytest.mark.parametrize(
    "made",
    [
        "@task.virtualenv\ndef load():\n{body}",
        "@task.virtualenv(requirements=['pandas==2.2', 'apache-airflow-providers-http==4.1'])\ndef load():\n{body}",
        "@task.branch_virtualenv(requirements=['apache-airflow'], system_site_packages=False)\ndef load():\n{body}",
        "def load():\n{body}\n\nPythonVirtualenvOperator(task_id='load', python_callable=load, requirements='lxml')\n",
        "def load():\n{body}\n\nPythonVirtualenvOperator.partial(task_id='load', python_callable=load).expand(op_args=[[1], [2]])\n",
        'def load():\n    """Load."""\n{body}\n\nPythonVirtualenvOperator(task_id="load", python_callable=load)\n',
    ],
)
def test_what_a_function_needs_is_imported_inside(tmp_path: Path, made: str) -> None:
    done, texts = run(tmp_path, {"dag.py": _HEAD + made.format(body=_BODY)})
    text = texts["dag.py"]
    assert unbound(text, "load") == set()
    assert "days_ago" not in text
    assert "base_hook" not in text
    assert 'Variable.get("a", default=1)' in text
    assert "Asset(" in text
    assert not [item for item in done.findings if item.rule == "isolated-airflow"]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("@task.virtualenv(requirements=['apache-airflow==2.9.1'])\n", "the Airflow of its requirements (==2.9.1)"),
        ("@task.virtualenv(requirements='apache-airflow[celery] ~= 2.7.0\\npandas')\n", "(~= 2.7.0)"),
        ("@task.virtualenv(requirements='requirements.txt')\n", "whose requirements this file does not show"),
        ("@task.virtualenv(**OPTIONS)\n", "whose requirements this file does not show"),
        ("@task.external_python(python='/opt/old/bin/python')\n", "the interpreter '/opt/old/bin/python'"),
        ("@task.docker(image='shop:1')\n", "the image 'shop:1'"),
        ("@task.kubernetes(image='shop:1')\n", "the image 'shop:1'"),
        ("@task.virtualenv(system_site_packages=False)\n", ""),  # it has no Airflow, and never had
    ],
)
def test_what_runs_under_another_airflow_is_left_and_said(tmp_path: Path, made: str, said: str) -> None:
    done, texts = run(tmp_path, {"dag.py": f"{_HEAD}{made}def load():\n{_BODY}"})
    assert texts["dag.py"].endswith(f"def load():\n{_BODY}")
    found = [item for item in done.findings if item.rule == "isolated-airflow"]
    assert [said in item.message for item in found] == ([True] if said else [])
    assert "days_ago" not in "".join(item.message for item in done.findings if item.rule != "isolated-airflow")


def test_a_function_of_another_file(tmp_path: Path) -> None:
    dag = f"{_HEAD}from shop import load\n\nPythonVirtualenvOperator(task_id='load', python_callable=load)\n"
    _, texts = run(tmp_path, {"dags/dag.py": dag, "dags/shop.py": f"def load():\n{_BODY}"})
    assert unbound(texts["dags/shop.py"], "load") == set()
    assert "days_ago" not in texts["dags/shop.py"]


def test_a_function_beside_keeps_to_the_top(tmp_path: Path) -> None:
    text = f"{_HEAD}@task.virtualenv\ndef load():\n{_BODY}\n\ndef tell():\n    from airflow.models import Variable\n\n    return Variable.get('a')\n"
    _, texts = run(tmp_path, {"dag.py": text})
    assert unbound(texts["dag.py"], "load") == set()
    assert unbound(texts["dag.py"], "tell") == {"Variable"}
    assert "Variable" in texts["dag.py"].partition("def load")[0]


@pytest.mark.parametrize("indent", ["\t", " ", "        "])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_layouts(tmp_path: Path, indent: str, newline: str) -> None:
    body = _BODY.replace("    ", indent)
    text = f"{_HEAD}if True:\n{indent}@task.virtualenv\n{indent}def load(a, *b, c=1, **d):\n{indent}" + body.replace(
        "\n" + indent, "\n" + 2 * indent
    )
    (tmp_path / "in").mkdir()
    (tmp_path / "in/dag.py").write_bytes(text.replace("\n", newline).encode())
    upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", Options(source_version="2.9.1"))
    done = (tmp_path / "out/dag.py").read_bytes().decode()
    assert unbound(done, "load") == set()
    assert done.count("\n") == done.count(newline)


def test_a_body_on_one_line(tmp_path: Path) -> None:
    text = f"{_HEAD}@task.virtualenv\ndef load(): from airflow.utils.dates import days_ago; return days_ago(1)\n"
    _, texts = run(tmp_path, {"dag.py": text})
    assert unbound(texts["dag.py"], "load") == set()
    assert "days_ago" not in texts["dag.py"]
