"""/metrics, over a real socket and real databases, read by Prometheus' own parser."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.rooms.fleet.measuring import measured
from tests.rooms.web.world import World

from aerodrome.access import SYSTEM
from aerodrome.fleet.incidents.data import as_data
from aerodrome.fleet.service import NewDeployment
from aerodrome.store.tables.deployment import DeploymentRow, ObservationRow
from aerodrome.store.tables.incident import VitalRow
from aerodrome.web.service import WebService

Http = Callable[..., httpx2.Client]
Samples = dict[str, dict[tuple[str, ...], float]]


def samples(text: str) -> Samples:
    """Read the text: name -> values of the labels, by label name -> value."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(value for _, value in sorted(sample.labels.items()))
            assert labels not in found.setdefault(sample.name, {}), f"{sample.name}{labels} is there twice"
            found[sample.name][labels] = sample.value
    return found


def add_deployment(platform: World, name: str) -> str:
    """Make a deployment with rows as the reconciler and the watcher write them."""
    if "data" not in {view.name for view in platform.fleet.list_workspaces(SYSTEM)}:
        platform.fleet.create_workspace(SYSTEM, "data")
    item = platform.fleet.create_deployment(SYSTEM, NewDeployment(name, "data"))
    now = platform.clock.now()
    started_at = (now - timedelta(minutes=5)).isoformat()
    part = {"name": "scheduler", "state": "running", "pid": 7, "started_at": started_at, "restarts": 2, "reason": None}
    pulse = {
        "task_instances": {"running": 3, "success": 1000},
        "dag_runs": {"running": 1},
        "pools": [["default_pool", 128, 3, 0, 0], ['the "big"\\one\n', 2, 0, 0, 0]],
        "heartbeats": {"scheduler": (now - timedelta(seconds=4)).isoformat()},
        "import_error_count": 2,
        "size_bytes": 123_456,
        "tables": {"task_instance": 1000},
    }
    data = as_data(measured(item.id, pulse), {}, is_thorough=True)
    with platform.store.writing() as session:
        row = session.get_one(DeploymentRow, item.id)
        row.status = "healthy"
        session.add(ObservationRow(deployment_id=item.id, health="healthy", components=[part], observed_at=now))
        session.add(VitalRow(deployment_id=item.id, measured_at=now, data=json.loads(json.dumps(data)), memory={}))
    return item.id


def test_platform_and_deployments_are_told(platform: World, http: Http) -> None:
    add_deployment(platform, "sales")
    found = samples(http("viewer").get("/metrics").raise_for_status().text)
    who = ("sales", "data")
    assert found["aerodrome_deployment_up"] == {who: 1.0}
    assert found["aerodrome_deployment_status"][(who[0], "healthy", who[1])] == 1.0
    assert found["aerodrome_component_restarts_total"] == {("scheduler", *who): 2.0}
    assert found["aerodrome_component_uptime_seconds"] == {("scheduler", *who): 300.0}
    assert found["aerodrome_component_memory_pss_bytes"][("scheduler", *who)] == 200 << 20
    assert found["aerodrome_airflow_task_instances"][(who[0], "success", who[1])] == 1000
    assert found["aerodrome_airflow_import_errors"] == {who: 2.0}
    assert found["aerodrome_airflow_heartbeat_age_seconds"] == {("scheduler", *who): 4.0}
    assert found["aerodrome_database_bytes"] == {who: 123_456.0}
    assert found["aerodrome_airflow_pool_slots"][(who[0], 'the "big"\\one\n', who[1])] == 2.0
    assert found["aerodrome_jobs"][("deployment.reconcile", "waiting")] == 1.0
    assert len(found["aerodrome_build_info"]) == 1


def test_requests_are_counted_by_route_and_status(http: Http) -> None:
    client = http("viewer")
    client.get("/api/v1/deployments")
    client.get("/api/v1/deployments/nothing-here")
    client.get("/nowhere/at/all")
    found = samples(client.get("/metrics").text)["aerodrome_http_requests_total"]
    assert found["GET", "list_deployments", "200"] == 1.0
    assert found["GET", "get_deployment", "404"] == 1.0
    assert found["GET", "unmatched", "404"] == 1.0


def test_each_deployment_adds_a_bounded_number_of_lines(platform: World, http: Http) -> None:
    for number in range(3):
        add_deployment(platform, f"d{number}")
    text = http("viewer").get("/metrics").text
    assert len(samples(text)["aerodrome_deployment_up"]) == 3
    assert sum("d1" in line for line in text.splitlines()) < 100  # what one deployment adds


def test_who_may_not_read_metrics_gets_a_problem(http: Http) -> None:
    answer = http(None).get("/metrics")
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


def test_a_role_on_one_workspace_is_not_enough(platform: World, http: Http) -> None:
    workspace = platform.fleet.create_workspace(SYSTEM, "shop")
    platform.access.create_user(SYSTEM, "guest", role="admin", scope=f"workspace/{workspace.id}")
    assert http("guest").get("/metrics").status_code == 403


@pytest.mark.parametrize(("headers", "status"), [({}, 200), ({"X-Forwarded-For": "127.0.0.1"}, 401)])
def test_loopback_needs_no_token_when_settings_say_so(platform: World, headers: dict[str, str], status: int) -> None:
    settings = platform.settings.model_copy(update={"metrics_on_loopback": True})
    with socket.create_server(("127.0.0.1", 0)) as pages, socket.create_server(("127.0.0.1", 0)) as gate:
        service = WebService(replace(platform, settings=settings), pages=pages, gate=gate)
        service.start()
        try:
            url = f"http://127.0.0.1:{pages.getsockname()[1]}/metrics"
            assert httpx2.get(url, headers=headers, trust_env=False).status_code == status
        finally:
            service.stop()
