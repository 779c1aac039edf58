"""The pages as a person meets them: signing in, empty states, one deployment, wrong addresses, signing out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


def test_a_stranger_is_sent_to_the_sign_in_page(browser: Browser, site: Any) -> None:
    page = browser.new_page()
    page.goto(f"{site.url}/deployments")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.get_by_label("One-time login code").fill("aero_link_wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("login-link")
    page.close()


def test_a_login_link_works_once(browser: Browser, site: Any, storage: object) -> None:
    page = browser.new_page()
    page.goto(site.login_link)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("alert")).to_be_visible()
    page.close()


def test_deployments_are_listed(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", name="Deployments")).to_be_visible()
    expect(page.get_by_role("link", name="sales").first).to_be_visible()
    expect(page.get_by_text("creating").first).to_be_visible()


def test_a_deployment_says_what_it_waits_for(page: Page) -> None:
    page.goto("/deployments")
    page.get_by_role("link", name="sales").first.click()
    expect(page.get_by_role("heading", name="sales", level=1)).to_be_visible()
    expect(page.get_by_text("aerodrome deploy . --deployment sales")).to_be_visible()
    expect(page.get_by_text("Nothing runs yet")).to_be_visible()


def test_migrations_begin_with_a_hint(page: Page) -> None:
    page.goto("/migrations")
    expect(page.get_by_text("No migrations yet")).to_be_visible()
    expect(page.get_by_text(re.compile("aerodrome migrate connect"))).to_be_visible()


def test_the_audit_trail_names_who_did_what(page: Page) -> None:
    page.goto("/audit")
    expect(page.get_by_text("deployment.create").first).to_be_visible()
    assert "aero_" not in page.content()


def test_a_wrong_address_is_a_page_with_a_way_back(browser: Browser, storage: str, site: Any) -> None:
    page = browser.new_context(storage_state=storage, base_url=site.url).new_page()
    answer = page.goto("/deployments/nowhere")
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("alert")).to_contain_text("nowhere")
    page.get_by_role("link", name="Back").click()
    expect(page.get_by_role("heading", name="Deployments")).to_be_visible()
    page.context.close()


def test_a_form_without_the_csrf_token_is_refused(browser: Browser, storage: str, site: Any) -> None:
    context = browser.new_context(storage_state=storage, base_url=site.url)
    answer = context.request.post("/logout", form={})
    assert answer.status == 403
    assert context.request.get("/deployments").ok
    context.close()


def test_pages_forbid_foreign_and_inline_scripts(browser: Browser, storage: str, site: Any) -> None:
    context = browser.new_context(storage_state=storage, base_url=site.url)
    policy = context.request.get("/deployments").headers["content-security-policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    context.close()
