"""The migration room over a real source and both databases, without a target running. If these break, people lose the
plan they edited, or meet a status that is not true."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from tests.rooms.migration.service.conftest import NAME, Desk

from aerodrome.access import SYSTEM
from aerodrome.fleet.service import NewDeployment
from aerodrome.kernel.errors import Conflict, Denied, Invalid, NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.store import outbox
from aerodrome.store.outbox import Event

pytestmark = pytest.mark.airflow


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_source_is_probed_and_kept_without_its_secrets_in_view(desk: Desk) -> None:
    view = desk.connect()
    assert (view.status, view.source_version, view.source_kind) == ("connected", "2.11.2", "airflow-db")
    assert desk.legacy.fernet_key not in repr(view)
    assert desk.migrations.list(desk.actor("viewer")) == [view]
    assert all(probe.is_ok for probe in desk.migrations.probe(desk.actor(), NAME).probes if probe.is_required)
    with pytest.raises(Conflict, match="already"):
        desk.migrations.connect(desk.actor(), NAME, "data", desk.source())


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"fernet_keys": Secret("vNEYvM7bW3nqUKw7QDq0n3Y2mEJsoxsxM8PaX0OySnY=")}, "source-not-usable"),
        ({"dags_folder": "/nowhere/dags"}, "source-path-missing"),
    ],
    ids=["another key", "no folder"],
)
def test_a_source_that_cannot_be_used_leaves_nothing_behind(desk: Desk, change: dict[str, str], code: str) -> None:
    desk.platform.fleet.create_workspace(SYSTEM, "data")
    with pytest.raises(Invalid) as caught:
        desk.migrations.connect(desk.actor(), NAME, "data", desk.source(**change))
    assert caught.value.code == code
    assert caught.value.hint
    assert desk.migrations.list(desk.actor()) == []


def test_assessing_reads_the_source_only_and_proposes_a_plan(desk: Desk) -> None:
    before = digest(desk.legacy.database)
    desk.connect()
    with pytest.raises(NotFound, match="no plan yet"):
        desk.migrations.plan(desk.actor(), NAME)
    with pytest.raises(NotFound, match="no assessment yet"):
        desk.migrations.assessment(desk.actor(), NAME)
    assert desk.migrations.assess(desk.actor(), NAME).status == "assessing"
    with pytest.raises(Conflict) as caught:
        desk.migrations.assess(desk.actor(), NAME)
    assert caught.value.code == "migration-busy"
    desk.work()
    view = desk.view
    assert (view.status, view.target_version, view.error) == ("planned", "3.3.2", None)
    assert view.found["dag"] >= 4
    assert view.found["run"] > 0
    assert view.waves
    assert digest(desk.legacy.database) == before
    assessment = desk.migrations.assessment(desk.actor("viewer"), NAME)
    assert {finding["severity"] for finding in assessment["findings"]} <= {"blocker", "warning", "info"}
    assert "<html" in desk.migrations.assessment_html(desk.actor(), NAME)
    assert "canary" not in json.dumps(assessment)


def test_the_dry_run_lists_the_steps_of_the_plan(desk: Desk) -> None:
    desk.assessed()
    plan = desk.migrations.plan(desk.actor(), NAME)
    rows = desk.migrations.dry_run(desk.actor("viewer"), NAME)
    assert [row.key for row in rows if row.track == "apply"] == [step["key"] for step in plan.steps]
    assert {row.track for row in rows} == {"apply", *(f"cutover:{wave}" for wave in plan.waves)}


def test_a_wrong_plan_names_line_and_field_and_the_one_before_stays(desk: Desk) -> None:
    desk.assessed()
    plan = desk.migrations.plan(desk.actor(), NAME)
    line = 1 + plan.text[: plan.text.index("parallelism:")].count("\n")
    with pytest.raises(Invalid) as caught:
        desk.migrations.save_plan(desk.actor(), NAME, plan.text.replace("parallelism: 4", "parallelism: many"))
    assert caught.value.details == {"line": line, "field": "target.parallelism"}
    assert desk.migrations.plan(desk.actor(), NAME) == plan


def test_a_database_that_cannot_be_given_is_refused(desk: Desk) -> None:
    desk.assessed()
    text = desk.migrations.plan(desk.actor(), NAME).text
    with pytest.raises(Invalid, match=r"target\.database: "):
        desk.migrations.save_plan(desk.actor(), NAME, text.replace("database: sqlite", "database: oracle"))


def test_dependent_dags_in_different_waves_are_remarked(desk: Desk) -> None:
    desk.assessed()
    plan = desk.migrations.plan(desk.actor(), NAME)
    assert not any("orders_report is in" in note for note in plan.notes)
    lines = [line for line in plan.text.splitlines() if not line.strip().startswith("- orders_report")]
    start = lines.index("waves:") + 1
    lines[start:start] = ["  - name: early", "    criticality: low", "    dags: [orders_report]"]
    saved = desk.migrations.save_plan(desk.actor(), NAME, "\n".join(lines) + "\n")
    note = next(note for note in saved.notes if "orders_report is in early" in note)
    assert "orders_report follows a dataset that orders_mapped writes" in note
    assert desk.migrations.plan(desk.actor(), NAME).notes == saved.notes


def test_apply_refuses_a_plan_that_nobody_looked_at(desk: Desk) -> None:
    desk.assessed()
    with pytest.raises(Conflict) as caught:
        desk.migrations.apply(desk.actor(), NAME, "0" * 64)
    assert caught.value.code == "plan-stale"
    assert caught.value.details["plan_digest"] == desk.view.plan_digest
    assert desk.view.status == "planned"


def test_a_plan_of_an_earlier_estate_is_refused(desk: Desk) -> None:
    desk.assessed()
    text = desk.migrations.plan(desk.actor(), NAME).text
    estate = desk.view.estate_digest
    assert estate is not None
    with pytest.raises(Conflict) as caught:
        desk.migrations.save_plan(desk.actor(), NAME, text.replace(estate, "0" * len(estate)))
    assert caught.value.code == "plan-stale"


def test_cutover_waits_for_apply(desk: Desk) -> None:
    wave = desk.assessed().waves[0]
    with pytest.raises(Conflict) as caught:
        desk.migrations.waves.cut_over(desk.actor(), NAME, wave)
    assert caught.value.code == "not-applied"
    with pytest.raises(NotFound, match="wave"):
        desk.migrations.waves.cut_over(desk.actor(), NAME, "nowhere")


def test_viewers_see_and_change_nothing(desk: Desk) -> None:
    view = desk.assessed()
    viewer = desk.actor("viewer")
    text = desk.migrations.plan(viewer, NAME).text
    wave = view.waves[0]
    for forbidden in (
        lambda: desk.migrations.connect(viewer, "other", "data", desk.source()),
        lambda: desk.migrations.assess(viewer, NAME),
        lambda: desk.migrations.save_plan(viewer, NAME, text),
        lambda: desk.migrations.apply(viewer, NAME),
        lambda: desk.migrations.waves.cut_over(viewer, NAME, wave),
        lambda: desk.migrations.waves.roll_back(viewer, NAME, wave),
    ):
        with pytest.raises(Denied):
            forbidden()
    assert desk.view == view


def test_a_failed_apply_goes_on_with_an_edited_plan(desk: Desk) -> None:
    desk.assessed()
    desk.platform.fleet.create_deployment(SYSTEM, NewDeployment("taken", "data", airflow_version="3.2.2"))
    text = desk.migrations.plan(desk.actor(), NAME).text
    desk.migrations.save_plan(desk.actor(), NAME, text.replace(f"deployment: {NAME}", "deployment: taken"))
    desk.migrations.apply(desk.actor(), NAME)
    with pytest.raises(Conflict, match="applying now"):
        desk.migrations.save_plan(desk.actor(), NAME, text)
    desk.work()
    failed = desk.view
    assert failed.status == "failed"
    assert failed.error is not None
    assert failed.error["code"] == "target-other-version"
    assert [step.status for step in failed.tracks[0].steps[:3]] == ["done", "failed", "pending"]

    edited = desk.migrations.save_plan(desk.actor(), NAME, text)
    assert (desk.view.status, desk.view.error, desk.view.tracks) == ("planned", None, ())
    desk.migrations.apply(desk.actor(), NAME, edited.digest)
    desk.stop_before = {"deploy.bundle"}
    desk.work()
    steps = {step.key: step for step in desk.view.tracks[0].steps}
    assert desk.view.status == "applying"
    assert steps["environment.deployment"].result is not None
    assert steps["environment.deployment"].result["name"] == NAME
    assert steps["environment.variables"].status == "done"
    assert steps["code.upgrade"].status == "done"
    assert steps["deploy.bundle"].status == "pending"
    changed = desk.migrations.code_review.changes(desk.actor("viewer"), NAME)
    assert any(file["path"].endswith("daily_sales.py") and file["diff"] for file in changed["files"])
    assert desk.migrations.report(desk.actor(), NAME)["kinds"]["env_var"]["moved"] > 0
    assert "<html" in desk.migrations.report_html(desk.actor(), NAME)


def test_everything_asked_is_audited_and_told(desk: Desk) -> None:
    desk.assessed()
    desk.migrations.apply(desk.actor(), NAME)
    with desk.platform.store.reading() as session:
        events: list[Event] = list(outbox.read(session, 0, 100))
    types = [event.type for event in events if event.type.startswith("migration.")]
    assert types == ["migration.connected", "migration.assess-asked", "migration.assessed", "migration.apply-asked"]
