"""What stands in for a missing module is taken by Airflow's checks of types, or proofs would compare less than they can."""

from __future__ import annotations

import copy
import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import aerodrome.parsing


@pytest.fixture(scope="module")
def lenient() -> ModuleType:
    """The file runs inside Airflow's interpreters; here it is loaded as one."""
    path = Path(aerodrome.parsing.__file__).parent / "inside" / "lenient.py"
    spec = importlib.util.spec_from_file_location("lenient_under_test", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_setting_is_a_text_and_a_number(lenient: ModuleType) -> None:
    setting: Any = lenient._named("engineering_support")
    made: Any = setting
    assert isinstance(setting, str)
    assert json.dumps([setting, made.team, made("a")]) == '["stand-in", "stand-in", "stand-in"]'
    assert int(setting) == 1
    assert int(lenient._named("START_YEAR")) == 1
    assert list(setting) == []
    assert "a" not in setting
    assert copy.deepcopy({"a": setting})["a"] is setting


def test_default_args_are_a_dict_with_a_start(lenient: ModuleType) -> None:
    shared: Any = lenient._named("default_args")
    assert isinstance(shared, dict)
    assert shared["start_date"].year == 2024


def test_what_is_named_like_a_class_can_be_a_base(lenient: ModuleType) -> None:
    class Mine(lenient._named("TheirBase")):  # type: ignore[misc]
        pass

    assert isinstance(Mine().run(), str)


def test_a_callback_is_kept_when_airflow_takes_a_collection_apart(lenient: ModuleType) -> None:
    callback = lenient._named("alert")
    code = compile(
        "def collect(value):\n    return list(iter(value))", "/venv/site-packages/airflow/sdk/operator.py", "exec"
    )
    names: dict[str, object] = {}
    exec(code, names)
    collect = names["collect"]
    assert callable(collect)
    assert collect(callback) == [callback]


def test_values_made_anew_are_the_same_for_the_project_only(tmp_path: Path) -> None:
    """In a process of its own: what is pinned stays so."""
    (tmp_path / "project").mkdir()
    (tmp_path / "other").mkdir()
    text = "import os, random, secrets, time, uuid\ndef make():\n    return [str(uuid.uuid4()), str(uuid.uuid1()), secrets.token_hex(4), os.urandom(3).hex(), random.SystemRandom().random(), time.time(), time.time_ns()]\n"
    (tmp_path / "project/mine.py").write_text(text)
    (tmp_path / "other/theirs.py").write_text(text)
    inside = Path(aerodrome.parsing.__file__).parent / "inside"
    code = (
        f"import json, random, sys\nsys.path[:0] = [{str(inside)!r}, {str(tmp_path / 'project')!r}, {str(tmp_path / 'other')!r}]\n"
        f"import pinned\npinned.install({str(tmp_path / 'project')!r})\nimport mine, theirs\n"
        "print(json.dumps([mine.make(), theirs.make(), mine.make()]))\n"
    )
    first, second = (
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(2)
    )
    assert (first[0], first[2]) == (second[0], second[2])
    assert not set(first[0]) & set(first[2])
    assert not set(first[1]) & set(second[1])
