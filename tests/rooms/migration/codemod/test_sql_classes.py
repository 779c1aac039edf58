"""SQL operators that a file needs as classes. If these break, a file with a subclass of one does not import in Airflow 3, and nobody is told."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rooms.migration.codemod.projects import upgraded

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options
from aerodrome.migration.codemod.engine import rewrite
from aerodrome.migration.codemod.project import Project
from aerodrome.migration.codemod.rules import RULES
from aerodrome.migration.codemod.rules.providers import SQL_NAMES, sql_arguments

_POSTGRES = "from airflow.providers.postgres.operators.postgres import PostgresOperator\n"
_CLASS = "class PostgresOperator(SQLExecuteQueryOperator):"


def after(text: str, options: Options) -> str:
    return rewrite(text.encode(), RULES, options).text.decode()


@pytest.mark.parametrize(
    "use",
    [
        "class Mine(PostgresOperator): pass\n",
        "KINDS = {'pg': PostgresOperator}\n",
        "def make(cls=PostgresOperator): return cls(task_id='a')\n",
        "print(isinstance(task, PostgresOperator))\n",
        "make(PostgresOperator, 'a')\n",
    ],
)
def test_the_class_is_there(use: str) -> None:
    text = after(_POSTGRES + use, Options())
    assert _CLASS in text
    assert text.endswith(use)
    assert "providers.postgres.operators.postgres import" not in text
    assert after(text, Options()) == text


def test_tasks_beside_a_base_are_made_of_the_operator_of_today(tmp_path: Path) -> None:
    use = "class Mine(PostgresOperator): pass\n\n\nPostgresOperator(task_id='a', sql='x', postgres_conn_id='w')\n"
    assert "\nSQLExecuteQueryOperator(task_id='a', sql='x', conn_id='w')\n" in after(_POSTGRES + use, Options())
    asked = f"{use}print(isinstance(task, PostgresOperator))\n"
    assert "\nPostgresOperator(task_id='a', sql='x', postgres_conn_id='w')\n" in after(_POSTGRES + asked, Options())
    done, texts = upgraded(
        tmp_path, {"a.py": _POSTGRES + asked, "b.py": f"{_POSTGRES}class Other(PostgresOperator): pass\n"}
    )
    assert _CLASS in texts["b.py"]
    assert [item.file for item in done.findings if item.rule == "sql-operator-class"] == ["a.py"]


def test_another_name_and_another_version() -> None:
    text = after(
        "from airflow.operators.postgres_operator import PostgresOperator as Base\n\n\nclass Mine(Base):\n    pass\n",
        Options(source_version="1.10.15"),
    )
    assert "class Base(SQLExecuteQueryOperator):" in text
    assert "super().execute(context)  # it gave no rows" in text


def test_a_name_that_other_files_take(tmp_path: Path) -> None:
    files = {
        "dags/shop/__init__.py": "",
        "dags/shop/operators.py": _POSTGRES,
        "dags/sales.py": "from shop.operators import PostgresOperator\n\nPostgresOperator(task_id='a', sql='x')\n",
        "dags/own.py": "from airflow.providers.mysql.operators.mysql import MySqlOperator\n",
    }
    _, texts = upgraded(tmp_path, files)
    assert _CLASS in texts["dags/shop/operators.py"]
    assert texts["dags/sales.py"].endswith("\n\nPostgresOperator(task_id='a', sql='x')\n")
    assert texts["dags/own.py"] == ""


def test_where_no_class_can_stand() -> None:
    text = f"try:\n    {_POSTGRES}except ImportError:\n    PostgresOperator = None\n\n\nclass Mine(PostgresOperator): pass\n"
    done = rewrite(text.encode(), RULES, Options(project=Project({})))
    assert done.text.decode() == text
    assert [code for code, _ in done.spots] == ["sql-operator-class"]


_TRIED = """
import json, sys
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
found = {}
for name, (text, connection, given) in json.load(sys.stdin).items():
    names = {}
    exec(text, names)
    made = names["Mine"]
    with DAG("dag", schedule=None, default_args={connection: "d"}) as dag:
        task = made(task_id="a", sql="select 1", **given)
        other = made(task_id="b", sql="select 1", **{connection: "{{ ds }}"})
    bare = made(task_id="c", sql="select 1")
    DagSerialization.to_dict(dag)
    before = getattr(bare, connection)
    setattr(bare, connection, "set")
    found[name] = [getattr(task, connection), task.conn_id, other.conn_id, before, bare.conn_id, task.hook_params, task.database]
sys.__stdout__.write("RESULT" + json.dumps(found))
"""


@pytest.mark.airflow
def test_every_class_takes_what_it_took(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    given: dict[str, tuple[str, str, dict[str, str]]] = {}
    wanted: dict[str, list[object]] = {}
    for name in sorted(SQL_NAMES):
        module, _, word = name.rpartition(".")
        text = f"from {module} import {word}\n\n\nclass Mine({word}):\n    runtime_parameters = None\n"
        connection, default, _ = sql_arguments(name)
        arguments = {"role": "r", "database": "b"} if "nowflake" in name else {"database": "b"}
        given[name] = (after(text, Options(source_version="2.9.1")), connection, arguments)
        wanted[name] = ["d", "d", "{{ ds }}", default, "set", {}, "b"]
        if "nowflake" in name:
            words = ("warehouse", "database", "role", "schema", "authenticator", "session_parameters")
            wanted[name] = ["d", "d", "{{ ds }}", default, "set", {word: arguments.get(word) for word in words}, None]
    done = subprocess.run(
        [airflow_venv("3.3.2").path / "bin/python", "-c", _TRIED],
        input=json.dumps(given), capture_output=True, text=True, check=False,
        env={"AIRFLOW_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert "RESULT" in done.stdout, done.stderr[-2000:]
    assert json.loads(done.stdout.partition("RESULT")[2]) == wanted
