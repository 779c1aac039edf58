"""PostgresHook keeps psycopg2 where a file may see the difference, and nowhere else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds import Venv
from aerodrome.migration.codemod.contract import Options
from aerodrome.migration.codemod.engine import Rewritten, rewrite
from aerodrome.migration.codemod.rules import RULES, postgres_driver

_SWITCH = "postgres_hooks.USE_PSYCOPG3 = False"
_HOOK = "from airflow.hooks.postgres_hook import PostgresHook\n"
_OPERATOR = "from airflow.operators.postgres_operator import PostgresOperator\n"
_SQL = "from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator\n"


def apply(source: str, options: Options | None = None) -> Rewritten:
    return rewrite(source.encode(), RULES, options or Options())


@pytest.mark.parametrize(
    "source",
    [
        _HOOK + "cursor = PostgresHook('a').get_conn().cursor()\n",
        _HOOK + "rows = PostgresHook('a').get_records('select id from b')\n",
        _HOOK + "PostgresHook('a').run('delete from b where id in %s', parameters=((1, 2),))\n",
        _HOOK + "PostgresHook('a').run(statement())\n",
        _HOOK + "hook = PostgresHook('a')\nhook.run('delete from b')\nload(hook)\n",
        _HOOK + "class Hook(PostgresHook):\n    pass\n",
        "from airflow.hooks import postgres_hook\nengine = postgres_hook.PostgresHook('a').get_sqlalchemy_engine()\n",
        _OPERATOR + "PostgresOperator(task_id='a', sql='delete from b; select 1')\n",
        _OPERATOR + "PostgresOperator(task_id='a', sql='delete from b where c = %s', parameters=[1])\n",
        _OPERATOR + "PostgresOperator(task_id='a', sql='load.sql')\n",
        _OPERATOR + "PostgresOperator(task_id='a', sql='insert into b values (1) returning id')\n",
        _SQL + "SQLExecuteQueryOperator(task_id='a', conn_id='postgres_shop', sql='select 1')\n",
    ],
)
def test_psycopg2_is_kept(source: str) -> None:
    done = apply(source)
    text = done.text.decode()
    assert text.count(_SWITCH) == 1
    assert "from airflow.providers.postgres.hooks import postgres as postgres_hooks\n" in text
    assert apply(text).text.decode() == text
    assert not [code for code, _ in done.spots if code == "postgres-driver"]
    assert "import" not in text[text.index(_SWITCH) :]
    compile(text, "dag.py", "exec")


@pytest.mark.parametrize(
    "source",
    [
        _HOOK + "def f(hook: PostgresHook) -> PostgresHook:\n    return hook\n",
        _HOOK + "PostgresHook('a').run('''\n  delete from b;\n  insert into b values (1)\n''', autocommit=True)\n",
        _HOOK + "hook = PostgresHook('a')\nhook.run(sql=['truncate b', 'vacuum b'])\n",
        _OPERATOR + "SQL = 'create table b (id int);'\nPostgresOperator(task_id='a', sql=SQL)\n",
        _SQL + "SQLExecuteQueryOperator(task_id='a', conn_id='lake', sql='select 1')\n",
        "import psycopg2\nimport airflow\npsycopg2.connect('a')\n",
        "from airflow.sdk import dag\n" + _HOOK + "PostgresHook('a').get_conn()\n",
    ],
)
def test_where_both_answer_alike_nothing_is_said(source: str) -> None:
    done = apply(source)
    assert "USE_PSYCOPG3" not in done.text.decode()
    assert not [code for code, _ in done.spots if code == "postgres-driver"]


def test_a_source_of_3_has_what_it_was_written_for() -> None:
    source = _HOOK + "cursor = PostgresHook('a').get_conn().cursor()\n"
    assert "USE_PSYCOPG3" not in apply(source, Options(source_version="3.1.8")).text.decode()


def test_a_name_that_is_taken_is_found() -> None:
    source = _HOOK + "postgres_hooks = [PostgresHook('a').get_conn()]\n"
    done = rewrite(source.encode(), [postgres_driver.RULE], Options())
    assert done.text.decode() == source
    assert ["USE_PSYCOPG3" in spot.hint for _, spot in done.spots] == [True]


_ASK = """
from airflow.sdk import Connection
from airflow.providers.postgres.hooks.postgres import PostgresHook
hook = PostgresHook(connection=Connection(conn_id="a", conn_type="postgres", host="127.0.0.1", port=1, login="b"))
found = [hook.sqlalchemy_url.drivername, hook._serialize_cell([1])]
try:
    hook.get_conn()
except Exception as error:
    found.append(type(error).__module__)
print("RESULT", found)
"""


@pytest.mark.airflow
def test_the_switch_is_the_real_ones(airflow_venv: Callable[..., Venv], tmp_path: Path) -> None:
    venv = airflow_venv("3.3.2", ("apache-airflow-providers-postgres==7.0.2",))
    head = f"from airflow.providers.postgres.hooks import postgres as postgres_hooks\n{_SWITCH}\n"
    env = {"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(tmp_path)}
    told = []
    for code in (_ASK, head + _ASK):
        command = [str(venv.path / "bin/python"), "-W", "ignore", "-c", code]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
        told.append(done.stdout.rpartition("RESULT ")[2].strip())
    assert told == ["['postgresql+psycopg', Json([1]), 'psycopg']", "['postgresql', [1], 'psycopg2']"]
