"""An Oozie estate on the pages, from the form to the evidence: what people say, what cannot be compared, what stays to remove.

If these break, a team that comes from Oozie or Control-M cannot do on the pages what the guide tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import Site, overflow
from tests.browser.stage import NAME, Stage, served
from tests.browser.test_migrations import stage as stage  # noqa: PLC0414 - a fixture
from tests.rooms.migration.sources.test_definitions import COORDINATOR, WORKFLOW

pytestmark = pytest.mark.browser
COORDINATORS = 60
LAST = "2026-03-20T11:30Z"


@pytest.fixture(scope="module")
def site(stage: Stage) -> Iterator[Site]:
    """A platform with one workspace, whose jobs run when the test says so."""
    with served(stage.app) as made:
        yield made


@pytest.fixture
def desk(browser: Browser, site: Site) -> Iterator[Page]:
    """A page that signs in as a person does; on a phone in the dark, where it is narrow."""
    context = browser.new_context(base_url=site.url, viewport={"width": 390, "height": 900}, color_scheme="dark")
    page = context.new_page()
    page.goto(site.login_link)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{site.url}/deployments")
    yield page
    context.close()


@pytest.fixture
def estate(tmp_path: Path) -> Path:
    """Coordinators enough for two pages, one of them with a long name."""
    for number in range(COORDINATORS):
        name = "hourly-load" if not number else f"load-of-a-warehouse-with-quite-a-long-name-{number:03}"
        folder = tmp_path / "apps" / name
        folder.mkdir(parents=True)
        (folder / "workflow.xml").write_text(WORKFLOW.replace('to="child"', 'to="end"'))
        (folder / "coordinator.xml").write_text(
            COORDINATOR.replace("hourly-load", name).replace("apps/etl", f"apps/{name}")
        )
        (folder / "job.properties").write_text("nameNode=hdfs://nn:8020\n")
    return tmp_path / "apps"


def fits(page: Page) -> None:
    wide = overflow(page)
    assert wide <= 0, f"{page.url} is {wide} px wider than the screen"


def test_the_course_of_an_oozie_estate(desk: Page, stage: Stage, site: Site, estate: Path) -> None:
    page = desk
    page.goto("/migrations/new?kind=oozie")
    page.get_by_label("Name of the migration").fill(NAME)
    page.get_by_label("Definitions").fill(str(estate))
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("button", name="Assess the source").click()
    expect(page.get_by_text("assessing").or_(page.get_by_text("Assess")).first).to_be_visible()
    stage.work()
    migration = site.client.migrations.get(NAME)
    base = f"/migrations/{migration.id}"
    page.goto(base)
    expect(page.get_by_text("DAG runs")).to_have_count(0)  # definitions tell no history, so none is counted
    fits(page)

    # findings and plan
    page.goto(f"{base}/findings")
    expect(page.get_by_role("link", name="convert-caveat").first).to_be_visible()
    fits(page)
    page.goto(f"{base}/plan")
    expect(page.get_by_text("Convert the definitions").first).to_be_visible()
    fits(page)

    # holds: found by name, refused with the next time, confirmed, taken back
    page.goto(f"{base}/holds")
    expect(page.get_by_text(f"{COORDINATORS} of {COORDINATORS} DAGs cannot move yet")).to_be_visible()
    expect(page.get_by_text("page 1 of 2")).to_be_visible()
    page.get_by_role("link", name="Next").click()
    expect(page.get_by_text("page 2 of 2")).to_be_visible()
    late = f"load-of-a-warehouse-with-quite-a-long-name-{COORDINATORS - 1:03}"  # on the second page
    page.get_by_label(f"Time that ran last in {late}").fill("2026-03-20T11:31Z")
    page.get_by_role("button", name=f"{late} is held").click()
    row = page.get_by_role("row").filter(has_text=late).or_(page.locator("tr").filter(has_text=late)).first
    expect(row.get_by_role("alert")).to_contain_text("The next one after it is 2026-03-20T12:30")
    expect(page.get_by_label(f"Time that ran last in {late}")).to_be_focused()
    page.goto(f"{base}/holds")
    page.get_by_label("With the words").fill("hourly")
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_label("Time that ran last in hourly-load").fill(LAST)
    page.get_by_role("button", name="hourly-load is held").click()
    expect(page.get_by_text(f"{COORDINATORS - 1} of {COORDINATORS} DAGs cannot move yet")).to_be_visible()
    page.goto(f"{base}/holds?show=ready")
    expect(page.get_by_text("2026-03-20T12:30").first).to_be_visible()
    fits(page)

    # the waves, before the plan was applied
    page.goto(f"{base}/waves")
    expect(page.get_by_role("region", name="wave-1").or_(page.get_by_label("wave-1", exact=True)).first).to_be_visible()
    fits(page)

    # parity says why not, and offers what can be compared
    page.goto(f"{base}/parity")
    expect(page.get_by_text("Oozie hands no results of its runs over")).to_be_visible()
    expect(page.get_by_label("Run each DAG there once")).to_have_count(0)
    fits(page)

    # the checklist is computed
    page.goto(f"{base}/checklist")
    page.get_by_role("button", name="Check now").click()
    stage.work()
    page.goto(f"{base}/checklist")
    expect(page.get_by_text("Oozie cannot be asked from here")).to_be_visible()
    expect(page.get_by_text("Nobody has confirmed that").first).to_be_attached()
    fits(page)

    # the end: what nobody can be asked, the definitions sealed, runbook and evidence
    page.goto(f"{base}/decommission")
    expect(page.get_by_label("Access log")).to_have_count(0)
    page.get_by_label("Passphrase").fill("some words for the end")
    page.get_by_role("button", name="Look", exact=True).click()
    stage.work()
    page.goto(f"{base}/decommission")
    expect(page.get_by_text("The source may not go yet.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ files of definitions, .* sealed and read back"))).to_be_visible()
    expect(page.get_by_text("Oozie does not tell here who else calls it.")).to_be_visible()
    fits(page)
    with page.expect_download() as kept:
        page.get_by_role("button", name="Evidence bundle").click()
    assert kept.value.suggested_filename.endswith(".tar")
    assert "Oozie estate" in site.client.proofs.runbook(NAME)
