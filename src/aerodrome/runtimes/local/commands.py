"""Runs one program inside a deployment: in its virtualenv, with the environment that its Airflow has, for a limited time.

Used by the runtime for looks that must happen where tasks run. Secrets travel by the environment and standard input, never by
argv; the environment of a running deployment is not touched.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from aerodrome.runtimes.contract import RunResult
from aerodrome.runtimes.local.identity import family, identify
from aerodrome.runtimes.local.processes import kill_all

_MOST = 200_000  # characters that are kept of each stream


def run(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, given: str, timeout_s: float
) -> RunResult:
    """Run it and give how it ended; when the time is up it is killed with all that it started."""
    process = subprocess.Popen(
        list(arguments),
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(given, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        root = identify(process.pid)
        kill_all(family([root] if root else []))
        process.kill()
        output, errors = process.communicate()
        return RunResult(None, output[-_MOST:], errors[-_MOST:])
    return RunResult(process.returncode, output[-_MOST:], errors[-_MOST:])
