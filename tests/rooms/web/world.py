"""What bootstrap would assemble, without logging and worker."""

from __future__ import annotations

from dataclasses import dataclass, field

from aerodrome.access import SYSTEM, Access
from aerodrome.alerts import Alerts
from aerodrome.builds.bundles import BundleStore
from aerodrome.fleet.service import Fleet
from aerodrome.kernel.clock import Clock
from aerodrome.kernel.secret import Secret
from aerodrome.migration.service.service import Migrations
from aerodrome.settings import Settings
from aerodrome.store import Store
from aerodrome.telemetry import Instruments


@dataclass(frozen=True)
class World:
    """A platform, and the ways in."""

    settings: Settings
    store: Store
    access: Access
    fleet: Fleet
    migrations: Migrations
    bundles: BundleStore
    clock: Clock
    alerts: Alerts
    instruments: Instruments = field(default_factory=Instruments)

    def session_of(self, name: str) -> Secret:
        """Sign a person in and give the session cookie."""
        _, code = self.access.create_login_link(SYSTEM, name)
        return self.access.redeem_login_link(code.reveal())[1]

    def token_of(self, name: str) -> Secret:
        """Make an API token of a person."""
        actor = self.access.authenticate_session(self.session_of(name).reveal())
        return self.access.create_token(actor, "test")[1]
