"""Whom the platform tells: a channel is made, tested and forgotten, and its address is never shown."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
ADDRESS = "http://127.0.0.1:9/hooks/canary-alert-address"


def test_a_channel_is_made_tested_and_forgotten(page: Page, request: pytest.FixtureRequest) -> None:
    name = f"on-call-{abs(hash(request.node.name)) % 10_000}"
    page.goto("/deployments")
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Alerts").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("Address").fill(ADDRESS)
    page.get_by_label("Only these:").check()
    page.get_by_role("button", name="Add and send a test").click()
    expect(page.get_by_role("alert")).to_contain_text("choose at least one")
    expect(page.get_by_label("Name", exact=True)).to_have_value(name)
    assert "canary" not in page.content()
    page.get_by_label("Address").fill(ADDRESS)
    page.get_by_label("migration.failed").check()
    page.get_by_role("button", name="Add and send a test").click()

    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_text("http://127.0.0.1:9", exact=True)).to_be_visible()
    told = page.locator("#deliveries tbody tr")
    expect(told).to_have_count(1)
    page.get_by_role("button", name="Send a test").click()
    expect(told).to_have_count(2)
    assert "canary" not in page.content()
    page.get_by_role("link", name="Alerts").first.click()
    row = page.get_by_role("row", name=name)
    expect(row).to_contain_text("1 kind of events")
    row.get_by_role("link", name=name).click()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Forget this channel").click()
    expect(page.get_by_role("heading", name="Alerts", level=1)).to_be_visible()
    expect(page.get_by_role("link", name=name)).to_have_count(0)
