"""Where only imports tell the source's version, each file that shows another one has it; what cannot be decided is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from aerodrome.migration.codemod import CodeUpgrade, Options, upgrade

_NEW = (
    "from airflow.decorators import task\n\n\n@task\ndef load(execution_date=None):\n    print(f'{execution_date}')\n"
)
_SSH = "SSHOperator(task_id='a', ssh_conn_id='b', command='c')\n"
_OLD = "from airflow.contrib.operators.ssh_operator import SSHOperator\n" + _SSH
_ONLY = "from airflow.operators import BashOperator\n" + _OLD
_PYTHON_2 = _OLD + "print 'done'\n"
_SAME = "from airflow.operators.bash_operator import BashOperator\nBashOperator(task_id='a', bash_command='b')\n"  # no rule asks for the version


def upgraded(tmp_path: Path, files: dict[str, str], options: Options | None = None) -> CodeUpgrade:
    (tmp_path / "in").mkdir()
    for name, text in files.items():
        (tmp_path / "in" / name).write_text(text)
    return upgrade(tmp_path / "in", tmp_path / "out", "3.3.2", options)


def said(done: CodeUpgrade) -> list[tuple[str, str]]:
    return [(item.file, item.message) for item in done.findings if item.rule == "source-version"]


_NEWER = {f"new_{at}.py": _NEW for at in range(4)}


@pytest.mark.parametrize("text", [_ONLY, _PYTHON_2])
def test_a_file_that_only_1_reads_has_the_defaults_of_1(tmp_path: Path, text: str) -> None:
    done = upgraded(tmp_path, {"old.py": text, **_NEWER})
    assert "cmd_timeout=None" in (tmp_path / "out/old.py").read_text()
    assert said(done) == []
    assert "isoformat" not in (tmp_path / "out/new_0.py").read_text()


def test_a_file_that_may_be_of_both_is_said(tmp_path: Path) -> None:
    done = upgraded(tmp_path, {"old.py": _OLD, "same.py": _SAME, **_NEWER})
    assert "cmd_timeout" not in (tmp_path / "out/old.py").read_text()
    ((file, message),) = said(done)
    assert file == "old.py"
    assert "taken for Airflow 2.11.2" in message
    assert "old-default (1)" in message


def test_a_version_that_is_named_is_that_of_every_file(tmp_path: Path) -> None:
    done = upgraded(tmp_path, {"old.py": _OLD, "requirements.txt": "apache-airflow==2.11.2\n", **_NEWER})
    assert said(done) == []


@pytest.mark.parametrize(("version", "has_defaults"), [("1.10.15", True), ("2.9.3", False)])
def test_a_version_that_is_given_is_that_of_every_file(tmp_path: Path, version: str, has_defaults: bool) -> None:
    done = upgraded(tmp_path, {"old.py": _OLD, **_NEWER}, Options(source_version=version))
    assert said(done) == []
    assert ("cmd_timeout=None" in (tmp_path / "out/old.py").read_text()) is has_defaults


def test_a_file_of_2_among_those_of_1_has_the_moments_of_2(tmp_path: Path) -> None:
    done = upgraded(tmp_path, {"new.py": _NEW, **{f"old_{at}.py": _OLD for at in range(4)}})
    assert "cmd_timeout=None" in (tmp_path / "out/old_0.py").read_text()
    assert "isoformat" not in (tmp_path / "out/new.py").read_text()
    assert said(done) == []
