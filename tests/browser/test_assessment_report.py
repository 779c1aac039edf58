"""The report of an assessment as one file, opened without any network: a manager reads it, an engineer filters it, on any screen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page
from tests.browser.conftest import overflow
from tests.rooms.migration.plan.conftest import connection, dag

from aerodrome.migration.assess import assess, report
from aerodrome.migration.estate.archive import EstateHeader, EstateWriter

pytestmark = pytest.mark.browser
Opened = Callable[[int, str], Page]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    writer = EstateWriter(folder / "e", EstateHeader("airflow-db", "shop", "2.11.2", "sqlite 3", "r", "2026-11-01", {}))
    for number in range(250):  # more than the table draws at once
        writer.add(dag(f"flow_{number:03}", file=f"team/{'a_long_folder_name_' * 3}/flow_{number:03}.py"))
    writer.add(dag("billing", pools=("nowhere",), connections=("warehouse",)))
    writer.add(connection("warehouse"))
    estate = writer.freeze()
    page = folder / "report.html"
    page.write_text(report.to_html(assess(estate, "3.3.2"), estate), encoding="utf-8")
    return page


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_report_is_read_and_filtered_offline(browser: Browser, file: Path, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True)  # type: ignore[arg-type]
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())

    assert "251 active DAGs" in page.inner_text("header")
    assert overflow(page) <= 0
    is_dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 24, 26)"
    assert is_dark == (scheme == "dark")

    dags, findings = page.locator("#dags"), page.locator("#findings")
    assert dags.locator(".count").inner_text() == "251"
    assert dags.locator("tbody tr").count() == 200
    dags.locator(".more button").click()
    assert dags.locator("tbody tr").count() == 251
    dags.locator("[data-filter=risk]").select_option("high")
    assert dags.locator(".count").inner_text() == "1 of 251"
    row = dags.locator("tbody tr").first
    assert "Uses the pool nowhere, which does not exist." in row.inner_text()
    assert "Hours: missing-pool" in row.inner_text()
    row.locator("button").click()  # to the findings of that DAG
    codes = {cell.inner_text() for cell in findings.locator("tbody code.k").all()}
    assert {"missing-pool", "private-host"} <= codes
    findings.locator("[data-filter=severity]").select_option("blocker")
    assert {cell.inner_text() for cell in findings.locator("tbody code.k").all()} == {"missing-pool"}
    page.locator("#hosts [data-filter=path]").select_option("public")
    assert "Nothing matches." in page.locator("#hosts tbody").inner_text()
    assert told == []
    assert asked == [file.as_uri()]
    context.close()
