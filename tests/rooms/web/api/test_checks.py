"""A project is checked under the deployment's own Airflow by one request; what DAGs use is answered by name."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from tests.rooms.web.api.test_fleet import GZIP, Connect, admin, archive  # noqa: F401  (the fixture)
from tests.rooms.web.world import World

from aerodrome.builds.contract import Venv
from aerodrome.parsing import warm
from aerodrome.store.tables.deploy import DeployRow
from aerodrome.store.tables.deployment import DeploymentRow

PATH = "/api/v1/deployments/nightly"
DAG = """
import datetime
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator
with DAG("sales", schedule="@daily", start_date=datetime.datetime(2026, 1, 1)):
    BashOperator(task_id="load", bash_command="{{ conn.warehouse.host }} {{ var.value.get('region', 'eu') }}", pool="crm")
"""


@pytest.mark.airflow
def test_a_project_is_checked_without_a_deploy(
    admin: httpx2.Client,  # noqa: F811
    platform: World,
    airflow_venv: Callable[..., Venv],
    tmp_path: Path,
) -> None:
    """Over HTTP and by the command, whose exit code a CI job reads."""
    platform.settings.venvs_dir.symlink_to(airflow_venv("3.3.2").path.parent)
    try:
        body = archive(dags__sales_py=DAG, dags__broken_py="import airflow, nothing_of_this_name  # dag\n")
        found = admin.post(f"{PATH}/checks", content=body, headers=GZIP).json()
        assert found["is_blocking"]
        assert [dag["dag_id"] for dag in found["dags"]] == ["sales"]
        assert {(item["code"], item["severity"], item["subject"]) for item in found["findings"]} == {
            ("missing-module", "blocker", "nothing_of_this_name"),
            ("missing-connection", "warning", "warehouse"),  # the first deploy: nothing could have been made before
            ("missing-variable", "warning", "region"),
            ("missing-pool", "warning", "crm"),
        }
        assert admin.get(f"{PATH}/deploys").json()["items"] == []
        (tmp_path / "project/dags").mkdir(parents=True)
        (tmp_path / "project/dags/sales.py").write_text(DAG)
        token = admin.headers["Authorization"].removeprefix("Bearer ")
        environment = {**os.environ, "AERODROME_URL": str(admin.base_url), "AERODROME_TOKEN": token}
        words = ["deploy", "check", str(tmp_path / "project"), "--deployment", "nightly"]

        def typed(*more: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "aerodrome.cli", *words, *more]
            return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)

        fine = typed("--output", "json")
        assert (fine.returncode, json.loads(fine.stdout)["counts"]["warnings"]) == (0, 3)
        (tmp_path / "project/dags/worse.py").write_text("from airflow import DAG\n(\n")
        refused = typed()
        assert refused.returncode == 5
        assert "dags/worse.py:2" in refused.stdout
    finally:
        warm.end_all(platform.settings.deployments_dir / ".parsing")


def test_usage_is_answered_by_deployment_and_by_object(admin: httpx2.Client, http: Connect, platform: World) -> None:  # noqa: F811
    assert admin.get(f"{PATH}/usage").json()["deploy_number"] is None
    admin.post(f"{PATH}/deploys", content=archive(dags__sales_py=DAG), headers=GZIP).raise_for_status()
    with platform.store.writing() as session:
        row = session.query(DeployRow).one()
        row.status = "live"
        session.get_one(DeploymentRow, row.deployment_id).current_deploy_id = row.id
    found = admin.get(f"{PATH}/usage").json()  # of a deploy that was never checked the text is read
    assert {(item["kind"], item["name"], item["is_required"]) for item in found["objects"]} == {
        ("connection", "warehouse", True),
        ("pool", "crm", True),
        ("variable", "region", False),
    }
    assert [item["name"] for item in admin.get(f"{PATH}/usage", params={"kind": "pool"}).json()["objects"]] == ["crm"]
    (where,) = admin.get("/api/v1/usage", params={"kind": "connection", "name": "warehouse"}).json()
    assert where["objects"][0]["places"][0] == {
        "file": "dags/sales.py",
        "line": 6,
        "via": "template",
        "is_required": True,
        "dag_ids": ["sales"],
    }
    assert http(None).get("/api/v1/usage", params={"kind": "pool", "name": "crm"}).status_code == 401


def test_who_may_not_deploy_may_not_have_code_run(admin: httpx2.Client, http: Connect) -> None:  # noqa: F811
    answer = http("viewer").post(f"{PATH}/checks", content=archive(dags__x_py="1"), headers=GZIP)
    assert answer.status_code == 403
