"""Registering a backend, seeing exactly which permission is missing, and writing a value that nobody sees again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.rooms.secretstores.servers.vault import ROOT, VaultServer, vault_server

pytestmark = pytest.mark.browser


@pytest.fixture
def vault() -> Iterator[VaultServer]:
    with vault_server() as server:
        yield server


def test_a_team_registers_its_vault(page: Page, vault: VaultServer, request: pytest.FixtureRequest) -> None:
    name = f"vault-{abs(hash(request.node.name)) % 10_000}"
    vault.policies["hvs.canary-weak"] = {"secret/metadata/*": ("list",), "secret/data/*": ("read",)}
    page.goto("/secrets-backends")
    page.get_by_role("link", name="HashiCorp Vault").click()
    expect(page.get_by_label("Role ID")).to_have_count(0)
    page.get_by_label("Sign in by").select_option("approle")
    expect(page.get_by_label("Role ID")).to_be_visible()
    page.get_by_label("Sign in by").select_option("token")
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("URL", exact=True).fill(vault.url)
    page.get_by_label("Token").fill("hvs.canary-weak")
    page.get_by_role("button", name="Register and probe").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.get_by_text('path "secret/data/connections/aerodrome-probe"').first).to_be_visible()
    page.get_by_label("Token").fill(ROOT)
    page.get_by_role("button", name="Save and probe").click()
    expect(page.get_by_text("failed")).to_have_count(0)
    page.get_by_label("Name", exact=True).fill("warehouse")
    page.get_by_label("Value").fill("postgres://u:canary-page@db/s")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.get_by_text("warehouse")).to_be_visible()
    content = page.content()
    assert "canary" not in content
    assert vault.versions["secret", "connections/warehouse"] == [{"conn_uri": "postgres://u:canary-page@db/s"}]
    page.get_by_role("button", name="Attach").click()
    expect(page.get_by_role("button", name="Detach")).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Detach").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
