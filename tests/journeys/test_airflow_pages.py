"""Airflow's own pages in a real browser, opened from the platform: no second password, and nobody without a role.

If this breaks, people who have moved cannot look at their DAGs, or see those of others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.journeys.conftest import FIRST_WAVE, Moved

from aerodrome.web.credentials import SESSION_COOKIE

pytestmark = [pytest.mark.airflow, pytest.mark.journey, pytest.mark.browser]
LOAD_MS = 30_000
Visit = Callable[[str | None], Page]


@pytest.fixture
def visit(browser: Browser, moved: Moved) -> Iterator[Visit]:
    """Give a function that opens a browser of a person who is signed in to the platform (None: of a stranger)."""
    contexts = []

    def open_page(person: str | None) -> Page:
        context = browser.new_context(base_url=moved.server.url, viewport={"width": 1280, "height": 900})
        contexts.append(context)
        if person is not None:
            session = moved.server.session_of(moved.client, person)
            context.add_cookies([{"name": SESSION_COOKIE, "value": session, "domain": "127.0.0.1", "path": "/"}])
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def viewer(moved: Moved) -> str:
    return moved.client.users.create("only-looking", role="viewer").name


def test_a_click_in_the_platform_opens_the_dags_of_airflow(moved: Moved, visit: Visit) -> None:
    page = visit(moved.client.users.me().name)
    foreign: list[str] = []
    page.on(
        "request",
        lambda request: foreign.append(request.url) if urlsplit(request.url).hostname != "127.0.0.1" else None,
    )
    page.goto(f"/deployments/{moved.deployment_id}/airflow")
    prefix = f"{moved.server.gate_url}/{moved.deployment_id}/"
    page.goto(f"{prefix}dags")
    assert page.url.startswith(prefix)
    for dag_id in FIRST_WAVE[:2]:
        expect(page.get_by_role("link", name=dag_id).first).to_be_visible(timeout=LOAD_MS)
    assert page.locator("input[type=password]").count() == 0
    page.goto(f"{prefix}dags/{FIRST_WAVE[0]}")
    expect(page.get_by_text(FIRST_WAVE[0]).first).to_be_visible(timeout=LOAD_MS)
    cookies = {cookie["name"]: cookie["path"] for cookie in page.context.cookies()}
    assert "_token" not in cookies
    assert all(path == f"/{moved.deployment_id}/" for name, path in cookies.items() if name != SESSION_COOKIE)
    assert [url for url in foreign if not url.startswith(("data:", "blob:"))] == []


def test_a_stranger_sees_the_sign_in_page(moved: Moved, visit: Visit) -> None:
    page = visit(None)
    page.goto(f"{moved.server.gate_url}/{moved.deployment_id}/dags")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.url == f"{moved.server.url}/login"


def test_a_viewer_looks_and_may_not_unpause(moved: Moved, visit: Visit, viewer: str) -> None:
    page = visit(viewer)
    prefix = f"{moved.server.gate_url}/{moved.deployment_id}/"
    page.goto(f"{prefix}dags")
    expect(page.get_by_role("link", name=FIRST_WAVE[0]).first).to_be_visible(timeout=LOAD_MS)
    status = page.evaluate(_PATCH, f"{prefix}api/v2/dags/{FIRST_WAVE[0]}")
    assert status == 403
    assert page.evaluate(_READ, f"{prefix}api/v2/dags/{FIRST_WAVE[0]}") == {"is_paused": False}


def test_an_operator_may_pause_and_unpause(moved: Moved, visit: Visit) -> None:
    page = visit(moved.client.users.me().name)
    prefix = f"{moved.server.gate_url}/{moved.deployment_id}/"
    page.goto(f"{prefix}dags")
    url = f"{prefix}api/v2/dags/finance_close"
    before = page.evaluate(_READ, url)
    assert page.evaluate(_PATCH, url) == 200
    assert page.evaluate(_READ, url) == {"is_paused": True}
    assert before == {"is_paused": True}  # it is of a later wave: the source still runs it, the target must not


def test_a_page_of_the_platform_cannot_write_into_airflow(moved: Moved, visit: Visit) -> None:
    page = visit(moved.client.users.me().name)
    page.goto("/deployments")
    sent = page.context.request.patch(
        f"{moved.server.gate_url}/{moved.deployment_id}/api/v2/dags/{FIRST_WAVE[0]}",
        data={"is_paused": True},
        headers={"Origin": moved.server.url, "Content-Type": "application/json"},
    )
    assert sent.status == 403
    assert re.search("another origin", sent.text())


_PATCH = """async (url) => (await fetch(url, {
  method: 'PATCH', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({is_paused: true}),
})).status"""
_READ = "async (url) => { const dag = await (await fetch(url)).json(); return {is_paused: dag.is_paused}; }"
