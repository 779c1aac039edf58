"""Finds a Python interpreter by its minor version; installs one through uv when the machine has none.

Called by the virtualenv store. Never touches the interpreter it finds.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from aerodrome.builds.uv import run_uv
from aerodrome.kernel.errors import AerodromeError, Unavailable


def find_python(version: str) -> Path:
    """Give an interpreter of that minor version ("3.11"): our own, one on this machine, or one freshly installed.

    Unavailable (python-missing) when it cannot be had.
    """
    if f"{sys.version_info.major}.{sys.version_info.minor}" == version:
        return Path(getattr(sys, "_base_executable", None) or sys.executable)
    if found := _look_up(version):
        return found
    try:
        run_uv(["python", "install", version], timeout_s=600)
    except AerodromeError as error:
        raise Unavailable(
            f"Python {version} is not on this machine and could not be installed.",
            code="python-missing",
            hint=f"Install it (for example `apt install python{version}`) and try again, or choose another Python.",
            details={"python": version, "cause": error.message},
            retry_after_s=60,
        ) from error
    if found := _look_up(version):
        return found
    raise Unavailable(
        f"Python {version} was installed but cannot be found.",
        code="python-missing",
        hint=f"Install it (for example `apt install python{version}`) and try again, or choose another Python.",
        details={"python": version},
        retry_after_s=60,
    )


def _look_up(version: str) -> Path | None:
    try:
        answer = run_uv(["python", "find", "--no-project", "--no-python-downloads", "--system", version], timeout_s=60)
    except AerodromeError:
        return _of_pyenv(version)
    path = Path(answer.strip())
    return path if _is_version(path, version) else _of_pyenv(version)


def _of_pyenv(version: str) -> Path | None:
    """Look where pyenv keeps interpreters: its launchers on the PATH refuse those that are not chosen at the moment."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    found = [path for path in root.glob(f"{version}.*/bin/python{version}") if _is_version(path, version)]
    return max(found, key=_patch, default=None)


def _patch(path: Path) -> int:
    digits = path.parents[1].name.rpartition(".")[2]
    return int(digits) if digits.isdecimal() else -1


def _is_version(path: Path, version: str) -> bool:
    """Ask the interpreter itself: a version manager's launcher may exist and still refuse to start."""
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [str(path), "-I", "-c", script], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return answer.returncode == 0 and answer.stdout.strip() == version
