"""The Versions tab: what there is, a rehearsal and its report, the button of the real step, the way back of a deploy."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aerodrome.access import SYSTEM
from aerodrome.fleet import queries
from aerodrome.kernel.clock import SystemClock
from aerodrome.kernel.ids import new_id
from aerodrome.store import open_store
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.rehearsal import RehearsalRow

pytestmark = pytest.mark.browser
NAME = "versions"
REPORT: dict[str, Any] = {
    "from_version": "2.11.2",
    "to_version": "3.3.2",
    "seconds": 21.4,
    "problems": [],
    "database": {
        "seconds": 4.3,
        "size_bytes": 561152,
        "rows_before": {"dag_run": 3412},
        "rows_after": {"dag_run": 3412},
    },
    "dags": {
        "equal": 11,
        "different_count": 1,
        "different": [
            {
                "dag_id": "daily_sales_of_all_shops",
                "path": "tasks.load.retries",
                "before": "0",
                "after": "1",
                "severity": "warning",
                "reason": "The default of [core] default_task_retries is another one.",
            }
        ],
        "broken": [
            {"file": "dags/old.py", "line": 3, "message": "No module named airflow.operators.bash_operator", "hint": ""}
        ],
        "gone": [],
    },
    "config": [{"option": "webserver.rbac", "severity": "info", "message": "It is gone.", "hint": "Remove it."}],
    "packages": {
        "changed": [{"name": "sqlalchemy", "before": "1.4.54", "after": "2.0.49"}],
        "added": [{"name": "apache-airflow-task-sdk", "after": "1.3.2"}],
        "removed": [{"name": "connexion", "before": "2.14.2"}],
    },
    "scheduling": {"is_ok": True, "seconds": 7.3, "probe_state": "success", "dag_count": 12, "log_tail": []},
    "loss": None,
}
LOSS = {
    "is_lossless": False,
    "taken_at": "2026-03-01T12:00:00Z",
    "archived": [
        {"kind": "dag_version", "count": 14, "reason": "Airflow 2 keeps no versions of DAGs.", "examples": ["daily 1"]}
    ],
    "carried": [
        {"kind": "dag_run", "found": 31, "inserted": 31, "updated": 0, "deleted": 0, "converted": 2, "remark": "dated"}
    ],
    "remarks": ["Tasks that ran are scheduled again."],
}


def rehearsal(site: Any, status: str, report: dict[str, Any] | None) -> str:
    """Write a rehearsal as the worker would have left it; give the address of its page."""
    if NAME not in {item.name for item in site.client.deployments.list()}:
        site.client.deployments.create(NAME, "data", airflow_version="2.11.2", python_version="3.11")
    deployment = site.client.deployments.get(NAME)
    now = SystemClock().now()
    with closing(open_store(f"sqlite:///{site.home}/aerodrome.db", SystemClock())) as store, store.writing() as session:
        row = RehearsalRow(
            id=new_id("reh"),
            deployment_id=deployment.id,
            kind="upgrade",
            status=status,
            from_version="2.11.2",
            to_version="3.3.2",
            python_version="3.11",
            bundle_digest="a" * 64,
            log="2026-03-01T12:00:00Z Reading every DAG under both versions.\n",
            report=report,
            actor=SYSTEM.name,
            created_at=now,
            started_at=now,
            finished_at=now + timedelta(seconds=21) if report else None,
        )
        session.add(row)
        session.flush()
        assert session.get(DeploymentRow, deployment.id) is not None
        view = queries.rehearsal(row)
    return f"/deployments/{view.deployment_id}/rehearsals/{view.id}"


def test_versions_are_offered_and_a_rehearsal_can_be_asked_for(page: Page, site: Any) -> None:
    rehearsal(site, "passed", REPORT)
    page.goto("/deployments")
    page.get_by_role("link", name=NAME).click()
    page.get_by_role("link", name="Versions").click()
    expect(page.get_by_role("heading", name="Rehearsals")).to_be_visible()
    page.get_by_label("Airflow").select_option("3.3.2")
    page.get_by_role("button", name="Rehearse the upgrade").click()
    expect(page.get_by_role("heading", name="Upgrade: Airflow 2.11.2 → 3.3.2")).to_be_visible()
    expect(page.get_by_text("It waits for its turn.")).to_be_visible()


def test_a_report_shows_what_the_change_does_and_offers_the_real_step(page: Page, site: Any) -> None:
    page.goto(rehearsal(site, "passed", REPORT))
    for text in ("3,412", "daily_sales_of_all_shops", "dags/old.py:3", "webserver.rbac", "The change may be made."):
        expect(page.get_by_text(text).first).to_be_visible()
    page.get_by_text("1 changed, 1 added, 1 removed").click()
    expect(page.get_by_text("apache-airflow-task-sdk")).to_be_visible()
    expect(page.get_by_role("button", name="Upgrade", exact=True)).to_be_visible()


def test_problems_and_losses_are_named(page: Page, site: Any) -> None:
    problem = "1 DAG file cannot be read under the other version: dags/old.py."
    page.goto(rehearsal(site, "refused", {**REPORT, "problems": [problem], "loss": LOSS}))
    expect(page.get_by_role("alert")).to_contain_text(problem)
    expect(page.get_by_text("Airflow 2 keeps no versions of DAGs.")).to_be_visible()
    expect(page.get_by_role("button", name="Upgrade anyway")).to_be_visible()
