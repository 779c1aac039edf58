"""Starts, watches and ends one component with all its descendants. Standard library only; used by the shim.

A component may be a child of this shim or, after a shim was killed, one that an earlier shim started: then only its death can be
seen, not its exit code.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aerodrome.runtimes.local.identity import ProcessIdentity, family, identify, is_alive, started_at, title_of
from aerodrome.runtimes.local.logfiles import open_log

_STEADY_S = 60.0  # a component that ran this long starts its back-off anew
_MAX_DELAY_S = 60.0
_ON_KILL_S = 5.0  # a task of Airflow 3 goes on after TERM, which only calls its operator's on_kill
_TASK_2 = "airflow task supervisor: "  # of Airflow 2: TERM ends its task and writes down what becomes of it
_TASKS = (_TASK_2, "airflow worker -- ")
_NO_TASK = "airflow worker -- LocalExecutor"


@dataclass
class Component:
    """One process of a deployment."""

    name: str
    command: Sequence[str]
    log: Path
    state: str = "stopped"  # starting, running, backing-off, stopped, failed
    identity: ProcessIdentity | None = None
    restarts: int = 0
    failures: int = 0  # in a row
    last_exit_code: int | None = None
    reason: str | None = None
    next_start: float = 0.0  # monotonic
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self, environment: Mapping[str, str], folder: Path) -> None:
        """Start it in its own session, its output appended to its log file."""
        output = open_log(self.log)
        try:
            self._child = subprocess.Popen(
                self.command,
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            self.state = "failed"
            self.back_off(f"{self.name} could not be started: {error.strerror}.")
            return
        finally:
            os.close(output)
        self.identity = identify(self._child.pid)
        self.state, self.reason = "running", None

    def adopt(self, identity: ProcessIdentity, restarts: int) -> None:
        """Take over a process that an earlier shim started."""
        self.identity, self.restarts, self.state = identity, restarts, "running"

    def look(self) -> bool:
        """Tell whether it runs; note its end and when to start it again."""
        if self.state != "running":
            return False
        code = self._child.poll() if self._child is not None else None
        if code is None and self.identity is not None and is_alive(self.identity):
            if time.time() - started_at(self.identity) > _STEADY_S:
                self.failures = 0
            return True
        if code is None and self._child is not None:
            code = self._child.wait()
        self.last_exit_code = code
        kill_all(self.leftovers())
        self._child = None
        self.back_off(f"{self.name} ended {_how(code)}.")
        return False

    def reap(self) -> None:
        """Take the exit code of an ended child, so that it does not stay a zombie."""
        if self._child is not None and (code := self._child.poll()) is not None:
            self.last_exit_code, self._child = code, None

    def back_off(self, reason: str) -> None:
        """Wait 1, 2, 4 … 60 seconds before the next start."""
        self.failures += 1
        self.restarts += 1
        self.state, self.reason = "backing-off", reason
        self.next_start = time.monotonic() + min(2.0 ** (self.failures - 1), _MAX_DELAY_S)

    def leftovers(self) -> list[ProcessIdentity]:
        """Give the living members of its family."""
        return [] if self.identity is None else family([self.identity])

    def as_data(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "state": self.state,
            "identity": self.identity.as_data() if self.identity and self.state == "running" else None,
            "started_at": started_at(self.identity) if self.identity and self.state == "running" else None,
            "restarts": self.restarts,
            "last_exit_code": self.last_exit_code,
            "reason": self.reason,
        }


def stop_all(components: Sequence[Component], grace_s: float) -> None:
    """End the components: TERM to each, wait up to `grace_s`, then KILL whatever of their families is left."""
    members = [member for component in components for member in component.leftovers()]
    for component in components:
        if component.identity is not None and is_alive(component.identity):
            _signal(component.identity, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while time.monotonic() < deadline:
        for component in components:
            component.reap()
        if not any(is_alive(member) for member in members):
            break
        time.sleep(0.1)
    members += [member for component in components for member in component.leftovers()]
    kill_all(members)
    for component in components:
        component.reap()
    reap_orphans(())
    for component in components:
        component.state, component.identity, component.reason = "stopped", None, None


def drain(components: Sequence[Component], seconds: float, grace_s: float) -> list[str]:
    """End schedulers: nothing new is started, their tasks may finish for so long; then the tasks are ended, each by its own Airflow.

    A killed task would stay `running` in the metadata database, and the next scheduler would run it again whatever its retries are.
    So it is ended as Airflow ends tasks, which writes down the retry or the failure; only what resists for `grace_s` is killed. Gives
    the titles of the processes of the tasks that were cut off.
    """
    if seconds <= 0 and not has_tasks(components):
        return []
    for component in components:
        if component.identity is not None and is_alive(component.identity):
            _signal(component.identity, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while _members(components) and time.monotonic() < deadline:
        time.sleep(0.2)
    told: dict[ProcessIdentity, tuple[float, str]] = {}
    deadline = time.monotonic() + grace_s
    while _members(components) and time.monotonic() < deadline:
        tasks = _tasks(components)
        if not tasks and not told:
            break  # it resists although it has nothing to wait for
        for member, title in tasks.items():
            if member not in told:
                told[member] = (time.monotonic(), title)
                _signal(member, signal.SIGTERM)
            elif not title.startswith(_TASK_2) and time.monotonic() - told[member][0] > _ON_KILL_S:
                kill_all(family([member]))  # its supervisor sees that and reports it
        time.sleep(0.2)
    stop_all(components, 0)
    return [title for _, title in told.values()]


def has_tasks(components: Sequence[Component]) -> bool:
    """Tell whether tasks run in the families of the components."""
    return bool(_tasks(components))


def _tasks(components: Sequence[Component]) -> dict[ProcessIdentity, str]:
    titles = {member: title_of(member) for member in _members(components)}
    return {
        member: title for member, title in titles.items() if title.startswith(_TASKS) and not title.startswith(_NO_TASK)
    }


def _members(components: Sequence[Component]) -> list[ProcessIdentity]:
    for component in components:
        component.reap()
    reap_orphans(components)
    return [member for component in components for member in component.leftovers()]


def reap_orphans(components: Sequence[Component]) -> None:
    """Take the exit codes of ended processes that became our children because their parent died."""
    own = {component.identity.pid for component in components if component.identity is not None}
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None or ended.si_pid in own:
            return
        os.waitpid(ended.si_pid, os.WNOHANG)


def kill_all(members: Sequence[ProcessIdentity]) -> None:
    """KILL each that still lives, and wait until they are gone (5 seconds at most)."""
    alive = [member for member in members if is_alive(member)]
    for member in alive:
        _signal(member, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while any(is_alive(member) for member in alive) and time.monotonic() < deadline:
        time.sleep(0.05)


def _signal(identity: ProcessIdentity, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(identity.pid, number)


def _how(code: int | None) -> str:
    if code is None:
        return "while nobody watched"
    if code < 0:
        return f"by signal {signal.Signals(-code).name}"
    return f"with exit code {code}"
