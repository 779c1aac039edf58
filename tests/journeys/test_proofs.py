"""The migrated shop is compared, checked and decommissioned: shadow runs beside the source's own, evidence that verifies.

If this breaks, people cut over blindly, or a shadow run writes into production.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.journeys.conftest import NAME, Moved

from aerodrome.kernel.errors import NotFound
from aerodrome.kernel.secret import Secret
from aerodrome.migration.decommission import bundle

pytestmark = [pytest.mark.airflow, pytest.mark.journey]
DAGS = ("till_minutely", "stock_levels")
CHECK = "checks: [{name: facts, dag: stock_levels, sql: 'select 1 as one', source: warehouse, target: warehouse}]"


def compare(story: Moved, **wish: Any) -> dict[str, Mapping[str, Any]]:
    proofs = story.client.proofs
    asked = proofs.compare(NAME, {"deployment": "shadow", "dag_ids": list(DAGS), "timeout_s": 120, **wish})
    proofs.watch(NAME, asked.id, lambda _seen: None, timeout_s=400)
    return {item["dag_id"]: item for item in proofs.parity(NAME)}


@pytest.fixture(scope="module")
def sandbox(moved: Moved, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source's database answers again, and a development deployment has sandboxes of what the DAGs write to."""
    folder = tmp_path_factory.mktemp("sandbox")
    moved.source.start_database()
    env = moved.source.layout.env_file.read_text()
    live_at = next(line.partition("=")[2] for line in env.splitlines() if line.startswith("SHOP_LIVE_AT="))
    moved.client.deployments.create(
        "shadow", "shop", airflow_version="3.3.2", python_version=moved.client.deployments.get(moved.deployment_id).python_version,
        config={"scheduler.use_job_schedule": "False", "scheduler.create_cron_data_intervals": "True"},
        env={"WAREHOUSE_DIR": str(folder), "SHOP_LIVE_AT": live_at},
    )  # fmt: skip
    return folder


@dataclass(frozen=True)
class Shadows:
    """What two comparisons found per DAG: before the shadow had a sandbox of the warehouse, and with it."""

    before: Mapping[str, Mapping[str, Any]]
    after: Mapping[str, Mapping[str, Any]]


@pytest.fixture(scope="module")
def shadows(moved: Moved, sandbox: Path) -> Shadows:
    before = compare(moved)
    fields = {"conn_type": "sqlite", "host": str(sandbox / "warehouse.db")}
    moved.client.environment.put("connection", "warehouse", fields=fields, deployment="shadow")
    return Shadows(before, compare(moved, file=CHECK))


def test_a_shadow_runs_only_in_a_sandbox_and_then_does_what_the_source_did(moved: Moved, shadows: Shadows) -> None:
    assert shadows.before["stock_levels"]["verdict"] == "not-compared"  # its connection is production's
    assert "no connection warehouse" in shadows.before["stock_levels"]["summary"]
    assert {dag_id: item["verdict"] for dag_id, item in shadows.after.items()} == {
        "till_minutely": "explained",  # the file's folder is another one
        "stock_levels": "match",
    }, shadows.after
    report = moved.client.proofs.parity_report(NAME, "stock_levels")
    assert report["source_run"]["logical_date"] == report["target_run"]["logical_date"]
    assert report["source_run"]["data_interval_end"] == report["target_run"]["data_interval_end"]
    outcomes = {(row["aspect"], row["outcome"]) for row in report["rows"]}
    assert {("state", "equal"), ("xcom", "equal"), ("rendered", "equal"), ("data", "equal")} <= outcomes
    tills = moved.client.proofs.parity_report(NAME, "till_minutely")
    assert {row["code"] for row in tills["rows"] if row["outcome"] == "explained"} == {"sandbox"}


def test_the_list_is_checked_where_tasks_run_and_the_evidence_verifies(
    moved: Moved, shadows: Shadows, tmp_path: Path
) -> None:
    proofs = moved.client.proofs
    asked = proofs.check(NAME)
    items = {
        item["key"]: item for item in proofs.watch(NAME, asked.id, lambda _seen: None, timeout_s=400).result["items"]
    }
    assert items["objects"]["state"] == items["dags"]["state"] == "done"
    hosts = {row["subject"]: row["message"] for row in items["network"]["rows"]}
    assert "does not resolve" in hosts["ledger.example"]
    asked = proofs.decommission(NAME, days=1, passphrase=Secret("some words for the end"), logs=None, access_log=None)
    result = proofs.watch(NAME, asked.id, lambda _seen: None, timeout_s=400).result
    assert not result["may_go"]  # other waves are still to come
    assert result["backup"]["restore_test"]["is_proven"]
    file = tmp_path / "evidence.tar"
    proofs.create_evidence(NAME, file)
    found = bundle.verify(file, proofs.evidence_key())
    assert found.is_whole, found.problems
    assert sum(entry["name"].startswith("parity/") for entry in found.manifest["entries"]) == len(DAGS)
    secrets = json.loads(moved.source.layout.secrets_file.read_text())
    text = file.read_bytes()
    assert not [
        name for name, value in secrets.items() if isinstance(value, str) and len(value) > 7 and value.encode() in text
    ]
    with pytest.raises(NotFound):
        proofs.parity_report(NAME, "nobody")
