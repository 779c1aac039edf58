"""Runs one command and lets nothing of it survive: when our standard input ends, all its processes are killed.

The input is a pipe from whoever wants the command to run, so it ends with them, however they end. Descendants are found
by their parents (we are their subreaper), so those that made sessions or groups of their own are found too.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
    found, front = [], {root}
    while front:
        front = {pid for pid, parent in parents.items() if parent in front}
        found += sorted(front)
    return found


def _kill_all() -> None:
    for _ in range(20):
        pids = _descendants(os.getpid()) if sys.platform == "linux" else []
        if not pids:
            break
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _watch() -> None:
    while os.read(0, 4096):
        pass
    _kill_all()
    os._exit(137)


def main() -> None:
    """Run the command of our arguments; end with its exit code."""
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_watch, daemon=True).start()
    code = child.wait()
    _kill_all()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
