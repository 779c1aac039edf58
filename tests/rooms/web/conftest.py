"""The web application on a real socket, over a real store; no worker, so nothing is started behind it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import pytest
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM, Access
from aerodrome.alerts import Alerts
from aerodrome.builds.bundles import BundleStore
from aerodrome.builds.venvs import VenvStore
from aerodrome.fleet import clusters
from aerodrome.fleet.context import FleetContext
from aerodrome.fleet.service import Fleet
from aerodrome.kernel.clock import ManualClock
from aerodrome.migration.service.service import Migrations
from aerodrome.runtimes.local.runtime import LocalRuntime
from aerodrome.secretstores import LocalSecretStore, open_keyring
from aerodrome.settings import load_settings
from aerodrome.store import Store
from aerodrome.web.service import WebService


@pytest.fixture
def platform(store: Store, clock: ManualClock, tmp_path: Path) -> World:
    home = tmp_path / "home"
    settings = load_settings(home=home, max_upload_mb=1)
    keyring = open_keyring(home)
    secrets = LocalSecretStore(store, keyring)
    bundles = BundleStore(settings.bundles_dir)
    context = FleetContext(
        store, bundles, VenvStore(settings.venvs_dir), LocalRuntime(settings.deployments_dir), secrets, clock
    )
    clusters.ensure_local(context)
    fleet = Fleet(context)
    access = Access(store, clock)
    access.ensure_admin()
    for name in ("viewer", "author", "operator"):
        access.create_user(SYSTEM, name, role=name)
    alerts = Alerts(store, secrets, clock)
    migrations = Migrations(
        store=store,
        fleet=fleet,
        bundles=bundles,
        secrets=secrets,
        fingerprint_key=keyring.fingerprint_key(),
        home=home,
        clock=clock,
        alert_channels=alerts.channels_for,
    )
    return World(settings, store, access, fleet, migrations, bundles, clock, alerts)


@pytest.fixture
def url(platform: World) -> Iterator[str]:
    """The address of a server that serves the platform."""
    with socket.create_server(("127.0.0.1", 0)) as pages, socket.create_server(("127.0.0.1", 0)) as gate:
        service = WebService(platform, pages=pages, gate=gate)
        service.start()
        try:
            yield f"http://127.0.0.1:{pages.getsockname()[1]}"
        finally:
            service.stop()


@pytest.fixture
def http(url: str, platform: World) -> Iterator[Callable[..., httpx2.Client]]:
    """Give a function that makes an HTTP client of a person (None: a stranger)."""
    opened: list[httpx2.Client] = []

    def connect(name: str | None = "admin", **headers: str) -> httpx2.Client:
        if name is not None:
            headers["Authorization"] = f"Bearer {platform.token_of(name).reveal()}"
        client = httpx2.Client(base_url=url, headers=headers, trust_env=False, timeout=30)
        opened.append(client)
        return client

    yield connect
    for client in opened:
        client.close()
