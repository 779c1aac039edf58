"""The pages of what is proved: parity side by side, the checklist, the decommission; at both widths, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.conftest import Site
from tests.browser.stage import NAME, Stage, served, staged
from tests.conftest import Legacy

from aerodrome.access import SYSTEM
from aerodrome.client.migrations import NewSource
from aerodrome.kernel.clock import to_text
from aerodrome.kernel.digest import digest_of
from aerodrome.kernel.secret import Secret
from aerodrome.migration.parity import Declarations, Side, compare_runs, verdict_of
from aerodrome.migration.parity.contract import counts_of
from aerodrome.migration.parity.reading import DatabaseRuns
from aerodrome.migration.parity.values import Display
from aerodrome.migration.service.folder import write_json
from aerodrome.store.tables.proof import ParityRow

pytestmark = [pytest.mark.browser, pytest.mark.airflow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, _legacy: Legacy) -> Iterator[Site]:
    """A migration whose checklist and decommission were looked at, with a parity report of two of the source's own runs."""
    with staged(tmp_path_factory.mktemp("proofs")) as stage, served(stage.app) as made:
        client, project = made.client, _legacy.project
        source = NewSource(
            Secret(_legacy.url),
            str(project / "dags"),
            Secret(_legacy.fernet_key),
            config_file=str(project / "airflow.cfg"),
            env_file=str(project / "scheduler.env"),
        )
        for name in (NAME, "fresh", "looked-at"):
            client.migrations.connect(name, "data", source)
            client.migrations.assess(name)
            stage.work()
        client.proofs.check(NAME)
        stage.work()
        client.proofs.decommission(NAME, days=14, passphrase=Secret("words for the end"), logs=None, access_log=None)
        stage.work()
        keep_report(stage, _legacy)
        yield made


def keep_report(stage: Stage, legacy: Legacy) -> None:
    """Compare a good run with the failed one, both as the source holds them, and keep that as the DAG's report."""
    migrations = stage.app.migrations
    row = migrations.row_for(SYSTEM, NAME, "migration.read")
    with closing(DatabaseRuns(Secret(legacy.url))) as runs:
        with runs._database.reading() as connection:
            sql = "select run_id from dag_run where dag_id = 'daily_sales' and state = '{}' order by run_id"
            good, bad = (connection.exec_driver_sql(sql.format(state)).scalar() for state in ("success", "failed"))
        one, other = runs.facts("daily_sales", str(good)), runs.facts("daily_sales", str(bad))
    assert one is not None
    assert other is not None
    sides = [Side(facts.run_id, facts.run["start_date"], facts.run["end_date"]) for facts in (one, other)]
    rows = compare_runs("daily_sales", one, other, sides[0], sides[1], Display(b"k"), Declarations())
    data = [
        {
            name: to_text(facts.run[name])
            for name in ("logical_date", "data_interval_start", "data_interval_end", "start_date", "end_date")
        }
        | {"run_id": facts.run_id, "run_type": "scheduled", "state": facts.run["state"]}
        for facts in (one, other)
    ]
    now = stage.app.clock.now()
    report = {
        "dag_id": "daily_sales", "verdict": verdict_of(rows), "summary": "state: The run ended failed, the source's success.",
        "made_at": to_text(now), "deployment": "legacy-dev", "tolerance": {"factor": 2.0, "seconds": 30.0},
        "source_run": data[0], "target_run": data[1], "counts": counts_of(rows), "left_out": 0, "rows": [item.as_data() for item in rows],
    }  # fmt: skip
    write_json(migrations.folder_of(row).parity("daily_sales"), report)
    with stage.app.store.writing() as session:
        session.add(
            ParityRow(
                migration_id=row.id, dag_id="daily_sales", proof_id="prf_x", verdict=report["verdict"], summary=report["summary"],
                counts=report["counts"], deployment="legacy-dev", digest=digest_of(report), made_at=now,
            )
        )  # fmt: skip


def test_parity_is_listed_and_shown_side_by_side(page: Page) -> None:
    page.goto(f"/migrations/{NAME}/parity")
    expect(page.get_by_text("mismatch").first).to_be_visible()
    page.get_by_role("link", name="daily_sales").click()
    expect(page.get_by_role("heading", name="Shadow in the target")).to_be_visible()
    expect(page.get_by_text("It ended failed, in the source success.")).to_be_visible()
    expect(page.get_by_text("All equal.").first).to_be_visible()
    page.get_by_role("link", name="Everything").click()
    expect(page.get_by_text("All equal.")).to_have_count(0)


def test_the_checklist_says_state_evidence_and_next(page: Page) -> None:
    page.goto(f"/migrations/{NAME}/checklist")
    expect(page.get_by_role("heading", name="The way back is rehearsed")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d of 10 items are open"))).to_be_visible()
    expect(page.get_by_text("No wave has gone back yet.")).to_be_visible()
    assert page.get_by_role("checkbox").count() == 0


def test_the_end_of_a_source(page: Page) -> None:
    page.goto(f"/migrations/{NAME}/decommission")
    expect(page.get_by_text("The source may not go yet.")).to_be_visible()
    expect(page.get_by_text(re.compile("sealed; restored once"))).to_be_visible()
    expect(page.get_by_text("old-worker-1")).to_be_visible()
    page.get_by_label("Passphrase").fill("short")
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_role("alert")).to_contain_text("shorter than 12 characters")
    assert page.get_by_label("Passphrase").input_value() == ""
    assert "canary" not in page.content()


def test_before_anything_was_looked_at(page: Page) -> None:
    for part, title in (
        ("parity", "Nothing compared yet"),
        ("checklist", "Not checked yet"),
        ("decommission", "Not looked at yet"),
    ):
        page.goto(f"/migrations/fresh/{part}")
        expect(page.get_by_role("heading", name=title)).to_be_visible()


def test_a_look_is_seen_going_on_and_the_bundle_is_a_file(
    browser: Browser,
    storage: Path,
    site: Site,
    tmp_path: Path,
) -> None:
    """Once is enough: it leaves a proof that nobody walks."""
    context = browser.new_context(storage_state=storage, base_url=site.url)
    page = context.new_page()
    page.goto("/migrations/looked-at/checklist")
    page.get_by_role("button", name="Check now").click()
    expect(page.get_by_role("heading", name="Going on")).to_be_visible()
    expect(page.get_by_text("Every data source reached from where tasks run")).to_be_visible()
    page.goto(f"/migrations/{NAME}/decommission")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Evidence bundle").click()
    waiting.value.save_as(tmp_path / "evidence.tar")
    assert (tmp_path / "evidence.tar").read_bytes()[:13] == b"manifest.json"
    context.close()
