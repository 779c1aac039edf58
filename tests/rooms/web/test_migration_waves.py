"""The board and a wave's page over HTTP: owners, window, promotion. If these break, a person sees a wave other than it is."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
from tests.rooms.migration.service.conftest import NAME, Desk
from tests.rooms.migration.service.conftest import desk as desk  # noqa: PLC0414 - a fixture
from tests.rooms.migration.service.test_promoting import asked

from aerodrome.client.client import Client
from aerodrome.kernel.clock import ManualClock
from aerodrome.kernel.errors import Conflict
from aerodrome.web.credentials import SESSION_COOKIE

pytestmark = pytest.mark.airflow


def test_the_board_shows_owner_window_and_promotion(
    desk: Desk, url: str, http: Callable[..., httpx2.Client], clock: ManualClock
) -> None:
    migration = desk.assessed()
    with Client(url, desk.platform.token_of("operator")) as client:
        waves = list(client.migrations.waves(NAME))
        wave = next(one for one in waves if one["window"])
        assert wave["owners"]
        assert wave["quiet"].startswith("No run is due ")
        steps = client.proofs.promote_steps(NAME, wave["name"], {"deployment": "legacy-dev"})
        assert "promotion.window" in [step["key"] for step in steps]
        with pytest.raises(Conflict) as caught:
            client.proofs.promote(NAME, wave["name"], {"deployment": "legacy-dev"})
        assert caught.value.code == "not-applied"
    opens = clock.now() + timedelta(hours=2)
    asked(desk, migration.id, f"{opens:%H:%M}-{opens + timedelta(hours=1):%H:%M}", clock.now())
    desk.work()
    browser = http(None)
    browser.headers["Cookie"] = f"{SESSION_COOKIE}={desk.platform.session_of('operator').reveal()}"
    board = browser.get(f"/migrations/{NAME}/waves").text
    assert wave["window"] in board
    assert wave["owners"][0] in board
    assert "0 of 1 steps" in board  # of the promotion that waits
    page = browser.get(f"/migrations/{NAME}/waves/wave-1").text
    assert "opens at" in page
    assert "<h2>Promote</h2>" not in page  # one goes on already
    other = next(one["name"] for one in waves if one["name"] != "wave-1")
    address = f"/migrations/{NAME}/waves/{other}"
    found = re.search(r'name="csrf" value="([^"]+)"', browser.get(address).text)
    assert found is not None
    wrong = {"csrf": found[1], "deployment": "legacy-dev", "file": "tests: 3"}
    refused = browser.post(f"{address}/promote", data=wrong)
    assert refused.status_code == 422
    assert "tests: a list." in refused.text
    viewer = http(None)
    viewer.headers["Cookie"] = f"{SESSION_COOKIE}={desk.platform.session_of('viewer').reveal()}"
    assert "<h2>Promote</h2>" not in viewer.get(address).text
