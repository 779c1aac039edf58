"""A declared test command runs in the deployed project and ends with its own exit code, or is ended with all that it started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import aerodrome_airflow.command


def answer(home: Path, command: list[str], timeout_s: float = 60) -> dict[str, Any]:
    """Ask as the platform does: the module in a process, its question on standard input."""
    program = str(Path(aerodrome_airflow.command.__file__))
    given = json.dumps({"command": command, "timeout_s": timeout_s})
    ran = subprocess.run([sys.executable, program], input=given, capture_output=True, text=True, check=True, cwd=home)
    line = ran.stdout.splitlines()[-1]
    found: dict[str, Any] = json.loads(line.removeprefix(aerodrome_airflow.command.MARK))
    return found


def test_it_runs_in_the_project_and_gives_exit_code_and_last_words(tmp_path: Path) -> None:
    home, project = tmp_path / "home", tmp_path / "project"
    home.mkdir()
    project.mkdir()
    (project / "here.txt").write_text("yes")
    code = "import pathlib, sys; print(pathlib.Path('here.txt').read_text()); sys.exit(3)"
    assert answer(home, ["python", "-c", code]) == {"exit_code": 3, "output": "yes\n"}
    long = answer(home, ["python", "-c", "print('x' * 9000 + 'end')"])
    assert (long["exit_code"], len(long["output"]), long["output"][-4:]) == (0, 4000, "end\n")
    missing = answer(home, ["no-such-program"])
    assert (missing["exit_code"], missing["output"].startswith("no-such-program:")) == (127, True)


def test_what_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # the child holds the pipe: unless it is ended too, there is no end of the output
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    assert answer(home, ["python", "-c", code], timeout_s=1)["exit_code"] is None
