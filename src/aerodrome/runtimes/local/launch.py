"""Starts a deployment's supervising process, detached from the process that asks for it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path

from aerodrome.kernel.errors import Unavailable
from aerodrome.runtimes.local.layout import Layout
from aerodrome.runtimes.local.logfiles import open_log

START_S = 10.0  # so long a supervisor may take to come up
_LAUNCHER = """\
import subprocess, sys
subprocess.Popen([sys.argv[1], "-P", "-m", "aerodrome.runtimes.local.shim", sys.argv[2]], start_new_session=True)
"""


def start_shim(layout: Layout) -> None:
    """Start the supervising process when none runs; returns once it holds its lock."""
    if is_shim_running(layout):
        return
    output = open_log(layout.log("supervisor"))
    package_root = Path(__file__).resolve().parents[3]
    try:
        # a child of a child: the shim must not be ours, or our death and its exit code would matter to somebody
        subprocess.run(
            [sys.executable, "-P", "-c", _LAUNCHER, sys.executable, str(layout.folder)],
            env={"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(package_root), "PYTHONUNBUFFERED": "1"},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            check=True,
            timeout=START_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable(
            "The supervising process could not be started.",
            code="supervisor-not-started",
            hint=f"See {layout.log('supervisor')}.",
        ) from error
    finally:
        os.close(output)
    deadline = time.monotonic() + START_S
    while not is_shim_running(layout):
        if time.monotonic() > deadline:
            raise Unavailable(
                "The supervising process ended right after its start.",
                code="supervisor-not-started",
                hint=f"See {layout.log('supervisor')}.",
            )
        time.sleep(0.02)


def is_shim_running(layout: Layout) -> bool:
    """Tell whether somebody holds the shim's lock."""
    try:
        lock = os.open(layout.lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(lock)
