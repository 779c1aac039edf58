"""Functions that tasks of another file run are rewritten where they stand, when all who use them can be seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import CodeUpgrade, Options, upgrade

_WORK = """def load(execution_date, next_ds=None, **kwargs):
    print(str(execution_date), next_ds)
    return kwargs["execution_date"], str(kwargs["execution_date"])
"""
_HEAD = """from airflow import DAG
from airflow.operators.python_operator import PythonOperator
IMPORT

with DAG("sales", schedule_interval=None) as dag:
    PythonOperator(task_id="load", python_callable=NAME, provide_context=True)
"""


def run(folder: Path, files: dict[str, str], version: str = "1.10.15") -> tuple[CodeUpgrade, Path]:
    for name, text in files.items():
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = upgrade(folder / "in", folder / "out", "3.3.2", Options(source_version=version))
    return done, folder / "out"


def head(line: str, name: str = "load") -> str:
    return _HEAD.replace("IMPORT", line).replace("NAME", name)


@pytest.mark.parametrize(
    ("line", "name", "place"),
    [
        ("from work import load", "load", "dags/work.py"),
        ("from work import load as run", "run", "dags/work.py"),
        ("import work", "work.load", "dags/work.py"),
        ("from shop.work import load", "load", "plugins/shop/work.py"),
        ("from .work import load", "load", "dags/work.py"),
        ("from dags.work import load", "load", "dags/work.py"),
    ],
)
def test_a_function_of_another_file_is_rewritten_there(tmp_path: Path, line: str, name: str, place: str) -> None:
    done, out = run(tmp_path, {"dags/sales.py": head(line, name), place: _WORK})
    text = (out / place).read_text()
    assert "def load(logical_date, data_interval_end=None, **kwargs):" not in text  # next_ds is a day
    assert "def load(logical_date, next_ds=None, **kwargs):\n    print(logical_date.isoformat(), next_ds)\n" in text
    assert 'return kwargs["logical_date"], kwargs["logical_date"].isoformat()' in text
    assert ["next_ds" in item.message for item in done.findings if item.file == place] == [True]
    again = upgrade(out, tmp_path / "again", "3.3.2", Options(source_version="1.10.15"))
    assert [file.path for file in again.files if file.diff] == []


@pytest.mark.parametrize(
    "other",
    [
        "from work import load\n\nload(execution_date=1)\n",
        "from work import load\n\nKNOWN = [load]\n",
        "import work\n\nwork.load(1)\n",
        "from work import *\n",
        "from shop.somewhere.work import load\n\nload(execution_date=1)\n",
        head("from work import load").replace("provide_context=True", "op_kwargs={'execution_date': 1}"),
        head("from work import load").replace("provide_context=True", "op_kwargs=given()"),
        head("from work import load").replace("provide_context=True", "op_args=[1]"),
    ],
)
def test_one_user_that_is_not_airflow_keeps_what_a_function_is_given(tmp_path: Path, other: str) -> None:
    files = {"dags/sales.py": head("from work import load"), "dags/work.py": _WORK, "dags/other.py": other}
    done, out = run(tmp_path, files)
    text = (out / "dags/work.py").read_text()
    assert "def load(execution_date, next_ds=None, **kwargs):" in text
    assert "str(execution_date)" in text
    assert "execution_date" in " ".join(item.message for item in done.findings if item.file == "dags/work.py")


def test_who_imports_by_a_package_is_not_followed(tmp_path: Path) -> None:
    files = {"dags/sales.py": head("from shop import load"), "dags/shop/__init__.py": "from .work import load\n"}
    done, out = run(tmp_path, {**files, "dags/shop/work.py": _WORK})
    assert "def load(execution_date," in (out / "dags/shop/work.py").read_text()
    assert any(item.file == "dags/shop/work.py" for item in done.findings)


def test_a_user_elsewhere_keeps_what_this_file_would_change(tmp_path: Path) -> None:
    own = head("", "load").replace("IMPORT", "").replace("\n\nwith DAG", f"\n\n{_WORK}\n\nwith DAG")
    _, out = run(tmp_path / "alone", {"dags/work.py": own})
    assert "def load(logical_date," in (out / "dags/work.py").read_text()
    _, out = run(
        tmp_path / "both", {"dags/work.py": own, "dags/other.py": "from work import load\n\nload(execution_date=1)\n"}
    )
    assert "def load(execution_date," in (out / "dags/work.py").read_text()


@pytest.mark.parametrize(
    ("text", "is_theirs"),
    [("import jinja2\n\nLOAD = '{{ execution_date }}'\n", False), ("LOAD = '{{ execution_date }}'\n", True)],
)
def test_templates_of_files_that_dags_import(tmp_path: Path, text: str, is_theirs: bool) -> None:
    files = {
        "dags/sales.py": head("from queries import LOAD", "print"),
        "dags/queries.py": text,
        "dags/lonely.py": text,
    }
    _, out = run(tmp_path, files)
    assert ("logical_date" in (out / "dags/queries.py").read_text()) is is_theirs
    assert "logical_date" not in (out / "dags/lonely.py").read_text()
