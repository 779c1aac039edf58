"""Files that tasks render are looked at as the templates within the code are: what is left is found with file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import CodeUpgrade, upgrade

_DAG = """from airflow import DAG
from airflow.operators.bash import BashOperator

with DAG("sales", schedule=None):
    BashOperator(task_id="load", bash_command="NAME")
"""


def run(folder: Path, name: str, text: str, code: str = _DAG) -> CodeUpgrade:
    (folder / "in/dags/parts").mkdir(parents=True)
    (folder / "in/dags/sales.py").write_text(code.replace("NAME", f"parts/{name}"))
    (folder / "in/dags/parts" / name).write_text(text)
    return upgrade(folder / "in", folder / "out", "3.3.2")


@pytest.mark.parametrize(
    "name", ["daily.sql", "daily.sh", "daily.hql", "daily.j2", "daily.json", "daily.html", "daily.yaml"]
)
@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("{{ ti.xcom_pull(key='rows') }}", "xcom-pull-all"),
        ("{{ ti.xcom_pull() }}", "xcom-pull-all"),
        ("{{ task_instance.xcom_pull(task_ids=None, key='rows') }}", "xcom-pull-all"),
        ("{{ ti.xcom_pull(None, key='rows') }}", "xcom-pull-all"),
        ("{% if prev_ds %}x{% endif %}", "context-key"),
    ],
)
def test_what_a_file_asks_for_and_is_not_there_is_found(tmp_path: Path, name: str, line: str, rule: str) -> None:
    done = run(tmp_path, name, f"-- rows\n{{#\n nothing #}}\n  {line}\n")
    found = [(item.file, item.line, item.rule) for item in done.findings if item.file.startswith("dags/parts")]
    assert found == [(f"dags/parts/{name}", 4, rule)]


@pytest.mark.parametrize("name", ["daily.sql", "daily.txt"])
@pytest.mark.parametrize(
    "line", ["{{ ti.xcom_pull(task_ids='a') }}", "{{ ti.xcom_pull('a', key='rows') }}", "{{ ds }}", "xcom_pull()"]
)
def test_what_means_the_same_is_no_finding(tmp_path: Path, name: str, line: str) -> None:
    done = run(tmp_path, name, f"select\n{line}\n")
    assert [item for item in done.findings if item.file.startswith("dags/parts")] == []


def test_a_kind_that_only_some_files_have_as_a_template_is_not_changed(tmp_path: Path) -> None:
    done = run(tmp_path, "mail.html", "<p>\n{{ execution_date }}</p>\n")
    assert (tmp_path / "out/dags/parts/mail.html").read_text() == "<p>\n{{ execution_date }}</p>\n"
    assert [(item.line, item.rule) for item in done.findings if item.file.endswith("mail.html")] == [
        (2, "context-renamed")
    ]


def test_a_file_that_no_code_names_is_left_alone(tmp_path: Path) -> None:
    done = run(tmp_path, "mail.html", "{{ execution_date }}\n", _DAG.replace("NAME", "date"))
    assert [item for item in done.findings if item.file.endswith("mail.html")] == []


def test_an_operator_of_the_project_says_what_it_renders(tmp_path: Path) -> None:
    code = _DAG.replace("NAME", "date") + '\n\nclass Load(BashOperator):\n    template_ext = (".tsql", ".prc")\n'
    done = run(tmp_path, "all.tsql", "{{ execution_date }} {{ ti.xcom_pull() }}\n", code)
    assert (tmp_path / "out/dags/parts/all.tsql").read_text() == "{{ logical_date }} {{ ti.xcom_pull() }}\n"
    assert [item.rule for item in done.findings if item.file.endswith("all.tsql")] == ["xcom-pull-all"]
