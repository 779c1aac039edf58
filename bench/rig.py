"""What the benches of the platform share: a real server with a home of its own, real deployments, and ways to look at them.

Virtualenvs are kept in AERODROME_BENCH_CACHE (default .cache/bench) between runs; everything else goes at the end.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from aerodrome.access.actor import SYSTEM
from aerodrome.airflowkit.tokens import mint
from aerodrome.bootstrap import App, build
from aerodrome.client.client import Client
from aerodrome.client.models import Deployment
from aerodrome.demo.processes import inherited_environment
from aerodrome.kernel.secret import Secret
from aerodrome.runtimes.contract import AirflowAccess
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.settings import load_settings

WORKSPACE = "bench"
_WAIT_S = 900.0
_LINK = re.compile(r"http://\S+/login\?code=(aero_link_[A-Za-z0-9_-]+)\s")


def note(text: str) -> None:
    """Tell a person how it goes; the figures alone go to standard output."""
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stderr.flush()


def load() -> float:
    """Give the machine's load of the last minute: figures of a busy machine say little."""
    return round(os.getloadavg()[0], 1)


@dataclass
class Rig:
    """A running platform."""

    server: Server
    client: Client
    token: Secret
    app: App = field(repr=False)  # the rooms on the same home, to reach what the API does not tell; it starts nothing

    def deploy_command(self, project: Path, deployment: str, *more: str) -> subprocess.Popen[bytes]:
        """Start `aerodrome deploy`, as a person does."""
        env = {**inherited_environment(), "AERODROME_URL": self.server.url, "AERODROME_TOKEN": self.token.reveal()}
        command = [sys.executable, "-m", "aerodrome.cli", "deploy", str(project), "--deployment", deployment, *more]
        return subprocess.Popen(
            command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )

    def create(self, name: str, airflow_version: str, **wish: Any) -> Deployment:
        """Make a deployment and wait until it is healthy."""
        made = self.client.deployments.create(name, WORKSPACE, airflow_version=airflow_version, **wish)
        seen = self.client.deployments.wait_healthy(made.id, _WAIT_S)
        note(f"{name} is healthy (Airflow {airflow_version})")
        return seen

    def access(self, deployment: str) -> AirflowAccess:
        return self.app.fleet.access(SYSTEM, deployment)


class Airflow:
    """Asks one Airflow's API, over one connection."""

    def __init__(self, access: AirflowAccess) -> None:
        self._key = access.signing_key
        self._api = "/api/v2" if access.airflow_version.startswith("3") else "/api/v1"
        self._http = httpx2.Client(base_url=access.base_url, trust_env=False, timeout=10)
        self._token, self._until = Secret(""), 0.0

    def get(self, path: str) -> Any:
        """Give the answer's data; None when it is not there (yet)."""
        if time.monotonic() > self._until:
            self._token, self._until = mint(self._key, "bench", "admin", 300), time.monotonic() + 200
        answer = self._http.get(f"{self._api}{path}", headers={"Authorization": f"Bearer {self._token.reveal()}"})
        return answer.json() if answer.is_success else None

    def close(self) -> None:
        self._http.close()


class Server:
    """`aerodrome serve` on a home of its own. Deployments outlive it, so it ends them too."""

    def __init__(self, root: Path, **settings: str) -> None:
        self.home, self.log = root / "home", root / "server.log"
        self.home.mkdir(mode=0o700)
        port, gate_port = _free_port(), _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._env = {
            **inherited_environment(),
            "AERODROME_HOME": str(self.home),
            "AERODROME_PORT": str(port),
            "AERODROME_GATE_PORT": str(gate_port),
            "PYTHONUNBUFFERED": "1",
            **settings,
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "aerodrome.cli", "serve"]
            self._process = subprocess.Popen(command, env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def sign_in(self) -> Client:
        """Use the link that the first start printed, and give a client with a token made by it."""
        code = until(self._link, 60)[1]
        with Client(self.url) as stranger:
            return Client(self.url, stranger.tokens.exchange(Secret(code), "bench").text)

    def _link(self) -> re.Match[str] | None:
        if self._process is not None and self._process.poll() is not None:
            raise RuntimeError("the server ended at its start")
        return _LINK.search(self.log.read_text(errors="replace"))

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        folder = self.home / "deployments"
        runtime = LocalRuntime(folder)
        for deployment in folder.glob("dep_*"):
            runtime.delete(deployment.name)


@contextmanager
def rig(**settings: str) -> Iterator[Rig]:
    """Start a platform, sign in and make a workspace; stop and remove everything at the end."""
    cache = Path(os.environ.get("AERODROME_BENCH_CACHE", ".cache/bench")).absolute()
    (cache / "venvs").mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="aerodrome-bench-"))
    server = Server(root, **settings)
    (server.home / "venvs").symlink_to(cache / "venvs")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # also then nothing is left running
    try:
        server.start()
        with server.sign_in() as client:
            token = client.tokens.create("bench").text
            client.workspaces.create(WORKSPACE)
            app = build(load_settings(home=server.home, log_level="warning"))
            try:
                yield Rig(server, client, token, app)
            finally:
                app.store.close()
    except BaseException:
        kept = Path(tempfile.gettempdir()) / "aerodrome-bench-server.log"
        shutil.copyfile(server.log, kept)
        note(f"the server's log is kept: {kept}")
        raise
    finally:
        server.stop()
        shutil.rmtree(root, ignore_errors=True)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def until(look: Callable[[], Any], timeout_s: float, every_s: float = 0.05) -> Any:
    """Look until there is something; TimeoutError otherwise."""
    end = time.monotonic() + timeout_s
    while not (seen := look()):
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(every_s)
    return seen


def write_project(folder: Path, files: Mapping[str, str]) -> Path:
    """Write a project's files."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder
