"""The supervising process of one deployment: `python -m aerodrome.runtimes.local.shim <folder>`.

Started detached by the runtime; it belongs to the deployment and survives the platform. It obeys `desired.json`, writes
`status.json`, prepares a new database, starts the components, restarts them with back-off and rotates
their logs. It ends by itself when the wish is not to run. Standard library only; it never opens a network connection except a
bind check of the web port.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from aerodrome.runtimes.local.database import PreparationFailed, prepare
from aerodrome.runtimes.local.identity import ProcessIdentity, identify, is_alive
from aerodrome.runtimes.local.layout import Layout, read_json, write_json
from aerodrome.runtimes.local.logfiles import rotate
from aerodrome.runtimes.local.ports import is_free
from aerodrome.runtimes.local.processes import Component, drain, has_tasks, reap_orphans, stop_all

_TICK_S = 0.25
_ROTATE_EVERY_S = 30.0
_PR_SET_CHILD_SUBREAPER = 36


class Shim:
    """Makes `desired.json` true, tick by tick."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._desired: dict[str, Any] = {}
        self._stamp: tuple[int, int] | None = None
        self._components: list[Component] = []
        self._restart_key: str | None = None
        self._phase = "starting"
        self._reason: str | None = None
        self._prepare_again_at = 0.0
        self._failures = 0
        self._rotated_at = 0.0
        self._written: dict[str, Any] = {}
        self._asked_to_end = False

    def run(self) -> None:
        """Work until the wish is not to run; TERM ends the components too."""
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        self._adopt()
        while True:
            self._read()
            if self._asked_to_end or not self._desired.get("is_running"):
                self._phase = "stopping"
                self._write()
                self._drain()
                stop_all(self._components, float(self._desired.get("grace_s", 20)))
                self._phase = "stopped"
                self._write()
                return
            self._tick()
            self._write()
            time.sleep(_TICK_S)

    def _drain(self) -> None:
        """End the scheduler alone: it starts nothing new and waits for its running tasks, which still need the others."""
        seconds = 0.0 if self._asked_to_end else float(self._desired.get("drain_s", 0))
        self._end_schedulers(seconds)

    def _end_schedulers(self, seconds: float) -> None:
        self._layout.cut_off.unlink(missing_ok=True)
        schedulers = [component for component in self._components if component.name == "scheduler"]
        cut_off = drain(schedulers, seconds, float(self._desired.get("grace_s", 20)))
        if cut_off:
            write_json(self._layout.cut_off, {"titles": cut_off})

    def _end(self, *_: object) -> None:
        self._asked_to_end = True

    def _read(self) -> None:
        try:
            stat = self._layout.desired.stat()
        except FileNotFoundError:
            self._desired = {}
            return
        if (stat.st_mtime_ns, stat.st_ino) != self._stamp:
            self._desired = read_json(self._layout.desired) or {}
            self._stamp = (stat.st_mtime_ns, stat.st_ino)
            self._prepare_again_at = 0.0  # a new wish may mend what failed

    def _adopt(self) -> None:
        """Take over components that an earlier shim left running."""
        status = read_json(self._layout.status) or {}
        alive = [
            (entry, ProcessIdentity.from_data(entry["identity"]))
            for entry in status.get("components", ())
            if entry.get("identity") and is_alive(ProcessIdentity.from_data(entry["identity"]))
        ]
        if not alive:
            return
        self._restart_key = status.get("restart_key")
        for entry in status["components"]:
            component = Component(entry["name"], entry["command"], self._layout.log(entry["name"]))
            for seen, identity in alive:
                if seen is entry:
                    component.adopt(identity, entry["restarts"])
            self._components.append(component)
        self._phase = "running"

    def _tick(self) -> None:
        if self._desired["restart_key"] != self._restart_key and not self._begin():
            return
        for component in self._components:
            if component.look() or time.monotonic() < component.next_start:
                continue
            if component.name == self._desired["web_component"] and not is_free(self._desired["port"]):
                component.back_off(f"Port {self._desired['port']} is used by another program.")
                continue
            component.start(self._desired["environment"], self._layout.home)
        reap_orphans(self._components)
        if time.monotonic() - self._rotated_at > _ROTATE_EVERY_S:
            for component in self._components:
                rotate(component.log)
            rotate(self._layout.log("supervisor"))
            self._rotated_at = time.monotonic()

    def _begin(self) -> bool:
        """Stop what runs, prepare the database, list the new components; False when it must be tried again later."""
        if time.monotonic() < self._prepare_again_at:
            return False
        if self._components:
            self._phase = "restarting"
            self._write()
            grace_s = float(self._desired.get("grace_s", 20))
            if has_tasks(self._components):
                self._end_schedulers(grace_s)
            stop_all(self._components, grace_s)
            self._components = []
        self._phase, self._reason = "preparing", None
        self._write()
        try:
            prepare(self._layout, self._desired)
        except PreparationFailed as error:
            self._phase, self._reason = "failed", str(error)
            self._failures += 1
            self._prepare_again_at = time.monotonic() + min(5.0 * 2**self._failures, 300.0)
            return False
        self._failures = 0
        self._restart_key = self._desired["restart_key"]
        self._components = [
            Component(name, command, self._layout.log(name)) for name, command in self._desired["components"]
        ]
        self._phase = "running"
        return True

    def _write(self) -> None:
        me = identify(os.getpid())
        status = {
            "shim": me.as_data() if me else None,
            "phase": self._phase,
            "reason": self._reason,
            "restart_key": self._restart_key,
            "generation": self._desired.get("generation") if self._phase == "running" else None,
            "airflow_version": self._desired.get("airflow_version"),
            "components": [
                {**component.as_data(), "command": list(component.command)} for component in self._components
            ],
        }
        if status != self._written:
            write_json(self._layout.status, status)
            self._written = status


def main(folder: str) -> int:
    """Run the shim of that folder, unless one runs already."""
    layout = Layout(Path(folder))
    lock = os.open(layout.lock, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    os.umask(0o077)
    # orphans of components become our children, so that the stop ladder still finds them
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    Shim(layout).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
