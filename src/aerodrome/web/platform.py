"""What the web faces need from the composition root; bootstrap's App fits this shape."""

from __future__ import annotations

from typing import Protocol

from fastapi import Request

from aerodrome.access.service import Access
from aerodrome.alerts import Alerts
from aerodrome.builds.bundles import BundleStore
from aerodrome.fleet.service import Fleet
from aerodrome.kernel.clock import Clock
from aerodrome.migration.service.service import Migrations
from aerodrome.settings.model import Settings
from aerodrome.store.engine import Store
from aerodrome.telemetry import Instruments


class Platform(Protocol):
    """The assembled product, as far as the web faces use it."""

    @property
    def settings(self) -> Settings: ...
    @property
    def store(self) -> Store: ...
    @property
    def access(self) -> Access: ...
    @property
    def fleet(self) -> Fleet: ...
    @property
    def migrations(self) -> Migrations: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def bundles(self) -> BundleStore: ...
    @property
    def instruments(self) -> Instruments: ...
    @property
    def clock(self) -> Clock: ...


def platform_of(request: Request) -> Platform:
    """Give the platform that this application serves."""
    platform: Platform = request.app.state.platform
    return platform
