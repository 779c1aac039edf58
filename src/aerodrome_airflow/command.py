"""Runs a test command in the deployed project, where tasks run: `python -m aerodrome_airflow.command`, JSON on standard input.

{"command": ["python", "tests/end_to_end.py"], "timeout_s": 600} -> {"exit_code": 0, "output": "the last lines"}. The program is
looked for in the virtualenv first, then in PATH; the working folder is the project that is live. The exit code is null when
the time was up; the command and all that it started are ended then.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

MARK = "AERODROME-PROBE "
TAIL = 4000


def run(command: list[str], timeout_s: float) -> dict[str, Any]:
    """Run it and give how it ended."""
    project = Path.cwd().parent / "project"
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    try:
        process = subprocess.Popen(
            command,
            cwd=project if project.is_dir() else None,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        return {"exit_code": 127, "output": f"{command[0]}: {error.strerror or type(error).__name__}"}
    try:
        output, _ = process.communicate(timeout=timeout_s)
        exit_code = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        exit_code = None
    return {"exit_code": exit_code, "output": output.decode(errors="replace")[-TAIL:]}


def main() -> None:
    """Answer on standard output."""
    asked = json.loads(sys.stdin.read())
    found = run(asked["command"], float(asked["timeout_s"]))
    sys.stdout.write(f"\n{MARK}{json.dumps(found)}\n")


if __name__ == "__main__":
    main()
