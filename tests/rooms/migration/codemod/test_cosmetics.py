"""What an upgrade leaves is tidy where it was: no import twice, none unused by the change, comments beside what they are about."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import Options, upgrade


def run(folder: Path, text: str) -> str:
    (folder / "in").mkdir()
    (folder / "in/sales.py").write_text(text)
    options = Options(source_version="1.10.15")
    upgrade(folder / "in", folder / "out", "3.3.2", options)
    done = (folder / "out/sales.py").read_text()
    upgrade(folder / "out", folder / "again", "3.3.2", options)
    assert (folder / "again/sales.py").read_text() == done
    return done


def test_a_name_is_imported_once(tmp_path: Path) -> None:
    text = run(
        tmp_path,
        "from airflow.operators.python_operator import PythonOperator, BranchPythonOperator\n"
        "from airflow.operators.python import PythonOperator\n"
        "from airflow.models.baseoperator import BaseOperator\n"
        "from airflow.models import BaseOperator, DAG as Flow\n\n"
        "print(PythonOperator, BranchPythonOperator, BaseOperator, Flow)\n",
    )
    assert text.count("import PythonOperator") == 1
    assert text.count("BaseOperator") == 2
    assert "BranchPythonOperator" in text.splitlines()[0]
    assert "DAG as Flow" in text


@pytest.mark.parametrize(
    "text",
    [
        "from os import path\nfrom os import path\nfrom airflow.operators.bash_operator import BashOperator\n\nprint(path, BashOperator)\n",
        "from airflow.operators.bash_operator import BashOperator\n\n\ndef load():\n    from airflow.operators.bash import BashOperator\n\n    return BashOperator\n\n\nprint(BashOperator)\n",
        "from airflow.operators.bash_operator import BashOperator\nfrom shop import BashOperator\nfrom airflow.operators.bash import BashOperator\n\nprint(BashOperator)\n",
    ],
)
def test_what_was_so_before_or_means_something_stays(tmp_path: Path, text: str) -> None:
    assert run(tmp_path, text).count("import") == text.count("import")


def test_an_import_that_nothing_uses_any_more_goes(tmp_path: Path) -> None:
    text = run(
        tmp_path,
        "from datetime import datetime, timedelta\nfrom airflow import DAG\n"
        "from airflow.operators.bash_operator import BashOperator\nimport pendulum\n\n"
        "with DAG('by_hand', schedule_interval=None, start_date=datetime(2024, 1, 1)):\n"
        "    BashOperator(task_id='run', bash_command='date', sla=timedelta(hours=1))\n",
    )
    assert "timedelta" not in text
    assert "from datetime import datetime\n" in text
    assert "import pendulum\n" in text  # nobody used it before


@pytest.mark.parametrize(
    ("last", "shown"),
    [
        ("    default_args=ARGS,  # of the team\n)", "    default_args=ARGS,  # of the team\n    catchup=True,\n)"),
        ("    default_args=ARGS  # of the team\n)", "    default_args=ARGS,  # of the team\n    catchup=True\n)"),
        ("    default_args=ARGS,\n    # no more\n)", "    default_args=ARGS,\n    catchup=True,\n    # no more\n)"),
        ("    default_args=ARGS,\n)", "    default_args=ARGS,\n    catchup=True,\n)"),
        ("    default_args=ARGS)", "    default_args=ARGS,\n    catchup=True)"),
    ],
)
def test_a_comment_stays_beside_its_argument(tmp_path: Path, last: str, shown: str) -> None:
    head = "from datetime import datetime\nfrom airflow import DAG\n\nARGS = {'start_date': datetime(2024, 1, 1)}\n"
    text = run(tmp_path, f"{head}dag = DAG(\n    'sales',\n    schedule_interval='@daily',\n{last}\n")
    assert shown in text


def test_imports_of_one_module_are_one(tmp_path: Path) -> None:
    text = run(
        tmp_path,
        "import os\n\nfrom airflow import DAG\nfrom airflow.models import Variable\nfrom airflow.utils.task_group import TaskGroup\n\n\n"
        "with DAG('a', schedule_interval=None), TaskGroup('g'):\n    print(os, Variable.get('a'))\n",
    )
    assert [line for line in text.splitlines() if "import" in line] == [
        "import os",
        "from airflow.sdk import TaskGroup, DAG, Variable",
    ]


def test_imports_that_their_author_divided_stay_so(tmp_path: Path) -> None:
    head = "from airflow.sdk import Asset\nfrom airflow.sdk import Variable\n"
    text = run(
        tmp_path,
        f"{head}from airflow.operators.bash_operator import BashOperator\n\nprint(Asset, Variable, BashOperator)\n",
    )
    assert text.startswith(head)
