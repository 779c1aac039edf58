"""Variables are read by what airflow.sdk.Variable has. If these break, tasks fail with an AttributeError or a TypeError."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aerodrome.builds.contract import Venv
from aerodrome.migration.codemod import Options, upgrade

_HEAD = "from airflow.models import Variable\n\n"
_NEW = "from airflow.sdk import Variable\n\n"


def upgraded(folder: Path, files: dict[str, str]) -> tuple[dict[str, str], list[str]]:
    for name, text in files.items():
        (path := folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    done = upgrade(folder / "in", folder / "out", "3.3.2", Options(source_version="2.9.3"))
    again = upgrade(folder / "out", folder / "again", "3.3.2", Options(source_version="3.3.2"))
    assert [file.path for file in again.files if file.diff] == []
    return {name: (folder / "out" / name).read_text() for name in files}, [item.rule for item in done.findings]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = Variable.get_variable_from_secrets('a')", "x = Variable.get('a', default=None)"),
        ("x = Variable.get_variable_from_secrets(key='a')", "x = Variable.get(key='a', default=None)"),
        ("x = Variable.get_variable_from_secrets(\n    'a'\n)", "x = Variable.get(\n    'a',\n    default=None\n)"),
    ],
)
def test_what_secrets_give(tmp_path: Path, old: str, new: str) -> None:
    texts, findings = upgraded(tmp_path, {"a.py": f"{_HEAD}{old}\n"})
    assert texts["a.py"] == f"{_NEW}{new}\n"
    assert findings == []


def test_what_only_warned_is_found(tmp_path: Path) -> None:
    _, findings = upgraded(tmp_path, {"a.py": f"{_HEAD}Variable.check_for_write_conflict('a')\n"})
    assert findings == ["runtime-api"]


@pytest.mark.parametrize("line", ["from base import *", "from base import Variable"])
@pytest.mark.parametrize("own", ["", "\nx = Variable.get('y', default_var=None)\n"])
def test_a_class_that_another_file_passes_on(tmp_path: Path, line: str, own: str) -> None:
    user = f"{line}\n\na = Variable.get('a', default_var=1)\nb = Variable.get_variable_from_secrets('b')\n"
    texts, findings = upgraded(tmp_path, {"base.py": f"{_HEAD}{own}", "a.py": user})
    assert texts["a.py"] == (
        f"{line}\nfrom airflow.sdk import Variable\n\na = Variable.get('a', default=1)\nb = Variable.get('b', default=None)\n"
    )
    assert "import Variable" in texts["base.py"]
    assert findings == []


@pytest.mark.airflow
def test_the_real_class_has_what_is_written(airflow_venv: Callable[..., Venv]) -> None:
    code = (
        "import inspect, sys; from airflow.sdk import Variable; from airflow.models import Variable as Old; "
        "names = [hasattr(kind, 'get_variable_from_secrets') for kind in (Variable, Old)]; "
        "sys.__stdout__.write(f'RESULT{names} {list(inspect.signature(Variable.get).parameters)}')"
    )
    done = subprocess.run(
        [airflow_venv("3.3.2").path / "bin/python", "-c", code], capture_output=True, text=True, check=False, env={"PATH": "/usr/bin:/bin"}
    )  # fmt: skip
    assert done.stdout.partition("RESULT")[2] == "[False, True] ['key', 'default', 'deserialize_json']", done.stderr
