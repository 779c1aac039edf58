"""The gate on a real socket, in front of a small HTTP server that stands for an Airflow and tells what reached it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.rooms.fleet.world import FolderRuntime, FolderVenvs
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM, Access
from aerodrome.alerts import Alerts
from aerodrome.builds.bundles import BundleStore
from aerodrome.fleet import clusters
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.reconcile import KIND, Reconciler
from aerodrome.fleet.service import Fleet, NewDeployment
from aerodrome.fleet.views import DeploymentView
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.service import Migrations
from aerodrome.runtimes.contract import AirflowAccess, RuntimeSpec
from aerodrome.secretstores import LocalSecretStore, open_keyring
from aerodrome.settings import load_settings
from aerodrome.store import Store, jobs
from aerodrome.web.credentials import SESSION_COOKIE
from aerodrome.web.service import WebService


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    upstream: Upstream

    def _answer(self) -> None:
        length = self.headers.get("content-length")
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(length)) if length else b""
        headers = [(name.lower(), value) for name, value in self.headers.items()]
        self.upstream.seen.append({"method": self.command, "path": self.path, "headers": headers, "body": body})
        what = self.path.split("?")[0].rsplit("/", 1)[-1]
        getattr(self, f"_{what}", self._plain)()

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _answer  # noqa: N815 - the library's names

    def _plain(self) -> None:
        body = json.dumps({"path": self.path}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "keep-alive, x-private")
        self.send_header("X-Private", "of this hop")
        self.send_header("X-Airflow", "kept")
        self.send_header("Set-Cookie", "session=abc; HttpOnly; Path=/; SameSite=Lax")
        self.send_header("Set-Cookie", "theme=dark; Path=/")
        self.send_header("Set-Cookie", "_token=jwt; Path=/")
        self.send_header("Set-Cookie", f"{SESSION_COOKIE}=fixed; Path=/")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"first\n", b"second\n"):
            self.upstream.told.append(part)
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.flush()
            if part == b"first\n":
                self.upstream.go_on.wait(60)
        self.wfile.write(b"0\r\n\r\n")

    def _redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", "/elsewhere?next=1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _broken(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
        pass


@dataclass
class Upstream:
    """What stands for Airflow: an address, and the requests that came."""

    url: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    told: list[bytes] = field(default_factory=list)
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def last(self) -> dict[str, Any]:
        return self.seen[-1]

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.last["headers"] if key == name]


class UpstreamRuntime(FolderRuntime):
    """A runtime whose Airflows are all the one upstream."""

    def __init__(self, root: Path, upstream: Upstream) -> None:
        super().__init__(root)
        self.upstream = upstream

    def access(self, spec: RuntimeSpec) -> AirflowAccess:
        url = f"{self.upstream.url}/{spec.deployment_id}/"
        return AirflowAccess(url, spec.airflow_version, Secret("sqlite:///x"), spec.fernet_key, spec.signing_key)


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    upstream = Upstream()
    handler = type("Handler", (_Handler,), {"upstream": upstream})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        upstream.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield upstream
        upstream.go_on.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def context(store: Store, clock: ManualClock, tmp_path: Path, upstream: Upstream) -> FleetContext:
    home = tmp_path / "home"
    secrets = LocalSecretStore(store, open_keyring(home))
    runtime = UpstreamRuntime(home / "runtime", upstream)
    return FleetContext(store, BundleStore(home / "bundles"), FolderVenvs(home / "venvs"), runtime, secrets, clock)


@pytest.fixture
def platform(store: Store, clock: ManualClock, tmp_path: Path, context: FleetContext) -> World:
    home = tmp_path / "home"
    keyring, bundles = open_keyring(home), BundleStore(home / "bundles")
    clusters.ensure_local(context)
    fleet = Fleet(context)
    access = Access(store, clock)
    access.ensure_admin()
    for name in ("viewer", "author", "operator"):
        access.create_user(SYSTEM, name, role=name)
    access.create_user(SYSTEM, "nobody")
    migrations = Migrations(
        store=store,
        fleet=fleet,
        bundles=bundles,
        secrets=LocalSecretStore(store, keyring),
        fingerprint_key=keyring.fingerprint_key(),
        home=home,
        clock=clock,
    )
    alerts = Alerts(store, migrations.secrets, clock)
    return World(load_settings(home=home), store, access, fleet, migrations, bundles, clock, alerts)


@pytest.fixture
def deploy(platform: World, context: FleetContext) -> Callable[[str], DeploymentView]:
    """Give a function that makes a deployment and does what a worker would do until its Airflow is there."""
    platform.fleet.create_workspace(SYSTEM, "team")
    reconciler = Reconciler(context, 60)

    def make(name: str) -> DeploymentView:
        made = platform.fleet.create_deployment(SYSTEM, NewDeployment(name, "team"))
        while (job := jobs.lease(platform.store, platform.clock, "test", 60, [KIND])) is not None:
            jobs.finish(platform.store, job, look_again_at=reconciler.look(job))
        return made

    return make


@pytest.fixture
def deployment(deploy: Callable[[str], DeploymentView]) -> DeploymentView:
    return deploy("shop")


@pytest.fixture
def gate(platform: World) -> Iterator[str]:
    """The address of the gate."""
    with socket.create_server(("127.0.0.1", 0)) as pages, socket.create_server(("127.0.0.1", 0)) as door:
        service = WebService(platform, pages=pages, gate=door)
        service.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            service.stop()


@pytest.fixture
def visit(gate: str, platform: World) -> Iterator[Callable[..., httpx2.Client]]:
    """Give a function that makes a browser of a person (None: a stranger)."""
    opened: list[httpx2.Client] = []

    def connect(name: str | None = "operator", session: str | None = None) -> httpx2.Client:
        if name is not None:
            session = platform.session_of(name).reveal()
        cookies = {SESSION_COOKIE: session} if session else {}
        opened.append(httpx2.Client(base_url=gate, cookies=cookies, trust_env=False, timeout=20))
        return opened[-1]

    yield connect
    for client in opened:
        client.close()
