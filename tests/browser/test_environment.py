"""The environment manager as a person meets it: making a connection, changing it, its history, what a deployment gets.

Breaks for everybody who keeps connections here; a secret value on any page breaks for all of them.
"""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aerodrome.client.environment import EnvironmentObject
from aerodrome.kernel.secret import Secret

pytestmark = pytest.mark.browser
CANARY = "canary-page-password"


@pytest.fixture
def warehouse(site: Any, request: pytest.FixtureRequest) -> EnvironmentObject:
    """A connection of the workspace with three versions and another host for one deployment."""
    name = "warehouse-" + request.node.callspec.id
    put = site.client.environment.put
    fields = {"conn_type": "postgres", "host": "db.internal", "port": 5432, "login": "etl", "extra.sslmode": "require"}
    put("connection", name, {**fields, "password": Secret(CANARY)}, workspace="data", description="Sales and stock")
    put("connection", name, {"host": "db2.internal"}, workspace="data")
    item = put("connection", name, {"password": Secret(CANARY + "-2")}, workspace="data")
    put("variable", "region", {"value": "eu-central-1"}, workspace="data", description="Where it runs")
    put("variable", "api_token", {"value": Secret(CANARY + "-3")}, deployment="sales")
    put("env", "AIRFLOW_VAR_REGION", {"value": "us"}, deployment="sales")
    overrides = {"host": "dev.internal", "password": Secret(CANARY + "-4")}
    linked: EnvironmentObject = site.client.environment.link(item.id, "sales", overrides)
    return linked


def test_objects_are_listed_by_kind(page: Page, warehouse: EnvironmentObject) -> None:
    page.goto("/environment")
    expect(page.get_by_role("link", name=warehouse.name)).to_be_visible()
    page.get_by_role("link", name="Variables", exact=True).click()
    expect(page.get_by_text("eu-central-1")).to_be_visible()
    assert CANARY not in page.content()


def test_an_object_shows_its_links_and_history(page: Page, warehouse: EnvironmentObject) -> None:
    page.goto(f"/environment/{warehouse.id}")
    expect(page.get_by_text("dev.internal").first).to_be_visible()
    expect(page.get_by_text("db2.internal").first).to_be_visible()
    expect(page.get_by_text("password: changed").first).to_be_visible()
    assert CANARY not in page.content()
    page.get_by_label("Host").first.fill("db3.internal")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("host: db2.internal → db3.internal")).to_be_visible()
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#history tr", has_text="Created").get_by_role("button", name="Restore").click()
    expect(page.get_by_label("Host").first).to_have_value("db.internal")


def test_a_deployment_shows_what_it_gets_and_what_hides_what(page: Page, warehouse: EnvironmentObject) -> None:
    page.goto("/deployments/sales/environment")
    row = page.get_by_role("row", name=warehouse.name)
    expect(row).to_contain_text("dev.internal")
    expect(row).to_contain_text("own host, password here")
    expect(page.get_by_text("hides env var AIRFLOW_VAR_REGION")).to_be_visible()
    assert CANARY not in page.content()


def test_a_connection_is_made_and_a_mistake_is_shown(page: Page, request: pytest.FixtureRequest) -> None:
    name = "made-" + request.node.callspec.id
    page.goto("/environment/new?kind=connection")
    page.get_by_label("Name").fill(name + " with blanks")
    page.get_by_label("Type").fill("http")
    page.get_by_label("Password").fill(CANARY)
    page.get_by_label("Extra", exact=True).fill(f'{{"api_token": "{CANARY}"}}')
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be the name")
    assert CANARY not in page.content()
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(CANARY)
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert CANARY not in page.content()


def test_an_import_shows_first_what_it_would_do(page: Page, request: pytest.FixtureRequest) -> None:
    name = "imported_" + request.node.callspec.id
    page.goto("/environment/import")
    page.get_by_label("What", exact=True).select_option("variable")
    page.get_by_label("File").fill(f'{{"{name}": {{"value": "5", "description": "five"}}, "bad\\u0007name": "x"}}')
    page.get_by_role("button", name="Show what would happen").click()
    expect(page.get_by_text("1 invalid")).to_be_visible()
    value = "a value of " + name  # not the canary: a plain variable is shown on every other page, as it should be
    page.get_by_label("File").fill(f'{{"{name}": "{value}"}}')
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.get_by_role("heading", name="Imported")).to_be_visible()
    expect(page.locator("#report")).not_to_contain_text(value)
