"""Health after a restart: a heartbeat that the process before left is not one of the process now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aerodrome.runtimes.contract import ComponentObservation
from aerodrome.runtimes.local.health import judge


@pytest.mark.parametrize(("since_start_s", "health"), [(-1.5, "starting"), (3.0, "healthy")])
def test_only_a_heartbeat_since_the_start_counts(since_start_s: float, health: str) -> None:
    started = datetime.now(UTC)
    beat = (started + timedelta(seconds=since_start_s)).isoformat()
    report = {"scheduler": {"status": "healthy", "latest_scheduler_heartbeat": beat}}
    scheduler = ComponentObservation("scheduler", "running", 7, started, 0, None, None)
    assert judge((scheduler,), report)[0] == health
