"""The pages of a migration over a real source: the list, progress, findings, an edited plan, the code diff, the report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest
from playwright.sync_api import Dialog, Page, expect
from tests.browser.conftest import Site, overflow
from tests.browser.stage import NAME, Stage, served, staged
from tests.conftest import Legacy

from aerodrome.access import SYSTEM
from aerodrome.client.client import Client
from aerodrome.client.migrations import NewSource
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.secret import Secret
from aerodrome.store import journal

pytestmark = [pytest.mark.browser, pytest.mark.airflow]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with staged(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture(scope="module")
def site(stage: Stage, _legacy: Legacy) -> Iterator[Site]:
    """Migrations at different turns: connected, failed, in the middle of a deploy, stopped in a cutover."""
    with served(stage.app) as made:
        prepare(made.client, stage, _legacy)
        yield made


def prepare(client: Client, stage: Stage, legacy: Legacy) -> None:
    project = legacy.project
    source = NewSource(
        database_url=Secret(legacy.url),
        dags_folder=str(project / "dags"),
        fernet_keys=Secret(legacy.fernet_key),
        plugins_folder=str(project / "plugins"),
        include_folder=str(project / "include"),
        env_file=str(project / "scheduler.env"),
        config_file=str(project / "airflow.cfg"),
    )
    for name in (NAME, "second", "stopped", "halfway", "reviewed"):
        client.migrations.connect(name, "data", source)
    client.migrations.assess("reviewed")
    stage.work()
    client.migrations.assess("stopped")
    stage.work()
    stage.app.fleet.create_deployment(SYSTEM, NewDeployment("stopped", "data", airflow_version="3.2.2"))
    client.migrations.apply("stopped")
    stage.work()
    client.migrations.assess("halfway")
    stage.work()
    cut_short(client, stage)
    client.migrations.assess(NAME)
    stage.work()
    client.migrations.apply(NAME)
    stage.stop_before = "deploy.bundle"
    stage.work()
    stage.stop_before = ""
    migration = client.migrations.get(NAME).id
    with stage.app.store.writing() as session:
        journal.begin(session, migration, "apply", "deploy.bundle")
        journal.progress(session, migration, "apply", "deploy.bundle", "building and starting Airflow")


def cut_short(client: Client, stage: Stage) -> None:
    """Bring a migration into the middle of its first wave: one DAG is paused in the source, then something fails."""
    item, plan = client.migrations.get("halfway"), client.migrations.plan("halfway")
    wave = item.waves[0]
    pause = next(step["key"] for step in plan["waves"][wave] if step["kind"] == "cutover.pause")
    walk(stage, item.id, "apply", plan["steps"], [step["key"] for step in plan["steps"]])
    client.migrations.cutover("halfway", wave)
    stage.work()  # no target runs here: the first check fails
    walk(stage, item.id, f"cutover:{wave}", [], [pause])


def walk(stage: Stage, migration: str, track: str, steps: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> None:
    with stage.app.store.writing() as session:
        journal.open_track(session, migration, track, steps)
        for key in keys:
            journal.begin(session, migration, track, key)
            journal.done(session, migration, track, key, {"deployment_id": "dep_gone"})


def test_migrations_are_listed_with_what_they_wait_for(page: Page) -> None:
    page.goto("/migrations")
    expect(page.get_by_role("link", name=NAME)).to_be_visible()
    expect(page.get_by_text("applying", exact=True)).to_be_visible()
    expect(page.get_by_text("failed", exact=True)).to_have_count(2)
    expect(page.get_by_text("connected", exact=True)).to_be_visible()
    expect(page.get_by_text(re.compile(r"Apply the plan: \d+ of \d+")).first).to_be_visible()


def test_progress_is_shown_step_by_step(page: Page) -> None:
    page.goto("/migrations")
    page.get_by_role("link", name=NAME).click()
    expect(page.get_by_role("heading", name="Apply the plan")).to_be_visible()
    expect(page.get_by_text("building and starting Airflow")).to_be_visible()
    expect(page.get_by_text(re.compile(r"\d+ set, \d+ left out with a reason"))).to_be_visible()
    expect(page.get_by_role("button", name="Apply the plan")).to_have_count(0)


def test_the_board_shows_waves_and_a_wave_its_crossings(page: Page) -> None:
    page.goto("/migrations/halfway")
    page.get_by_role("link", name="Waves", exact=True).click()
    board = page.get_by_role("region", name="wave-1", exact=True)
    expect(board.get_by_text("Between the sides")).to_be_visible()
    expect(board.get_by_role("button", name="Go on")).to_be_visible()
    board.get_by_role("link", name="wave-1", exact=True).click()
    expect(page.get_by_text("longest gap")).to_be_visible()
    expect(page.get_by_text("paused", exact=True).first).to_be_visible()
    page.set_viewport_size({"width": 390, "height": 800})
    assert overflow(page) <= 0


def test_a_failure_says_the_next_step(page: Page) -> None:
    page.goto("/migrations/stopped")
    expect(page.get_by_role("alert").first).to_contain_text("the plan wants 3.3.2")
    expect(page.get_by_role("button", name="Go on applying")).to_be_visible()


def test_findings_are_listed(page: Page) -> None:
    page.goto(f"/migrations/{NAME}/findings")
    expect(page.get_by_text("daily_sales").first).to_be_visible()
    expect(page.get_by_role("link", name="Assessment report")).to_be_visible()
    page.get_by_label("With the words").fill("no such words anywhere")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("No finding fits this choice.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    expect(page.get_by_text("daily_sales").first).to_be_visible()


def test_a_wrong_plan_names_line_and_field_and_keeps_the_text(page: Page) -> None:
    page.goto("/migrations/stopped/plan")
    area = page.get_by_label(re.compile("Edit and save"))
    text = area.input_value()
    area.fill(text.replace("parallelism: 4", "parallelism: many"))
    page.get_by_role("button", name="Save plan").click()
    expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Line \d+, target\.parallelism"))
    assert "parallelism: many" in page.get_by_label(re.compile("Edit and save")).input_value()


def test_what_becomes_of_runs_under_way_is_chosen_for_some_dags_and_taken_back(page: Page) -> None:
    page.goto("/migrations/stopped/plan")
    page.get_by_role("link", name="What becomes of runs under way").click()
    page.set_viewport_size({"width": 390, "height": 800})
    row = page.get_by_role("row").filter(has_text="daily_sales")
    page.get_by_label("Then", exact=True).select_option("rerun")
    page.get_by_role("button", name="Choose", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("No DAG is ticked.")
    row.get_by_role("checkbox").check()
    page.get_by_label("Runs under way may take").fill("soon")
    page.get_by_role("button", name="Choose", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("drain_deadline must be a duration")
    expect(row.get_by_role("checkbox")).to_be_checked()
    page.get_by_label("Runs under way may take").fill("30m")
    page.get_by_role("button", name="Choose", exact=True).click()
    expect(row).to_contain_text("its own choice")
    expect(row).to_contain_text("30m")
    expect(row).to_contain_text("rerun")
    assert overflow(page) <= 0
    page.goto("/migrations/stopped/plan")
    assert "on_deadline: rerun" in page.get_by_label(re.compile("Edit and save")).input_value()
    page.goto("/migrations/stopped/policies?text=daily_sales")
    expect(page.get_by_role("row").filter(has_text="wave-")).to_have_count(1)
    row.get_by_role("checkbox").check()
    page.get_by_role("button", name="As all others").click()
    expect(row).not_to_contain_text("its own choice")
    page.get_by_role("link", name="Show all").click()
    page.get_by_label("For", exact=True).select_option("wave:wave-1")
    page.get_by_label("Moves in spite of").select_option("these")
    page.get_by_role("checkbox", name="finding").check()
    page.get_by_role("button", name="Choose", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="wave-1").first).to_contain_text("finding")


def test_code_changes_are_diffs(page: Page) -> None:
    page.goto(f"/migrations/{NAME}/code")
    expect(page.get_by_text("dags/daily_sales.py").first).to_be_visible()
    expect(page.locator(".diff .add").first).to_be_visible()


def test_changes_are_looked_at_before_apply_and_rejected_file_by_file(page: Page, stage: Stage) -> None:
    path = "dags/daily_sales.py"
    page.goto("/migrations/reviewed/code")
    page.get_by_role("button", name=re.compile("Look at the changes|Look again")).click()
    expect(page.get_by_text("The code is being upgraded in a copy")).to_be_visible()
    stage.work()
    box = page.get_by_role("checkbox", name=f"Accept the changes of {path}")
    expect(box).to_be_checked()
    expect(page.get_by_text("The code is being upgraded in a copy")).to_have_count(0)
    page.get_by_role("region", name=path, exact=True).locator("summary").click()
    box.uncheck()
    page.get_by_role("button", name="Save decisions").click()
    expect(box).not_to_be_checked()
    expect(page.get_by_role("region", name=path, exact=True).get_by_text("rejected", exact=True)).to_be_visible()
    page.get_by_label("Show", exact=True).select_option("rejected ones")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_text("1 file", exact=True)).to_be_visible()
    page.goto("/migrations/reviewed/plan")
    assert f"  rejected:\n    - {path}\n" in page.get_by_label(re.compile("Edit and save")).input_value()
    expect(page.get_by_text(re.compile("with a diff per file; 1 file as the source has them"))).to_be_visible()
    page.goto("/migrations/reviewed/code?kind=rejected")
    box.check()
    page.get_by_role("button", name="Save decisions").click()
    expect(page.get_by_text("No file fits this choice.")).to_be_visible()


def test_the_report_counts_what_moved(page: Page) -> None:
    page.goto(f"/migrations/{NAME}/report")
    expect(page.get_by_role("heading", name="What moved")).to_be_visible()
    expect(page.get_by_text("environment variables")).to_be_visible()
    assert "canary" not in page.content()


def test_a_rollback_asks_first_and_tells_how_it_went(page: Page, stage: Stage) -> None:
    questions: list[str] = []

    def refuse(dialog: Dialog) -> None:
        questions.append(dialog.message)
        dialog.dismiss()

    page.goto("/migrations/halfway")
    page.once("dialog", refuse)
    page.get_by_role("button", name="Roll back wave-1").click()
    assert questions == ["Roll back wave-1? Its DAGs are paused in the target and run in the source again."]
    expect(page.get_by_role("button", name="Roll back wave-1")).to_be_visible()
    assert stage.app.migrations.get(SYSTEM, "halfway").status == "failed"

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Roll back wave-1").click()
    expect(page.get_by_role("heading", name="Roll back wave-1")).to_be_visible()
    expect(page.get_by_role("button", name="Cut over wave-1")).to_have_count(0)
    stage.work()  # fails: no target runs here; the page notices by itself
    expect(page.get_by_role("alert").first).to_be_visible()
    expect(page.get_by_role("button", name="Roll back wave-1")).to_be_visible()
