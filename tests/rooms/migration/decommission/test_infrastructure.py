"""What is to be removed is derived from what was seen, and names no secret value."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.rooms.migration.plan.conftest import MemoryEstate, connection, env_var, variable

from aerodrome.migration.decommission.infrastructure import derive
from aerodrome.migration.decommission.runbook import runbook
from aerodrome.migration.estate.records import ConfigRecord, UserRecord


def option(name: str, value: str | None, *, is_secret: bool = False) -> ConfigRecord:
    return ConfigRecord(name, value, is_secret, "file")


ESTATE = MemoryEstate(
    (
        option("core.executor", "CeleryKubernetesExecutor"),
        option("celery.broker_url", None, is_secret=True),
        option("kubernetes_executor.namespace", "airflow-prod"),
        option("logging.remote_base_log_folder", "s3://logs/airflow"),
        option("webserver.base_url", "https://user:pw@airflow.example.org/x"),
        option("api.auth_backends", None, is_secret=True),
        option("core.fernet_key", None, is_secret=True),
        option("sentry.sentry_on", "False"),
        connection("warehouse"),
        replace(variable("api_token"), is_sensitive=True),
        variable("country"),
        env_var("VENDOR_KEY", is_secret=True),
        UserRecord("ana", None, ("Admin",), is_active=True),
        UserRecord("old", None, ("Admin",), is_active=False),
    )
)
HOSTS: list[dict[str, Any]] = [
    {"name": "airflow-1", "role": "scheduler", "last": "2026-03-01T00:00:00Z"},
    {"name": "airflow-1", "role": "tasks", "last": "2026-03-01T00:00:00Z"},
    {"name": "airflow-worker-7d9f8c6b5-x2x4z", "role": "tasks", "last": None},
]


def test_each_part_of_the_old_airflow_is_on_the_list() -> None:
    found = {(item.kind, item.name) for item in derive(ESTATE, "postgresql://airflow:***@db/airflow", HOSTS)}
    assert found == {
        ("machine", "airflow-1"),
        ("kubernetes", "airflow-worker"),
        ("kubernetes", "airflow-prod"),
        ("database", "postgresql://airflow:***@db/airflow"),
        ("broker", "celery.broker_url"),
        ("storage", "s3://logs/airflow"),
        ("address", "https://airflow.example.org/x"),
        ("secret", "Fernet key of the source"),
        ("secret", "celery.broker_url"),
        ("secret", "core.fernet_key"),
        ("secret", "VENDOR_KEY"),
        ("secret", "warehouse"),
        ("secret", "api_token"),
        ("people", "1 users"),
    }


def test_the_runbook_holds_all_of_it_and_says_what_is_not_proved() -> None:
    items = [item.as_data() for item in derive(ESTATE, "postgresql://db/airflow", HOSTS)]
    facts = {
        "migration": "legacy", "source": "postgresql://db/airflow", "source_name": "Airflow 2.11.2", "deployment": "sales",
        "target_version": "3.3.2", "dags": 3, "made_at": "2026-03-01T00:00:00Z", "backup": None, "logs": None,
    }  # fmt: skip
    busy = [{"state": "open", "title": "Nothing runs", "message": "2 groups are in flight."}]
    text = runbook(facts, items, busy)
    assert all(f"| {item['name']} |" in text for item in items)
    assert "2 groups are in flight." in text
    assert "There is no final backup" in text
    backup = {
        "path": "/x", "size_bytes": 9, "digest": "d", "dialect": "sqlite", "revision": "r", "airflow_version": "2.11.2",
        "restore_test": {"is_proven": False, "message": "disk full"},
    }  # fmt: skip
    assert "It was not restored once" in runbook({**facts, "backup": backup}, items, [])


def test_pods_of_tasks_are_one_line_and_workloads_one_each() -> None:
    estate = MemoryEstate((option("core.executor", "KubernetesExecutor"),))
    hosts: list[dict[str, Any]] = [
        {"name": "airflow-scheduler-7d9f8c6b5-x2x4z", "role": "scheduler", "last": "2026-03-01T00:00:00Z"},
        {"name": "airflow-scheduler-7d9f8c6b5-aaaa1", "role": "scheduler", "last": "2026-02-01T00:00:00Z"},
        *({"name": f"sales-load-{number:08x}a1", "role": "tasks", "last": None} for number in range(3)),
        *({"name": f"sales-load-{number}abcdef1", "role": "tasks", "last": None} for number in range(3)),
    ]
    found = {item.name: item.seen for item in derive(estate, "x", hosts) if item.kind == "kubernetes"}
    assert found["airflow-scheduler"] == "2 pods, the last 2026-03-01"
    assert "pods of tasks" in found
    assert not any(name.startswith("sales-load-") for name in found)


def test_a_managed_environment_brings_what_belongs_to_it_and_roles_are_taken_away() -> None:
    records = (
        option("logging.remote_log_conn_id", "log_store"),
        replace(connection("lake"), conn_type="aws", has_password=False, has_extra=False),
    )
    items = derive(MemoryEstate(records), "prod (eu-west-1)", (), source_kind="mwaa")
    assert {item.kind for item in items if "prod (eu-west-1)" in item.name} == {"service", "storage"}
    assert {item.name for item in items if item.kind == "secret"} >= {"log_store", "lake"}
    composer = derive(MemoryEstate(()), "etl", (), source_kind="composer")
    assert any(item.kind == "kubernetes" for item in composer)
