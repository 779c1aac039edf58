"""What the checks of a deploy found, and what its DAGs use, as a person meets it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from aerodrome.store import open_store
from aerodrome.store.tables.deploy import DeployRow, DeployUsageRow
from aerodrome.store.tables.deployment import DeploymentRow
from aerodrome.store.tables.registry import all_tables

pytestmark = pytest.mark.browser


def _finding(code: str, severity: str, subject: str, message: str, **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "severity": severity,
        "subject": subject,
        "message": message,
        "hint": "`aerodrome env set ledger_store` makes it; --force deploys without it.",
        "file": "dags/a_rather_long_folder_name/sales_of_all_regions_hourly.py",
        "line": 12,
        "kind": "",
        "dag_ids": ["sales_hourly"],
        "detail": "",
        **more,
    }


def _use(kind: str, name: str, *, is_required: bool = True) -> dict[str, Any]:
    places = {"file": "dags/sales.py", "line": 7, "via": "postgres_conn_id"}
    return {
        "kind": kind,
        "name": name,
        "dag_ids": ["sales_hourly", "sales_daily"],
        "is_required": is_required,
        **places,
    }


CHECKS = {
    "is_blocking": True,
    "policy": "block",
    "counts": {
        "files": 3,
        "dags": 2,
        "blockers": 2,
        "warnings": 1,
        "connections": 2,
        "variables": 1,
        "pools": 1,
        "env": 0,
    },
    "findings": [
        _finding(
            "missing-connection",
            "blocker",
            "ledger_store",
            "The connection ledger_store does not exist.",
            kind="connection",
        ),
        _finding("syntax-error", "blocker", "x", "The file is not valid Python.", detail="Traceback\n" + "x" * 300),
        _finding(
            "missing-variable",
            "warning",
            "ledger_region",
            "The variable ledger_region does not exist.",
            kind="variable",
        ),
    ],
    "airflow_version": "3.3.2",
    "seconds": 0.42,
}
USAGE = [
    _use("connection", "ledger_store"),
    _use("connection", "aws_default", is_required=False),
    _use("variable", "ledger_region", is_required=False),
    _use("pool", "crm"),
]


@pytest.fixture(scope="module")
def checked(site: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A deployment whose live deploy was forced through checks; gives its id."""
    folder: Path = tmp_path_factory.mktemp("checked")
    (folder / "dags").mkdir()
    (folder / "dags/sales.py").write_text("import airflow\n")
    item = site.client.deployments.create("checked", "data")
    deploy = site.client.deploys.create(item.id, folder, "Forced")
    all_tables()  # rows point to each other
    store = open_store(f"sqlite:///{site.home / 'aerodrome.db'}")
    with store.writing() as session:
        row = session.get_one(DeployRow, deploy.id)
        row.checks, row.status, row.is_forced, row.live_at = CHECKS, "live", True, datetime.now(UTC)
        session.add(DeployUsageRow(deploy_id=row.id, dags=[], usage=USAGE))
        session.get_one(DeploymentRow, item.id).current_deploy_id = row.id
    store.close()
    return str(item.id)


def test_a_deploy_shows_what_its_checks_found(page: Page, checked: str) -> None:
    page.goto(f"/deployments/{checked}/deploys/1")
    checks = page.locator("#checks")
    expect(checks.get_by_text("2 blockers, forced")).to_be_visible()
    expect(checks.get_by_text("The connection ledger_store does not exist.")).to_be_visible()
    checks.get_by_text("Traceback").first.click()
    expect(checks.get_by_text("xxx")).to_be_visible()


def test_the_usage_tab_tells_who_needs_what(page: Page, checked: str) -> None:
    page.goto(f"/deployments/{checked}")
    page.get_by_role("navigation", name="Deployment").get_by_role("link", name="Usage").click()
    connections = page.locator("#connection")
    expect(connections.get_by_role("row", name="ledger_store")).to_contain_text("missing")
    expect(connections.get_by_role("row", name="aws_default")).to_contain_text("there")
    connections.get_by_text("1 place").first.click()
    expect(connections.get_by_text("dags/sales.py:7").first).to_be_visible()
    expect(page.locator("#variable")).to_contain_text("not there")


def test_the_usage_tab_says_when_nothing_is_deployed(page: Page, site: Any) -> None:
    item = next(found for found in site.client.deployments.list() if found.name == "sales")
    page.goto(f"/deployments/{item.id}/usage")
    expect(page.get_by_text("Nothing is deployed yet")).to_be_visible()
