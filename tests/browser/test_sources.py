"""Connecting a source on the page: one form per kind, mistakes at their field, and the source that comes of it.

If these break, nobody can begin a migration from Starship, MWAA, Composer or an archive without the command line.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import Site, overflow
from tests.rooms.migration.sources import aws_server as aws
from tests.rooms.migration.sources import google_server as google
from tests.rooms.migration.sources.conftest import PROJECT
from tests.rooms.migration.sources.starship_server import PASSWORD, filled, starship_server
from tests.rooms.migration.sources.test_starship import NOW

pytestmark = pytest.mark.browser
FIELDS = {
    "Metadata database": ("Database URL", "Fernet key", "DAGs folder"),
    "Archive": ("Archive", "Private key"),
    "REST API": ("Address", "User", "Password", "Token", "DAGs folder"),
    "Starship": ("Address", "User", "Password", "Token", "DAGs folder"),
    "Amazon MWAA": ("Environment", "AWS region", "Archive"),
    "Cloud Composer": ("Environment", "Archive"),
    "Oozie": ("Definitions", "Profile", "Oozie's address"),
    "Control-M": ("Definitions", "Profile"),
}
DAGS = str(PROJECT / "dags")


@pytest.fixture
def desk(browser: Browser, storage: Path, site: Site) -> Iterator[Page]:
    """A signed-in page on a desk."""
    context = browser.new_context(storage_state=storage, base_url=site.url, viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


@pytest.fixture
def name() -> str:
    return f"from-{uuid4().hex[:8]}"


def begin(page: Page, kind: str, name: str) -> None:
    page.goto("/migrations/new")
    page.get_by_label("Kind of source").get_by_role("link", name=kind, exact=True).click()
    expect(page.get_by_label("Kind of source").get_by_role("link", name=kind, exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    page.get_by_label("Name of the migration").fill(name)
    page.get_by_label("Workspace").select_option("data")


def connect(page: Page) -> None:
    page.get_by_role("button", name="Connect").click()


def connected(page: Page, site: Site, name: str, kind: str) -> str:
    """Wait for the migration's page; gives what it shows of the source."""
    expect(page.get_by_role("heading", name=name)).to_be_visible(timeout=30_000)
    data = site.client.migrations.get(name).data
    assert data["source_kind"] == kind
    return str(data["source_label"])


def test_each_kind_has_its_own_fields_and_each_field_a_label(page: Page) -> None:
    seen = set()
    for kind, labels in FIELDS.items():
        begin(page, kind, "x")
        for label in labels:
            expect(page.get_by_label(label).first).to_be_visible()
        inputs = page.locator("main :is(input:not([type=hidden]), select, textarea)")
        for number in range(inputs.count()):
            assert inputs.nth(number).evaluate("item => item.labels.length") == 1
        seen.add(tuple(inputs.evaluate_all("items => items.map(item => item.name)")))
        wide = overflow(page)
        assert wide <= 0, f"{kind}: {wide} px wider than the screen"
    assert len(seen) == 7  # REST and Starship ask for the same
    page.goto("/migrations/new")
    page.get_by_label("Kind of source").get_by_role("link", name="Oozie").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_label("Definitions")).to_be_visible()


def test_a_mistake_stands_at_its_field_and_secrets_are_not_drawn_again(desk: Page, site: Site, name: str) -> None:
    begin(desk, "REST API", name)
    desk.get_by_label("Address").fill("http://127.0.0.1:9/")
    desk.get_by_label("User").fill("reader")
    desk.get_by_label("Password").fill("canary-password")
    desk.get_by_label("DAGs folder").fill("/nowhere/dags")
    connect(desk)
    folder = desk.get_by_label("DAGs folder")
    expect(folder).to_have_attribute("aria-invalid", "true")
    expect(folder).to_be_focused()
    expect(desk.get_by_role("alert")).to_contain_text("there is no folder /nowhere/dags")
    expect(desk.get_by_label("Address")).to_have_value("http://127.0.0.1:9/")
    expect(desk.get_by_label("Password")).to_have_value("")
    assert "canary-password" not in desk.content()

    folder.fill(DAGS)
    desk.get_by_label("Password").fill("canary-password")
    connect(desk)
    expect(desk.get_by_role("alert")).to_contain_text("does not answer")
    expect(desk.get_by_role("alert")).to_contain_text("Check address, port and network path")
    assert name not in [item.name for item in site.client.migrations.list()]

    begin(desk, "Archive", name)
    desk.get_by_label("Archive", exact=True).fill("/nowhere/estate.aerodrome")
    connect(desk)
    expect(desk.get_by_role("alert")).to_contain_text("there is no file /nowhere/estate.aerodrome")
    begin(desk, "Cloud Composer", name)
    desk.get_by_label("Environment").fill("etl")
    connect(desk)
    expect(desk.get_by_label("Environment")).to_have_attribute("aria-invalid", "true")
    begin(desk, "Amazon MWAA", name)
    desk.get_by_label("Environment").fill("etl")
    desk.get_by_label("AWS region").fill("eu-west-1")
    desk.get_by_text("AWS login").click()
    desk.get_by_label("Access key ID").fill("AKIAEXAMPLE")
    connect(desk)
    expect(desk.get_by_label("Secret access key")).to_be_focused()  # half of a pair; its part was opened


def test_starship_becomes_a_source(desk: Page, site: Site, name: str) -> None:
    with starship_server() as server:
        filled(server, NOW)
        begin(desk, "Starship", name)
        desk.get_by_label("Address").fill(server.url)
        desk.get_by_label("User").fill("reader")
        desk.get_by_label("DAGs folder").fill(DAGS)
        desk.get_by_label("Password").fill("wrong")
        connect(desk)
        expect(desk.get_by_role("alert")).to_be_visible()
        desk.get_by_label("Password").fill(PASSWORD)
        connect(desk)
        assert connected(desk, site, name, "starship") == server.url


def test_an_mwaa_environment_becomes_a_source(desk: Page, site: Site, name: str) -> None:
    with aws.aws_server() as server:
        place = {"LocationConstraint": aws.REGION}
        server.s3.create_bucket(Bucket=aws.BUCKET, CreateBucketConfiguration=place)
        server.s3.put_object(Bucket=aws.BUCKET, Key="dags/one.py", Body=b"A = 1\n")
        plugins = io.BytesIO()
        with zipfile.ZipFile(plugins, "w") as archive:
            archive.writestr("shop/__init__.py", "A = 1\n")
        server.s3.put_object(Bucket=aws.BUCKET, Key="plugins.zip", Body=plugins.getvalue())
        server.environments[aws.ENVIRONMENT] = aws.an_environment(PluginsS3Path="plugins.zip")
        begin(desk, "Amazon MWAA", name)
        desk.get_by_label("Environment").fill(aws.ENVIRONMENT)
        desk.get_by_label("AWS region").fill(aws.REGION)
        desk.get_by_text("AWS login").click()
        desk.get_by_label("Access key ID").fill(aws.ACCESS_KEY)
        desk.get_by_label("Secret access key").fill(aws.SECRET_KEY)
        desk.get_by_label("Endpoint").fill(server.url)
        server.denied.add("s3:ListBucket")
        connect(desk)
        expect(desk.get_by_role("alert")).to_contain_text("s3:ListBucket")
        server.denied.clear()
        desk.get_by_label("Secret access key").fill(aws.SECRET_KEY)
        connect(desk)
        assert connected(desk, site, name, "mwaa") == f"{aws.ENVIRONMENT} ({aws.REGION})"


def test_a_composer_environment_becomes_a_source(desk: Page, site: Site, name: str) -> None:
    with google.google_server() as server:
        server.objects["dags/one.py"] = b"A = 1\n"
        server.environments[google.ENVIRONMENT] = google.an_environment(server)
        begin(desk, "Cloud Composer", name)
        desk.get_by_label("Environment").fill(google.ENVIRONMENT)
        desk.get_by_text("Google login").click()
        desk.get_by_label("Service account key").fill("{}")
        desk.get_by_label("Endpoint").fill(server.url)
        connect(desk)
        expect(desk.get_by_role("alert")).to_be_visible()
        desk.get_by_label("Service account key").fill(server.key)
        connect(desk)
        assert google.ENVIRONMENT.rpartition("/")[2] in connected(desk, site, name, "composer")
        assert "PRIVATE KEY" not in desk.content()
