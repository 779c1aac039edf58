"""What code names is found by its text: a DAG learns before it runs that a connection is missing."""

from __future__ import annotations

import ast
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from aerodrome.parsing import Usage, usage, usage_of
from aerodrome.parsing.mentions import in_text, read

PARTS = st.sampled_from(
    [
        "import os\n", "from airflow import DAG\n", "with DAG('a') as dag:\n    ", "@dag()\ndef f():\n    ", "Variable.get(",
        "'x'", ")", "conn_id=", "{{ conn.", "{{ var.value.get('", "os.environ['", "']", "(" * 60, "lambda: ", "\0", "\ud800",
        "class A(B):\n    def __init__(self, *, my_conn_id='c', **k): pass\n", "from . import x\n", "from ... import *\n", "pool=",
        "{'pool': 'p', 'owner': 'me'}", "\n", "    ", "# -*- coding: rot13 -*-\n", "x = 'y'\n", "f'{a}'", "...", "=", ",",
    ]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PARTS, max_size=25).map("".join)))
@settings(max_examples=400, deadline=None)
def test_no_text_makes_it_raise(text: str) -> None:
    read(text, "dags.sub")
    list(in_text(text))


def test_a_very_deep_file_is_left_out() -> None:
    assert read("x = " + "-" * 100_000 + "1").units == {}


def write(project: Path, files: dict[str, str]) -> Usage:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return usage(project)


def names(found: Usage, kind: str) -> dict[str, tuple[str, ...]]:
    return {entry.name: entry.dag_ids for entry in found.entries if entry.kind == kind}


def test_every_way_to_name_an_object(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        {
            "dags/one.py": """
import os
from airflow import DAG
from airflow.models import Variable
from airflow.hooks.base import BaseHook
from airflow.providers.postgres.hooks.postgres import PostgresHook
PLACE = "from_constant"
default_args = {"owner": "me", "pool": "from_defaults", "ssh_conn_id": "from_dict"}
with DAG(dag_id="one", default_args=default_args) as dag:
    Operator(task_id="a", postgres_conn_id="argument", pool="own_pool", aws_conn_id=PLACE)
    Operator(task_id="b", bash_command="{{ conn.templated.host }} {{ var.value.in_template }} {{ var.json.get('with_default', 1) }}")
    Variable.get("required"); Variable.get("optional", default_var=None); Variable.get(key="by_key")
    BaseHook.get_connection("called"); PostgresHook("positional")
    os.environ["NEEDED"]; os.getenv("WISHED"); os.environ.get("WISHED_TOO", "x")
    os.environ["SET_HERE"] = "1"
    Operator(conn_id=f"{computed}_x", http_conn_id=compute(), ftp_conn_id="{{ params.conn }}")
"""
        },
    )
    required = {(entry.kind, entry.name): entry.is_required for entry in found.entries}
    connections = {"argument", "from_constant", "from_dict", "templated", "called", "positional"}
    assert {name for kind, name in required if kind == "connection"} == connections
    assert {name for kind, name in required if kind == "pool"} == {"own_pool", "from_defaults"}
    assert {name for kind, name in required if kind == "env"} == {"NEEDED", "WISHED", "WISHED_TOO"}
    assert {name: required["variable", name] for kind, name in required if kind == "variable"} == {
        "in_template": True, "with_default": False, "required": True, "optional": False, "by_key": True,
    }  # fmt: skip
    assert required["env", "NEEDED"]
    assert not required["env", "WISHED"]
    assert all(entry.dag_ids == ("one",) for entry in found.entries if entry.name not in ("from_defaults", "from_dict"))


def test_imports_within_the_project_are_followed_as_far_as_they_are_used(tmp_path: Path) -> None:
    found = write(
        tmp_path,
        {
            "include/lib.py": "def used():\n    deeper()\ndef deeper():\n    Hook(conn_id='deep')\ndef other():\n    Hook(conn_id='unused')\n",
            "plugins/acme.py": "class Op:\n    def __init__(self, acme_conn_id='acme_default'):\n        pass\n",
            "dags/sub/__init__.py": "",
            "dags/sub/near.py": "def near():\n    Hook(conn_id='near')\n",
            "dags/a.py": "from airflow import DAG\nfrom include.lib import used\nimport acme\nwith DAG('a'):\n    used(); acme.Op()\n",
            "dags/b.py": "from airflow.sdk import dag\nfrom sub.near import near\n@dag()\ndef b():\n    near()\n@dag(dag_id='c')\ndef other():\n    Hook(conn_id='of_c')\n",
            "dags/not_a_dag.py": "Hook(conn_id='nowhere')\n",
            "dags/query.sql": "select {{ var.value.region }}",
            "dags/d.py": "from airflow import DAG\nwith DAG('d'):\n    Op(sql='query.sql')\n",
        },
    )
    assert names(found, "connection") == {
        "deep": ("a",), "acme_default": ("a",), "near": ("b", "c"), "of_c": ("c",),
    }  # fmt: skip
    assert names(found, "variable") == {"region": ("d",)}
    assert not next(entry for entry in found.entries if entry.name == "acme_default").is_required


def test_one_object_is_looked_up_in_many_deployments(tmp_path: Path) -> None:
    text = "from airflow import DAG\nwith DAG('x'):\n    Op(conn_id='{}')\n"
    one = write(tmp_path / "one", {"dags/x.py": text.format("shared")})
    two = write(tmp_path / "two", {"dags/x.py": text.format("own")})
    assert list(usage_of({"one": one, "two": two}, "connection", "shared")) == ["one"]


def test_five_hundred_files_are_read_at_once(tmp_path: Path) -> None:
    text = "from airflow import DAG\nwith DAG('x{0}'):\n" + "    Op(task_id='t', conn_id='c{0}')\n" * 20
    started = time.monotonic()
    found = write(tmp_path, {f"dags/x{number}.py": text.format(number) for number in range(500)})
    assert len(names(found, "connection")) == 500
    assert ast.parse(text.format(1))
    assert found.seconds < time.monotonic() - started
