"""Backups and settings as a person meets them. Breaks for whoever does not use a command line."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("AERODROME_SHOTS")


def look(page: Page, name: str) -> None:
    """Keep a picture of the page when AERODROME_SHOTS names a folder."""
    if SHOTS:
        page.screenshot(path=Path(SHOTS) / f"{name}-{os.urandom(3).hex()}.png", full_page=True)


def test_settings_and_backups_are_set_up_on_their_pages(page: Page, site: Any) -> None:
    name = f"keep-{os.urandom(3).hex()}"
    site.client.deployments.create(name, "data")
    page.goto(f"/deployments/{name}/settings")
    page.get_by_label("What it is for").fill("Nightly figures")
    page.get_by_label("Active runs per DAG").fill("4")
    page.get_by_label("Pools", exact=True).fill("default_pool = 64\nwarehouse = 3")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("What it is for")).to_have_value("Nightly figures")
    changed = site.client.deployments.get(name)
    assert changed.config == {"core.max_active_runs_per_dag": "4"}
    assert changed.pools == {"default_pool": 64, "warehouse": 3}
    page.get_by_label("Hibernate (cron)").fill("0 19 * * 1-5")
    page.get_by_label("Wake (cron)").fill("0 7 * * 1-5")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Add schedule").click()
    expect(page.get_by_role("cell", name="0 19 * * 1-5")).to_be_visible()
    expect(page.get_by_text("next: ")).to_be_visible()
    look(page, "settings")
    page.get_by_role("button", name="Switch off").click()
    expect(page.get_by_role("button", name="Switch on")).to_be_visible()
    assert site.client.keeping.life(name).next_at is None
    page.goto(f"/deployments/{name}/backups")
    expect(page.get_by_text("No backup yet")).to_be_visible()
    page.get_by_label("When (cron)").fill("30 3 * * *")
    page.get_by_label("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("next 20")).to_be_visible()
    page.get_by_label("What it is for").fill("before the import")
    page.get_by_role("button", name="Take a backup").click()
    expect(page.get_by_role("cell", name="before the import")).to_be_visible()
    with sqlite3.connect(site.home / "aerodrome.db") as database:  # as the worker would
        database.execute("update snapshot set status = 'kept', size_bytes = 4200")
    database.close()
    page.reload()
    look(page, "backups")
    page.set_viewport_size({"width": 390, "height": 844})
    look(page, "backups-narrow")
    page.get_by_label("Name").fill(f"{name}-copy")
    page.get_by_role("button", name="Make a copy").click()
    expect(page.get_by_role("heading", name=f"Clone {name} as of")).to_be_visible()
    look(page, "clone-narrow")
    assert site.client.deployments.get(f"{name}-copy").status == "creating"
    assert site.client.keeping.backup_schedule(name).timezone == "Europe/Berlin"
