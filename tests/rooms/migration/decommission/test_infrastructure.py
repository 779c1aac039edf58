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
        ("kubernetes", "airflow-worker-7d9f8c6b5-x2x4z"),
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
        "migration": "legacy", "source": "postgresql://db/airflow", "source_version": "2.11.2", "deployment": "sales",
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
