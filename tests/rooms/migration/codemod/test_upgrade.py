"""A whole 2.x project becomes one that the real Airflow 3 parses; the original stays untouched."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.kernel.errors import Conflict, Invalid
from aerodrome.migration.codemod import CodeUpgrade, upgrade
from aerodrome.migration.codemod.workers import FEWEST

PROJECT = Path(__file__).parents[3] / "data" / "source_project"

_PARSE = """
import json, sys
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print("RESULT", json.dumps({
    "dags": {d.dag_id: {"catchup": d.catchup, "tasks": sorted(d.task_dict)} for d in bag.dags.values()},
    "errors": sorted(bag.import_errors),
}))
"""


@pytest.fixture
def upgraded(tmp_path: Path) -> CodeUpgrade:
    return upgrade(PROJECT, tmp_path / "out", "3.3.2")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and ".pyc" not in p.name
    }


def test_result_is_stable_and_source_untouched(tmp_path: Path) -> None:
    before = contents(PROJECT)
    upgrade(PROJECT, tmp_path / "one", "3.3.2")
    assert contents(PROJECT) == before
    again = upgrade(tmp_path / "one", tmp_path / "two", "3.3.2")
    assert [file.path for file in again.files if file.diff] == []
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_changes_are_shown_with_rules_and_what_remains(upgraded: CodeUpgrade) -> None:
    files = {file.path: file for file in upgraded.files}
    sales = files["dags/daily_sales.py"]
    assert sales.rules["days-ago"] == 1
    assert sales.rules["provide-context"] == 2
    assert '+    schedule="0 2 * * *",' in sales.diff
    assert {finding.rule for finding in sales.findings} == {"sla"}
    assert {finding.rule for finding in files["dags/maintenance.py"].findings} >= {"orm-access"}
    assert "-apache-airflow==2.11.2" in files["requirements.txt"].diff
    assert json.dumps(upgraded.as_data())


def test_secrets_in_the_code_do_not_reach_the_diff(upgraded: CodeUpgrade) -> None:
    assert "canary" not in json.dumps(upgraded.as_data())
    assert "API_PASSWORD" in json.dumps(upgraded.as_data())


def test_line_endings_and_comments_survive(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    text = "# één\r\nfrom airflow import DAG\r\n\r\nDAG('a', start_date=FIRST, schedule_interval='@daily')  # keep\r\n"
    (source / "d.py").write_bytes(text.encode())
    (source / "plain.py").write_bytes(b"x = 1  \n")
    upgrade(source, tmp_path / "out", "3.3.2")
    changed = (tmp_path / "out" / "d.py").read_bytes()
    assert changed.count(b"\n") == changed.count(b"\r\n")
    assert "# één".encode() in changed
    assert b"schedule='@daily', catchup=True)  # keep" in changed
    assert (tmp_path / "out" / "plain.py").read_bytes() == b"x = 1  \n"


def test_broken_file_is_reported_and_kept(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "bad.py").write_text("from airflow import DAG\nprint('python\n")
    result = upgrade(source, tmp_path / "out", "3.3.2")
    assert [finding.rule for finding in result.findings][:1] == ["syntax"]
    assert (tmp_path / "out" / "bad.py").read_text() == (source / "bad.py").read_text()


def test_what_stands_around_the_code_is_looked_at(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "Dockerfile").write_text("FROM apache/airflow:2.9.3\nENV AIRFLOW__CORE__DAG_CONCURRENCY=4\n")
    (source / "run.sh").write_text("# airflow webserver\nairflow trigger_dag sales\n")
    result = upgrade(source, tmp_path / "out", "3.3.2")
    assert "ENV AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG=4\n" in (tmp_path / "out" / "Dockerfile").read_text()
    assert {(item.file, item.line, item.rule) for item in result.findings} == {
        ("Dockerfile", 1, "airflow-image"),
        ("run.sh", 2, "old-cli"),
    }


def test_imports_that_nobody_used_stay_unless_their_module_is_gone(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    (source / "d.py").write_text("from airflow.utils.dates import days_ago\nfrom airflow.hooks.base import BaseHook\n")
    upgrade(source, tmp_path / "out", "3.3.2")
    assert (tmp_path / "out" / "d.py").read_text() == "from airflow.sdk import BaseHook\n"


def test_older_target_gets_the_code_as_it_is(tmp_path: Path) -> None:
    assert upgrade(PROJECT, tmp_path / "out", "2.11.2").files == ()
    assert contents(tmp_path / "out") == contents(PROJECT)


def test_folders_are_checked(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(Conflict):
        upgrade(PROJECT, tmp_path / "full", "3.3.2")
    with pytest.raises(Invalid):
        upgrade(tmp_path / "none", tmp_path / "out", "3.3.2")


@pytest.mark.airflow
def test_real_airflow_3_parses_what_the_source_could(
    upgraded: CodeUpgrade, tmp_path: Path, airflow_venv: Callable[..., Venv]
) -> None:
    out = tmp_path / "out"
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHONDONT"))}
    env |= {
        "AIRFLOW_HOME": str(tmp_path / "home"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(out / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path / 'a.db'}",
    }
    python = str(airflow_venv("3.3.2").path / "bin" / "python")
    commands: tuple[list[str], ...] = (
        [python, "-m", "airflow", "db", "migrate"],
        [python, "-c", _PARSE, str(out / "dags")],
    )
    for command in commands:
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    assert sorted(found["dags"]) == ["daily_sales", "implicit_daily", "maintenance", "orders_mapped", "orders_report"]
    assert found["dags"]["implicit_daily"]["catchup"] is True
    assert found["dags"]["daily_sales"]["tasks"] == ["count", "extract", "load", "start"]
    assert [Path(file).name for file in found["errors"]] == ["broken.py"]  # the source could not import it either


def test_what_was_found_before_ruff_renamed_the_dag_is_still_said(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    (tmp_path / "dags/a.py").write_text("from airflow import DAG\n\ndag = DAG('a')\n")
    done = upgrade(tmp_path, tmp_path.with_name("out"), "3.3.2")
    (file,) = done.files
    assert "from airflow.sdk import DAG" in file.diff
    assert [(item.rule, "catchup=True" in item.hint) for item in file.findings] == [("catchup-default", True)]


def test_more_processes_give_the_same(tmp_path: Path) -> None:
    (tmp_path / "in/dags").mkdir(parents=True)
    for number in range(FEWEST):
        text = f"from airflow import DAG\nfrom airflow.operators.bash_operator import BashOperator\ndag = DAG('d{number}', schedule_interval='@daily')\n"
        (tmp_path / f"in/dags/d{number}.py").write_text(
            text + "BashOperator(task_id='a', dag=dag, provide_context=True)\n"
        )
    done = [upgrade(tmp_path / "in", tmp_path / str(jobs), "3.3.2", jobs=jobs) for jobs in (1, 2)]
    assert done[0] == done[1]
    texts = [{path.name: path.read_bytes() for path in (tmp_path / f"{jobs}/dags").iterdir()} for jobs in (1, 2)]
    assert len(texts[0]) == FEWEST
    assert texts[0] == texts[1]


def test_links_are_followed_once_and_those_in_a_circle_are_told(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / "dags").mkdir(parents=True)
    elsewhere.mkdir()
    (project / "dags/a.py").write_text("from airflow.operators.dummy_operator import DummyOperator\n")
    (project / "dags/alias.py").symlink_to("a.py")
    (project / "dags/circle").symlink_to(".")
    (project / "dags/gone.py").symlink_to("/nowhere/at/all.py")
    (elsewhere / "b.py").write_text("from airflow.operators.dummy_operator import DummyOperator\n")
    (project / "dags/common").symlink_to(elsewhere)
    done = upgrade(project, tmp_path / "out", "3.3.2")
    assert [file.path for file in done.files if file.diff] == ["dags/a.py", "dags/common/b.py"]
    assert [item.file for file in done.files for item in file.findings if item.rule == "left-out"] == [
        "dags/circle",
        "dags/gone.py",
    ]
    assert (tmp_path / "out/dags/alias.py").read_text() == (tmp_path / "out/dags/a.py").read_text()
    assert "dummy_operator" in (elsewhere / "b.py").read_text()


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8-sig"])
def test_files_in_other_encodings_stay_in_them(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "project").mkdir()
    cookie = "" if encoding == "utf-8-sig" else f"# -*- coding: {encoding} -*-\n"
    old = cookie + (
        "from airflow import DAG\n"
        "from airflow.operators.bash_operator import BashOperator\n"
        "name = 'caf\u00e9 \u00fc\u00fc\u00fc'; dag = DAG('d', schedule_interval='0 5 * * *', catchup=False); b = BashOperator(task_id='\u00fc', dag=dag, bash_command='x')\n"
    )
    (tmp_path / "project/a.py").write_bytes(old.encode(encoding))
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "a.py").write_text(old.removeprefix(cookie), encoding="utf-8")
    done = upgrade(tmp_path / "project", tmp_path / "out", "3.3.2")
    upgrade(plain, tmp_path / "plain-out", "3.3.2")
    new = (tmp_path / "out/a.py").read_bytes().decode(encoding)
    assert new == cookie + (tmp_path / "plain-out/a.py").read_text(encoding="utf-8")
    assert "airflow.sdk" in new
    (file,) = done.files
    assert "caf\u00e9" in file.diff
    assert cookie == "" or f" {cookie}" in file.diff


def test_a_file_that_python_cannot_read_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    data = b"from airflow.operators.bash_operator import BashOperator\nname = 'caf\xe9'\n"
    (tmp_path / "project/a.py").write_bytes(data)
    (file,) = upgrade(tmp_path / "project", tmp_path / "out", "3.3.2").files
    assert [item.rule for item in file.findings] == ["syntax"]
    assert (tmp_path / "out/a.py").read_bytes() == data


def test_nobody_says_that_an_sla_still_works(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/sales.py").write_text(
        "from airflow import DAG\nfrom airflow.operators.bash import BashOperator\n\n"
        "with DAG('sales', schedule='@daily', catchup=False, sla_miss_callback=print):\n"
        "    BashOperator(task_id='load', bash_command='date', sla=HOUR)\n"
    )
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2")
    assert [item.rule for item in done.findings if item.file == "sales.py"] == ["sla", "sla"]


@pytest.mark.parametrize(
    ("line", "source", "expected"),
    [
        (
            "apache-airflow-providers-amazon==9.8.0",
            "from airflow.sdk import DAG\n",
            "apache-airflow-providers-amazon==9.8.0",
        ),
        (
            "apache-airflow-providers-amazon==8.1.0",
            "from airflow.sdk import DAG\n",
            "apache-airflow-providers-amazon>=8.1.0",
        ),
        (
            "apache-airflow-providers-amazon==9.8.0",
            "from airflow.decorators import dag\n",
            "apache-airflow-providers-amazon>=9.8.0",
        ),
    ],
)
def test_pins_of_a_project_of_3_stay_where_the_target_takes_them(
    tmp_path: Path, line: str, source: str, expected: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/sales.py").write_text(f"{source}DAG\n")
    (tmp_path / "in/requirements.txt").write_text(f"{line}\n")
    done = upgrade(tmp_path / "in", tmp_path / "out", "3.3.2")
    assert (tmp_path / "out/requirements.txt").read_text() == f"{expected}\n"
    assert any(item.rule == "provider-pin" for item in done.findings) == (">=" in expected)
