"""What is imported ahead is found by looking at files, never by running them; large pages change nothing that is in them."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from aerodrome.parsing import warm

INSIDE = warm.SCRIPT.parent


def _ahead() -> dict[str, Any]:
    return runpy.run_path(str(INSIDE / "ahead.py"))


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (path := folder / name).parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_imports_are_followed_through_the_project_and_nothing_is_run(tmp_path: Path) -> None:
    never = "raise SystemExit(1)\n"
    project = _write(
        tmp_path,
        {
            "dags/one.py": f"import airflow\nfrom team.parts import build\nimport lib.deep\n{never}",
            "dags/team/__init__.py": "from .parts import build\n",
            "dags/team/parts.py": f"from airflow.providers.http.operators.http import HttpOperator\nfrom ..flat import x\n{never}",
            "dags/flat.py": f"import numpy as np\n{never}",
            "plugins/lib/__init__.py": never,
            "plugins/lib/deep.py": "import pandas\nimport lib\nimport one\n",
            "dags/unread.py": "import scipy\n",
            "dags/no_dag.py": "import kubernetes\n",
            "dags/unfinished.py": "import airflow\nfrom airflow.x import (\n",
        },
    )
    roots = [str(project / "dags"), str(project / "plugins"), str(project)]
    files = [str(project / "dags" / name) for name in ("one.py", "no_dag.py", "unfinished.py", "absent.py")]
    found = frozenset().union(*_ahead()["named"](files, roots).values())
    assert ("airflow.providers.http.operators.http", "HttpOperator") in found
    assert {("pandas", ""), ("numpy", ""), ("airflow", "")} <= found
    assert not {name for name, _ in found} & {"scipy", "kubernetes"}


def test_what_is_imported_later_or_never_is_left_alone(tmp_path: Path) -> None:
    text = b"""
import typing
if typing.TYPE_CHECKING:
    import pandas
else:
    import numpy
try:
    from airflow.sdk import *
except ImportError:
    from airflow.models import DAG, dag as other
def act():
    import scipy
class Kind:
    import boto3
    def act(self):
        import sklearn
"""
    found = set(_ahead()["_imports"](text, str(tmp_path), [str(tmp_path)]))
    assert found == {
        ("typing", ""),
        ("numpy", ""),
        ("airflow.sdk", ""),
        ("airflow.models", "DAG"),
        ("airflow.models", "dag"),
        ("boto3", ""),
    }


def test_memory_in_large_pages_is_the_same_and_forks_keep_their_own() -> None:
    text = """
import os, runpy, sys
block = bytearray(range(256)) * (1 << 16)
held = [str(number) for number in range(200_000)]
runpy.run_path(sys.argv[1])["make_large"]()
child = os.fork()
if not child:
    block[:] = bytes(len(block))
    held.clear()
    os._exit(0 if not any(block[:4096]) else 1)
assert os.waitpid(child, 0)[1] == 0
assert block == bytearray(range(256)) * (1 << 16)
assert held == [str(number) for number in range(200_000)]
"""
    subprocess.run([sys.executable, "-c", text, str(INSIDE / "pages.py")], check=True, timeout=120)


def test_abstract_classes_know_common_values_again_after_a_library_made_python_forget(tmp_path: Path) -> None:
    registering = "import collections.abc\nclass Like:\n    pass\ncollections.abc.Mapping.register(Like)\n"
    _write(
        tmp_path,
        {
            "library/airflow/__init__.py": "",
            "library/airflow/one.py": registering,
            "library/airflow/two.py": registering,
            "dags/one.py": "import airflow.one\n",
            "dags/two.py": "import airflow.two\n",
            "dags/again.py": "import airflow.two\n",
            "ask.py": """
import collections.abc, datetime, runpy, sys
asked = []
class Watching(collections.abc.Mapping):
    @classmethod
    def __subclasshook__(cls, other):
        asked.append(other)
        return NotImplemented
inside, folder = sys.argv[1:]
sys.path.insert(0, folder + "/library")
files = [folder + "/dags/" + name for name in ("one.py", "two.py", "again.py")]
imports = runpy.run_path(inside + "/ahead.py")["Imports"](files, [folder + "/dags"])
for file in files:
    asked.clear()
    print(imports.prepare(file), bool(asked))
    asked.clear()
    answers = [isinstance(value, collections.abc.Mapping) for value in ([], "", 1, datetime.timedelta(), {})]
    assert answers == [False, False, False, False, True], answers
    print(asked)
""",
        },
    )
    run = [sys.executable, str(tmp_path / "ask.py"), str(INSIDE), str(tmp_path)]
    said = subprocess.run(run, capture_output=True, text=True, check=False)
    assert said.stdout.splitlines() == ["True True", "[]", "True True", "[]", "False False", "[]"], said.stderr
