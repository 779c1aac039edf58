"""Variables are read by what airflow.sdk.Variable has. If these break, tasks fail with an AttributeError or a TypeError."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.rooms.migration.codemod.projects import upgraded

from aerodrome.builds.contract import Venv

_HEAD = "from airflow.models import Variable\n\n"
_VERSIONS = ("2.9.3", "3.3.2")
_NEW = "from airflow.sdk import Variable\n\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x = Variable.get_variable_from_secrets('a')", "x = Variable.get('a', default=None)"),
        ("x = Variable.get_variable_from_secrets(key='a')", "x = Variable.get(key='a', default=None)"),
        ("x = Variable.get_variable_from_secrets(\n    'a'\n)", "x = Variable.get(\n    'a',\n    default=None\n)"),
    ],
)
def test_what_secrets_give(tmp_path: Path, old: str, new: str) -> None:
    done, texts = upgraded(tmp_path, {"a.py": f"{_HEAD}{old}\n"}, *_VERSIONS)
    assert texts["a.py"] == f"{_NEW}{new}\n"
    assert [item.rule for item in done.findings] == []


def test_what_only_warned_is_found(tmp_path: Path) -> None:
    done, _ = upgraded(tmp_path, {"a.py": f"{_HEAD}Variable.check_for_write_conflict('a')\n"}, *_VERSIONS)
    assert [item.rule for item in done.findings] == ["runtime-api"]


@pytest.mark.parametrize("line", ["from base import *", "from base import Variable"])
@pytest.mark.parametrize("own", ["", "\nx = Variable.get('y', default_var=None)\n"])
def test_a_class_that_another_file_passes_on(tmp_path: Path, line: str, own: str) -> None:
    user = f"{line}\n\na = Variable.get('a', default_var=1)\nb = Variable.get_variable_from_secrets('b')\n"
    done, texts = upgraded(tmp_path, {"base.py": f"{_HEAD}{own}", "a.py": user}, *_VERSIONS)
    assert texts["a.py"] == (
        f"{line}\nfrom airflow.sdk import Variable\n\na = Variable.get('a', default=1)\nb = Variable.get('b', default=None)\n"
    )
    assert "import Variable" in texts["base.py"]
    assert [item.rule for item in done.findings] == []


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
