"""A Control-M estate on the pages, from the form to the evidence: its questions, its boundary as an order date, what cannot be asked of Control-M.

If these break, a team that comes from Control-M cannot do on the pages what the guide tells. The cutover itself, with a real Airflow, is in
tests/journeys/test_definitions.py.
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

pytestmark = pytest.mark.browser
EXPORT = """<?xml version="1.0" encoding="utf-8"?>
<DEFTABLE>
<FOLDER DATACENTER="ctm1" FOLDER_NAME="LOAD" FOLDER_ORDER_METHOD="SYSTEM">
  <JOB JOBNAME="GET" TASKTYPE="Command" CMDLINE="get.sh %%$ODATE" WEEKDAYS="1,2,3,4,5" TIMEFROM="0600" RUN_AS="etl" NODEID="app01">
    <OUTCOND NAME="LOAD-GET-OK" ODATE="ODAT" SIGN="+"/></JOB>
  <JOB JOBNAME="POST" APPL_TYPE="SAP" APPL_FORM="SAP R3" WEEKDAYS="1,2,3,4,5" TIMEFROM="0600"/>
</FOLDER>
<FOLDER DATACENTER="ctm1" FOLDER_NAME="REPORT" FOLDER_ORDER_METHOD="SYSTEM">
  <JOB JOBNAME="SEND" TASKTYPE="Command" CMDLINE="send.sh" WEEKDAYS="1,2,3,4,5" TIMEFROM="0600" RUN_AS="etl" NODEID="app01">
    <INCOND NAME="LOAD-GET-OK" ODATE="ODAT"/></JOB>
</FOLDER>
<FOLDER DATACENTER="ctm1" FOLDER_NAME="CLOSE" FOLDER_ORDER_METHOD="SYSTEM">
  <JOB JOBNAME="BOOK" TASKTYPE="Command" CMDLINE="book.sh" DAYSCAL="MONTHEND" RUN_AS="etl" NODEID="app01"/>
</FOLDER>
</DEFTABLE>
"""
FRIDAY, SATURDAY = "2026-03-20T06:00Z", "2026-03-21T06:00Z"


@pytest.fixture(scope="module")
def site(stage: Stage) -> Iterator[Site]:
    """A platform with one workspace, whose jobs run when the test says so."""
    with served(stage.app) as made:
        yield made


@pytest.fixture
def desk(browser: Browser, site: Site) -> Iterator[Page]:
    """A page that signs in as a person does; on a phone, where it is narrow."""
    context = browser.new_context(base_url=site.url, viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.goto(site.login_link)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(f"{site.url}/deployments")
    yield page
    context.close()


def fits(page: Page) -> None:
    wide = overflow(page)
    assert wide <= 0, f"{page.url} is {wide} px wider than the screen"


def test_the_course_of_a_control_m_estate(desk: Page, stage: Stage, site: Site, tmp_path: Path) -> None:
    page = desk
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports/folders.xml").write_text(EXPORT)
    page.goto("/migrations/new?kind=controlm")
    page.get_by_label("Name of the migration").fill(NAME)
    page.get_by_label("Definitions").fill(str(tmp_path / "exports"))
    page.get_by_role("button", name="Connect").click()
    page.get_by_role("button", name="Assess the source").click()
    expect(page.get_by_text("assessing").or_(page.get_by_text("Assess")).first).to_be_visible()
    stage.work()
    base = f"/migrations/{site.client.migrations.get(NAME).id}"

    # findings: what only people know, what raises, which folders belong together
    page.goto(f"{base}/findings")
    expect(page.get_by_text("Export the calendar next to the folders").first).to_be_visible()
    expect(page.get_by_role("link", name="convert-raises").first).to_be_visible()
    expect(page.get_by_text("Waits for or triggers LOAD").first).to_be_visible()
    fits(page)
    page.goto(f"{base}/plan")
    expect(page.get_by_text("Convert the definitions of controlm").first).to_be_visible()
    fits(page)

    # the boundary: an order date of the folder, or the next one is named; none where no date is known
    page.goto(f"{base}/holds")
    expect(page.get_by_text("3 of 3 DAGs cannot move yet")).to_be_visible()
    page.get_by_label("Time that ran last in LOAD").fill(SATURDAY)
    page.get_by_role("button", name="LOAD is held").click()
    expect(page.get_by_text("The next one after it is 2026-03-23T06:00").first).to_be_visible()
    expect(page.get_by_label("Time that ran last in CLOSE")).to_have_count(0)
    for left, name in ((2, "LOAD"), (1, "REPORT")):
        page.goto(f"{base}/holds")
        page.get_by_label(f"Time that ran last in {name}").fill(FRIDAY)
        page.get_by_role("button", name=f"{name} is held").click()
        expect(page.get_by_text(f"{left} of 3 DAGs cannot move yet")).to_be_visible()
    page.goto(f"{base}/holds?show=ready")
    expect(page.get_by_text("2026-03-23T06:00").first).to_be_visible()
    fits(page)

    # waves, parity, checklist, the end
    page.goto(f"{base}/waves")
    expect(page.get_by_text("wave-1").first).to_be_visible()
    fits(page)
    page.goto(f"{base}/parity")
    expect(page.get_by_text("Control-M hands no results of its runs over")).to_be_visible()
    expect(page.get_by_label("Run each DAG there once")).to_have_count(0)
    page.goto(f"{base}/checklist")
    page.get_by_role("button", name="Check now").click()
    stage.work()
    page.goto(f"{base}/checklist")
    expect(page.get_by_text("Control-M cannot be asked from here")).to_be_visible()
    fits(page)
    page.goto(f"{base}/decommission")
    page.get_by_label("Passphrase").fill("some words for the end")
    page.get_by_role("button", name="Look", exact=True).click()
    stage.work()
    page.goto(f"{base}/decommission")
    expect(page.get_by_text("The source may not go yet.")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ files? of definitions, .* sealed and read back"))).to_be_visible()
    fits(page)
    assert "Control-M estate" in site.client.proofs.runbook(NAME)
