"""The Health tab: what is wrong stands on top with what to do, then what was measured, then what is over."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import delete
from tests.rooms.fleet.measuring import measured

from aerodrome.fleet.incidents.data import as_data
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.ids import new_id
from aerodrome.store import open_store
from aerodrome.store.tables.incident import IncidentRow, VitalRow
from aerodrome.store.tables.registry import all_tables

pytestmark = pytest.mark.browser

NEW = "2 DAG files do not load, 1 of them new since deploy 7: sales/nightly_load.py."
SLOW = "The slowest DAG file takes 41 s to load."
OVER = "The scheduler runs but has sent no heartbeat for 4 minutes."


@pytest.fixture
def sick(site: Any) -> Iterator[str]:
    """The deployment with incidents and a measurement, as the watcher writes them."""
    deployment = site.client.deployments.get("sales").id
    now = SystemClock().now()
    all_tables()  # loads those that these two point to
    pulse = {
        "task_instances": {"running": 4, "queued": 2, "scheduled": 31},
        "dag_count": 42,
        "paused_dag_count": 3,
        "import_error_count": 2,
        "heartbeats": {"scheduler": (now - timedelta(seconds=3)).isoformat(), "triggerer": now.isoformat()},
        "pools": [["default_pool", 128, 4, 2, 31], ["warehouse", 2, 2, 0, 5]],
        "tables": {"xcom": 52_000},
    }
    data = as_data(measured(deployment, pulse), {}, is_thorough=True)
    incidents = [
        ("import-errors", "critical", NEW, "Mend them and deploy again, or go back.", None),
        ("parsing-slow", "info", SLOW, "Keep network and database calls out of the top of DAG files.", None),
        ("heartbeat-late", "warning", OVER, "It may hang or starve.", now),
    ]
    with closing(open_store(f"sqlite:///{site.home}/aerodrome.db")) as store:
        with store.writing() as session:
            session.add(
                VitalRow(deployment_id=deployment, measured_at=now, data=json.loads(json.dumps(data)), memory={})
            )
            for code, severity, reason, hint, closed_at in incidents:
                session.add(
                    IncidentRow(
                        id=new_id("inc"),
                        scope=deployment,
                        deployment_id=deployment,
                        code=code,
                        subject="scheduler" if code == "heartbeat-late" else "",
                        severity=severity,
                        reason=reason,
                        hint=hint,
                        opened_at=now - timedelta(minutes=12),
                        last_seen_at=now,
                        closed_at=closed_at,
                    )
                )
        yield deployment
        with store.writing() as session:
            session.execute(delete(IncidentRow).where(IncidentRow.deployment_id == deployment))
            session.execute(delete(VitalRow).where(VitalRow.deployment_id == deployment))


def test_health_tells_what_is_wrong_and_what_was(page: Page, sick: str) -> None:
    page.goto("/deployments")
    expect(page.get_by_text("2 incidents")).to_be_visible()
    page.goto(f"/deployments/{sick}")
    expect(page.get_by_text(NEW)).to_be_visible()
    page.get_by_role("navigation", name="Deployment").get_by_role("link", name="Health").click()
    shown = page.locator("[data-incident]")
    expect(shown).to_have_count(2)
    expect(shown.first).to_contain_text("Mend them and deploy again")  # the worst first
    expect(page.get_by_text("4 running, 2 queued, 31 scheduled")).to_be_visible()
    expect(page.get_by_role("row", name="warehouse")).to_be_visible()
    expect(page.get_by_role("row", name=OVER)).to_be_visible()
