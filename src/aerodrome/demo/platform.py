"""The platform of the demo: `aerodrome serve` as a process of its own, with a home folder of its own, reached as users do."""

from __future__ import annotations

import re
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

from aerodrome.client.client import Client
from aerodrome.demo.processes import ProcessGroup, inherited_environment
from aerodrome.kernel.errors import Broken, Unavailable
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.local.runtime import LocalRuntime

_LINK = re.compile(r"http://\S+/login\?code=(aero_link_[A-Za-z0-9_-]+)")
_WISHED_PORTS = (8700, 8701)


class DemoPlatform:
    """One server below one folder. Safe to make again on the same folder after a crash: `stop` then works."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self.home = self.root / "home"
        self.log = self.root / "server.log"
        self._group = ProcessGroup(self.root / "processes.json")
        self.url = ""

    def start(self) -> None:
        """Start the server with fresh data; `sign_in` waits for it."""
        self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log.unlink(missing_ok=True)
        self.log.touch(mode=0o600)  # the first start prints a login link
        port, gate_port = _ports()
        self.url = f"http://127.0.0.1:{port}"
        env = {
            **inherited_environment(),
            "AERODROME_HOME": str(self.home),
            "AERODROME_PORT": str(port),
            "AERODROME_GATE_PORT": str(gate_port),
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "aerodrome.cli", "serve"]
        self._group.start("server", command, env=env, cwd=self.root, log=self.log)

    def sign_in(self, timeout_s: float = 60) -> Client:
        """Use the link that the first start printed, once, and give a client with a token made by it."""
        until = time.monotonic() + timeout_s
        while (match := _LINK.search(self.log.read_text(errors="replace"))) is None:
            if self._group.find("server") is None:
                tail = " | ".join(self.log.read_text(errors="replace").splitlines()[-3:])
                raise Broken("The server ended at its start.", code="demo-server-died", hint=f"It said: {tail}")
            if time.monotonic() > until:
                raise Unavailable("The server is slow to start.", code="demo-server-slow", hint=f"Read {self.log}.")
            time.sleep(0.1)
        _await_port(self.url, until)
        with Client(self.url) as stranger:
            made = stranger.tokens.exchange(Secret(match.group(1)), "demo")
        return Client(self.url, made.text)

    def stop(self, note: Callable[[str], None] = lambda _text: None) -> None:
        """Stop the server, then every deployment's processes, by identity. Data stays. Safe to repeat."""
        if self._group.find("server"):
            note("stopping the server")
            self._group.stop_one("server")
        runtime = LocalRuntime(self.home / "deployments")
        folder = self.home / "deployments"
        for deployment in sorted(folder.iterdir()) if folder.is_dir() else []:
            if deployment.name.startswith("dep_"):
                note("stopping the deployment")
                runtime.stop(deployment.name, 8)
        runtime.rest()
        self._group.stop(grace_s=2)


def _ports() -> tuple[int, int]:
    """Give the usual ports when they are free, else two that are."""
    chosen = []
    for wished in _WISHED_PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", wished))
            except OSError:
                probe.bind(("127.0.0.1", 0))
            chosen.append(int(probe.getsockname()[1]))
    return chosen[0], chosen[1]


def _await_port(url: str, until: float) -> None:
    port = int(url.rsplit(":", 1)[1])
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.5).close()
        except OSError:
            if time.monotonic() > until:
                raise Unavailable("The server is slow to start.", code="demo-server-slow") from None
            time.sleep(0.1)
        else:
            return
