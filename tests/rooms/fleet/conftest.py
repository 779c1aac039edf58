from __future__ import annotations

from pathlib import Path

import pytest
from tests.rooms.fleet.world import World

from aerodrome.kernel.clock import ManualClock
from aerodrome.store import Store


@pytest.fixture
def world(store: Store, clock: ManualClock, tmp_path: Path) -> World:
    store.clock = clock
    return World(store, clock, tmp_path / "home")
