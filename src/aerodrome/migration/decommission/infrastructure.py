"""Derives from the estate and the source's own rows what there is to remove, and which secrets to revoke. Pure but for reading.

Nothing here is a guess without a reason: each item says where it was seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from sqlalchemy import func, select

from aerodrome.airflowkit.metadata import MetadataDatabase
from aerodrome.kernel.clock import to_text
from aerodrome.migration.sources.airflow_db.rows import utc

_POD = re.compile(r"-[0-9a-f]{6,10}-[0-9a-z]{5}$|-(?=[a-z]*\d)[a-z0-9]{8}$|-(?:worker|triggerer|scheduler)-\d+$")
_SECRET_ENVS = ("airflow-config",)
_SECRET_OPTION = re.compile(
    r"(?i)sql_alchemy_conn|broker_url|result_backend|secret|password|fernet|dsn|backend_kwargs|token"
)
MOST_HOSTS = 200


class Records(Protocol):
    """What is needed of an estate."""

    def records(self, kind: str) -> Iterable[Any]: ...


@dataclass(frozen=True)
class Item:
    """One thing to remove, to revoke or to tell somebody about."""

    kind: str  # machine | kubernetes | database | broker | storage | address | service | secret | people
    name: str
    seen: str  # where it was found
    action: str

    def as_data(self) -> dict[str, str]:
        return dict(vars(self))


def derive(estate: Records, source_label: str, hosts: Sequence[Mapping[str, Any]]) -> list[Item]:
    """Give the list, grouped by kind. `hosts` are those of `hosts_of`."""
    config = {record.option: record for record in estate.records("config")}
    items = [
        *_database(source_label),
        *_hosts(hosts, config),
        *_config(config),
        *_secrets(estate, config),
        *_people(estate),
    ]
    order = ("machine", "kubernetes", "database", "broker", "storage", "address", "service", "secret", "people")
    return sorted(items, key=lambda item: (order.index(item.kind), item.name))


def hosts_of(database: MetadataDatabase) -> list[dict[str, Any]]:
    """Read which hosts the source's processes and tasks ran on: [{"name", "role", "last"}], the newest first."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    with database.reading() as connection:
        if database.has("job", "hostname"):
            job = database.table("job")
            query = select(job.c.hostname, job.c.job_type, func.max(job.c.latest_heartbeat)).group_by(
                job.c.hostname, job.c.job_type
            )
            for name, role, last in connection.execute(query):
                _note(found, name, str(role or "job").removesuffix("Job").lower(), last)
        task = database.table("task_instance")
        query = select(task.c.hostname, func.max(task.c.end_date)).group_by(task.c.hostname)
        for name, last in connection.execute(query):
            _note(found, name, "tasks", last)
    ordered = sorted(found.values(), key=lambda item: item["last"] or "", reverse=True)
    return ordered[:MOST_HOSTS]


def _note(found: dict[tuple[str, str], dict[str, Any]], name: str | None, role: str, last: Any) -> None:
    if name:
        found[(name, role)] = {"name": name, "role": role, "last": to_text(utc(last))}


def _database(label: str) -> Iterator[Item]:
    if "://" in label:
        yield Item("database", label, "the source's address", "Remove after the final backup was restored once.")


def _hosts(hosts: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> Iterator[Item]:
    executor = str(config["core.executor"].value) if "core.executor" in config else ""
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    for host in hosts:
        by_name.setdefault(str(host["name"]), []).append(host)
    for name, roles in by_name.items():
        seen = ", ".join(f"{item['role']} until {str(item['last'])[:10]}" for item in roles)
        if "Kubernetes" in executor and _POD.search(name):
            yield Item("kubernetes", name, seen, "A pod: gone with its deployment, namespace and service account.")
        else:
            yield Item("machine", name, seen, "Stop Airflow's services, then remove the machine or give it back.")


def _config(config: Mapping[str, Any]) -> Iterator[Item]:
    known = (
        ("celery.broker_url", "broker", "Remove the queues of Airflow, or the broker when nothing else uses it."),
        ("celery.result_backend", "database", "Remove the tables or the database of Celery's results."),
        ("kubernetes_executor.namespace", "kubernetes", "Remove the namespace with what stands in it."),
        ("kubernetes.namespace", "kubernetes", "Remove the namespace with what stands in it."),
        ("kubernetes_executor.worker_container_repository", "storage", "Remove the images from the registry."),
        ("kubernetes.worker_container_repository", "storage", "Remove the images from the registry."),
        ("logging.remote_base_log_folder", "storage", "Keep as long as logs must be kept, then remove."),
        ("core.remote_base_log_folder", "storage", "Keep as long as logs must be kept, then remove."),
        ("logging.base_log_folder", "storage", "Archived by `--logs`; then remove."),
        ("webserver.base_url", "address", "Take out of DNS and of the load balancer; leave a pointer to the new address."),
        ("api.base_url", "address", "Take out of DNS and of the load balancer; leave a pointer to the new address."),
        ("metrics.statsd_host", "service", "Remove its dashboards and alerts of the old Airflow."),
        ("secrets.backend", "service", "Take the old Airflow's right to read away; the secrets themselves may still be used."),
        ("smtp.smtp_host", "service", "Take the old Airflow's sender address out of use."),
        ("sentry.sentry_on", "service", "Remove the project of the old Airflow."),
    )  # fmt: skip
    for option, kind, action in known:
        record = config.get(option)
        if record is None or record.value == "" or record.value in ("False", "false"):
            continue
        yield Item(kind, _name(record), f"[{option.partition('.')[0]}] {option.partition('.')[2]}", action)


def _name(record: Any) -> str:
    """Name a value without user and password; a secret option has none, and is named by itself."""
    if record.value is None:
        return str(record.option)
    parts = urlsplit(str(record.value))
    if parts.scheme and parts.hostname:
        return f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    return str(record.value)


def _secrets(estate: Records, config: Mapping[str, Any]) -> Iterator[Item]:
    yield Item(
        "secret", "Fernet key of the source", "its configuration", "Destroy it once the final backup's retention ends."
    )
    for option, record in sorted(config.items()):
        if record.is_secret and _SECRET_OPTION.search(option):
            yield Item("secret", option, "configuration option", "Revoke or change it: the old machines knew it.")
    for record in estate.records("env_var"):
        if record.is_secret and record.purpose not in _SECRET_ENVS:
            yield Item("secret", record.name, "environment variable", "Revoke or change it: the old machines knew it.")
    for record in estate.records("connection"):
        if record.has_password or record.has_extra:
            where = f"connection to {record.host}" if record.host else f"connection of type {record.conn_type or '?'}"
            action = "Give the target a login of its own, then revoke this one."
            yield Item("secret", record.conn_id, where, action)
    for record in estate.records("variable"):
        if record.is_sensitive:
            yield Item("secret", record.name, "Airflow variable", "Change it where it is issued, then in the target.")


def _people(estate: Records) -> Iterator[Item]:
    users = [record for record in estate.records("user") if record.is_active]
    if users:
        names = ", ".join(sorted(record.username for record in users)[:20])
        yield Item(
            "people", f"{len(users)} users", names, "Tell them the new address; remove the groups that gave access."
        )
