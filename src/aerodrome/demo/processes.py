"""Processes that belong together and can always be found again, whoever started them and however that one ended.

Every process gets a mark (an environment variable with a random value) that its children inherit, and the state file is
written before the first one starts: a crash at any line leaves nothing running that `stop` does not find.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from aerodrome.kernel.files import write_text

MARK = "AERODROME_DEMO_MARK"


@dataclass(frozen=True)
class Process:
    """One started process. `create_time` (seconds since boot's clock) tells it from a later one with its pid."""

    name: str
    pid: int
    create_time: float

    def is_alive(self) -> bool:
        try:
            process = psutil.Process(self.pid)
            return process.create_time() == self.create_time and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False


class ProcessGroup:
    """Starts processes under one mark and stops them. `state_file` outlives the program."""

    def __init__(self, state_file: Path) -> None:
        self._file = state_file
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        if state_file.exists():
            state = json.loads(state_file.read_text())
            self.mark: str = state["mark"]
            self.processes = [Process(**one) for one in state["processes"]]
        else:
            self.mark = secrets.token_hex(12)
            self.processes = []

    def start(
        self, name: str, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, log: Path
    ) -> subprocess.Popen[bytes]:
        """Start a command in its own session with its output in `log`; recorded before this returns."""
        self._save()
        with log.open("ab") as stream:
            child = subprocess.Popen(
                list(command),
                cwd=cwd,
                # SPT_NOENV: setproctitle, which Airflow and gunicorn use, must not overwrite the mark in /proc.
                env={**env, MARK: self.mark, "SPT_NOENV": "1"},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                start_new_session=True,
            )
        self._children[child.pid] = child
        self.processes.append(Process(name, child.pid, psutil.Process(child.pid).create_time()))
        self._save()
        return child

    def find(self, name: str) -> Process | None:
        """Give the living process of that name."""
        return next((one for one in self.processes if one.name == name and one.is_alive()), None)

    def members(self) -> Iterator[psutil.Process]:
        """Give every living process that bears the mark, children of children included."""
        for process in psutil.process_iter():
            try:
                if process.environ().get(MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    yield process
            except psutil.Error:
                continue

    def stop_one(self, name: str, grace_s: float = 10) -> None:
        """Stop one process by identity, with all its children: TERM to it, wait, KILL what is left of them."""
        if (known := self.find(name)) is None:
            return
        leader = psutil.Process(known.pid)
        family = [leader, *leader.children(recursive=True)]
        leader.terminate()
        self._end(family, grace_s)
        self.processes = [one for one in self.processes if one != known]
        self._save()

    def stop(self, grace_s: float = 10) -> list[str]:
        """Stop everything: TERM to the started ones, wait, KILL whatever bears the mark. Gives what needed KILL."""
        everybody = list(self.members())
        for known in reversed(self.processes):
            if known.is_alive():
                psutil.Process(known.pid).terminate()
        killed = self._end(everybody, grace_s)
        while rest := list(self.members()):
            killed += self._end(rest, 0)
        self.processes = []
        self._file.unlink(missing_ok=True)
        return killed

    def _end(self, family: list[psutil.Process], grace_s: float) -> list[str]:
        deadline = time.monotonic() + grace_s
        alive = family
        while True:
            self._reap()
            alive = [one for one in alive if _is_alive(one)]
            if not alive or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        killed = []
        for one in alive:
            try:
                killed.append(one.name())
                one.kill()
            except psutil.Error:
                continue
        psutil.wait_procs(alive, timeout=5)
        self._reap()
        return killed

    def _reap(self) -> None:
        for child in self._children.values():
            child.poll()

    def _save(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"mark": self.mark, "processes": [asdict(one) for one in self.processes]})
        write_text(self._file, text)


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def inherited_environment() -> dict[str, str]:
    """Give the part of our environment that a service needs; nothing of Airflow's, Python's or ours leaks in."""
    wanted = ("HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "TZ", "USER", "SSL_CERT_FILE")
    return {name: os.environ[name] for name in wanted if name in os.environ}
