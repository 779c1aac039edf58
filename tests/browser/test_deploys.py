"""The Deploys tab as a person meets it: the history, one deploy, a comparison, and a deploy from a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
COMMIT = {
    "remote": "https://git.example.com/team/flows.git",
    "branch": "main",
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "author": "Ada <ada@example.com>",
    "message": "Add hourly sales",
    "is_dirty": True,
}


@pytest.fixture(scope="module")
def flows(site: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A deployment with three deploys that wait for a worker; gives its id."""
    client = site.client
    item = client.deployments.create("flows", "data")
    folder: Path = tmp_path_factory.mktemp("flows")
    (folder / "dags").mkdir()
    (folder / "include").mkdir()
    (folder / "dags/hourly.py").write_text("import pendulum\n\nEVERY = 60\n")
    (folder / "requirements.txt").write_text("attrs==23.1\n")
    client.deploys.create(item.id, folder, "First flows", origin="cli")
    (folder / "dags/hourly.py").write_text(
        "import pendulum\n\nEVERY = 30\nRETRIES = 2  # " + "a long line " * 30 + "\n"
    )
    (folder / "include/logo.png").write_bytes(b"\x89PNG\0\0")
    (folder / "requirements.txt").write_text("attrs==24.2\nrequests\n")
    (folder / "packages.txt").write_text("libpq-dev\n")
    (folder / "aerodrome.yaml").write_text("env:\n  REGION: eu\n")
    client.deploys.create(item.id, folder, "Every half hour, with retries", origin="ci", git=COMMIT)
    client.deploys.create(item.id, folder, kind="dags", bundle="theirs", is_forced=True)
    return str(item.id)


def test_the_history_tells_what_was_put_there(page: Page, flows: str) -> None:
    page.goto(f"/deployments/{flows}")
    page.get_by_role("navigation", name="Deployment").get_by_role("link", name="Deploys").click()
    expect(page.get_by_role("link", name="#2")).to_be_visible()
    expect(page.get_by_text("01234567", exact=True)).to_be_visible()
    expect(page.get_by_text("main, with changes")).to_be_visible()
    expect(page.get_by_text("DAG bundles, forced")).to_be_visible()
    page.get_by_text("Deploy from a repository").click()
    expect(page.get_by_label("Repository")).to_be_visible()


def test_a_deploy_says_what_it_is(page: Page, flows: str) -> None:
    page.goto(f"/deployments/{flows}/deploys/2")
    expect(page.get_by_text("Every half hour, with retries")).to_be_visible()
    expect(page.get_by_text("Add hourly sales")).to_be_visible()
    expect(page.get_by_text("not installed")).to_be_visible()
    expect(page.get_by_text("It waits for its turn")).to_be_visible()
    page.get_by_text("2 requirements").click()
    expect(page.get_by_text("attrs==24.2")).to_be_visible()


def test_two_deploys_are_compared_line_by_line(page: Page, flows: str) -> None:
    page.goto(f"/deployments/{flows}/deploys/2/diff?to=2")
    expect(page.get_by_text("Nothing differs")).to_be_visible()
    page.goto(f"/deployments/{flows}/deploys/2")
    page.get_by_label("Compare with").select_option("deploy 1")
    page.get_by_role("button", name="Show the difference").click()
    page.wait_for_url(f"**/deployments/{flows}/deploys/1/diff/2")
    expect(page.locator(".diff .add", has_text="EVERY = 30")).to_be_visible()
    expect(page.locator(".diff .del", has_text="EVERY = 60")).to_be_visible()
    expect(page.get_by_text("Binary")).to_be_visible()
    expect(page.get_by_role("cell", name="attrs==23.1")).to_be_visible()
    expect(page.get_by_label("Compare 2 with")).to_be_visible()


def test_a_repository_is_deployed_from_the_page(page: Page, flows: str, tmp_path: Path) -> None:
    page.goto(f"/deployments/{flows}/deploys")
    page.get_by_text("Deploy from a repository").click()
    page.get_by_label("Repository").fill(tmp_path.as_uri())
    page.get_by_role("button", name="Fetch, check and deploy").click()
    expect(page.get_by_role("alert")).to_contain_text("AERODROME_GIT_PROTOCOLS")
    page.goto(f"/deployments/{flows}/deploys")
    page.get_by_text("Deploy from a repository").click()
    page.get_by_label("Repository").fill("https://git.example.com/team/flows.git")
    page.get_by_label("Branch, tag or commit").fill("release")
    page.get_by_role("button", name="Fetch, check and deploy").click()
    expect(page.get_by_text("not fetched yet").first).to_be_visible()
    expect(page.get_by_text("https://git.example.com/team/flows.git")).to_be_visible()
