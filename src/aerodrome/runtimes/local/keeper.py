"""The keeper of the managed PostgreSQL server: `python -m aerodrome.runtimes.local.keeper <folder>`.

Started detached, once per platform home; it belongs to the server, not to the platform, and survives it. It obeys
`keeper.json`: as long as the wish is to run, it starts the server again whenever it is gone, with back-off, and bounds its log.
Standard library only; it never opens a connection.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from aerodrome.runtimes.local.layout import read_json, write_json
from aerodrome.runtimes.local.logfiles import rotate

WISH, STATUS, LOCK, LOG = "keeper.json", "keeper-status.json", "keeper.lock", "keeper.log"
_TICK_S = 0.5
_LONGEST_S = 60.0


def is_alive(data: Path) -> bool:
    """Tell whether the server of that data folder runs: the pid in its file, and that this process names the folder."""
    try:
        pid = int((data / "postmaster.pid").read_text().splitlines()[0])
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError, IndexError):
        return False
    return str(data).encode() in command


def is_kept(folder: Path) -> bool:
    """Tell whether a keeper of that folder runs."""
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
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


def start(wish: dict[str, Any]) -> str | None:
    """Start the server and wait until it answers; give the last line of what it said when it could not."""
    as_user = {} if wish["uid"] is None else {"user": wish["uid"], "group": wish["gid"], "extra_groups": []}
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    try:
        done = subprocess.run(
            wish["command"],
            cwd=wish["folder"],
            env={**environment, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            timeout=90,
            check=False,
            **as_user,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"pg_ctl could not run: {type(error).__name__}."
    return None if done.returncode == 0 else f"pg_ctl ended with exit code {done.returncode}; see {wish['log']}."


def keep(folder: Path) -> None:
    """Work until the wish is not to run."""
    failures, restarts, next_try, written = 0, 0, 0.0, None
    reason: str | None = None
    while (wish := read_json(folder / WISH)) is not None and wish["is_running"]:
        is_up = is_alive(Path(wish["data"]))
        if is_up:
            failures, reason = 0, None
        elif time.monotonic() >= next_try:
            reason = start(wish)
            restarts += 1
            failures = failures + 1 if reason else 0
            next_try = time.monotonic() + min(2.0**failures, _LONGEST_S)
        status = {"is_up": is_up or reason is None, "starts": restarts, "reason": reason}
        if status != written:
            write_json(folder / STATUS, status)
            written = status
        rotate(Path(wish["log"]))
        time.sleep(_TICK_S)


def main(folder: str) -> int:
    """Keep the server of that folder, unless somebody does already."""
    os.umask(0o077)
    lock = os.open(Path(folder) / LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    keep(Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
